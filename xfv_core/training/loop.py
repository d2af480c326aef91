"""The one training loop: the same command on one CPU process, several, or GPUs.

Everything random is a function of (seed, step, process), so a checkpoint is the weights, their
average, the optimisers' state and a step number, and a resumed run equals an unbroken one.
Started by ``accelerate launch`` the batch is shared out over the processes.
"""

from __future__ import annotations

import json
import time
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import broadcast, set_seed
from torch import Tensor
from torch.nn import functional

from xfv_core.models import load_model
from xfv_core.models.blocks import TrainedModel
from xfv_core.models.ecnet import ECNet
from xfv_core.training.augment import CROP_SIZE, augment, centre_crop
from xfv_core.training.config import (
    TrainConfig,
    TrainConfigError,
    config_from_dict,
    load_config,
)
from xfv_core.training.curves import Curves
from xfv_core.training.data import RowsOn, TrainingSet, batch_rows, load_training_set
from xfv_core.training.export import export_manifest, export_weights
from xfv_core.training.optim import build_optimizers, cosine_factor
from xfv_core.training.prototypes import load_prototypes
from xfv_core.training.schedule import (
    CHECKPOINT,
    Clock,
    decaying,
    endless,
    is_endless,
    read_checkpoint,
    resumed,
)
from xfv_core.training.sources import TrainingDataError
from xfv_core.training.student import Average, Student


def train(
    config: str,
    data: Path,
    out: Path,
    cache: Path,
    until: int | None = None,
    decay: int | None = None,
    minutes: float | None = None,
) -> None:
    """Train a config's network, resuming what ``out`` holds; results and curves go to ``out``.

    ``config``: name of a shipped one, or a JSON file. ``data``: a folder of shards or a packed
    file. ``cache`` keeps the decoded photos (55 kB each); ``until`` stops after that many steps.
    ``decay`` ends the training: from where it stands the step size falls to 0 over so many steps.
    ``minutes`` replaces the config's number of steps by what this machine does in that time.
    """
    settings = load_config(config)
    if decay is not None and minutes is not None:
        raise TrainConfigError("A training ends by its minutes or by a decay; give one of the two.")
    if decay is not None:
        settings = decaying(settings, out, decay)
    elif minutes is not None:
        settings = endless(settings)
    with PartialState(cpu=not torch.cuda.is_available()).main_process_first():
        photos = load_training_set(data, cache, settings.teachers)
    Trainer(settings, photos, out, minutes).run(until)


class Trainer:
    """State of a running training; ``step`` counts the optimiser steps taken."""

    def __init__(
        self, config: TrainConfig, data: TrainingSet, out: Path, minutes: float | None = None
    ) -> None:
        self.config, self.data, self.out = config, data, out
        self.clock = None if minutes is None else Clock(minutes)
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(), mixed_precision=config.precision
        )
        if self.accelerator.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # every batch has the same shape
            torch.set_float32_matmul_precision("high")
        _check_margin(config, data)
        self.on_device = RowsOn(data, self.accelerator.device)
        self.rows, self.held = data.split(config.holdout, config.holdout_people)
        set_seed(config.seed)
        model = config.build_model()
        if isinstance(model, ECNet) and model.encoder.trunk is not None:
            model.encoder.take_trunk(load_model("sface"))
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        student = Student(
            model,
            config.losses,
            target_dim=data.targets.shape[1],
            identities=data.identities,
            channels=config.channels,
        )
        if student.ecloss is not None and config.channels and config.channels.prototypes:
            student.ecloss.take(*load_prototypes(config.channels.prototypes))
        if config.compile:
            student.model.encoder.compile()
        self.student = student
        optimizers = build_optimizers(
            student, lr=config.lr, muon_lr=config.muon_lr, weight_decay=config.weight_decay
        )
        self.wrapped, *self.optimizers = self.accelerator.prepare(student, *optimizers)
        self.average = Average(student.model, config.ema)  # on the device by now
        self.peaks = [[g["lr"] for g in o.param_groups] for o in self.optimizers]
        self.step = 0
        self.seconds = 0.0

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.accelerator.is_main_process

    def run(self, until: int | None = None) -> None:
        """Resume if there is a checkpoint, train to step ``until`` (default: all), and save."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.resume()
        curves = Curves(self.out, keep=self.step) if self.main else None
        saved = started = time.monotonic()
        before = self.seconds
        while self.step < min(until or self.config.steps, self.config.steps):
            terms = self.advance()
            self.seconds = before + time.monotonic() - started
            if self.clock is not None and is_endless(self.config):
                self._ask_clock(self.clock)
            if curves is not None:
                self._report(curves, terms)
                if time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
        if curves is not None:
            self.save()
            if self.step == self.config.steps:
                self.export(curves)
        self.accelerator.wait_for_everyone()

    def advance(self) -> dict[str, Tensor]:
        """One step on the next batch; returns this process's loss terms."""
        self.wrapped.train()
        self._set_step_sizes()
        terms = self.wrapped(*self._batch())
        self.accelerator.backward(terms["loss"])
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        if self.main:
            self.average.update(self.student.model, self.step)
        return {name: term.detach() for name, term in terms.items()}

    def _ask_clock(self, clock: Clock) -> None:
        """Set the end where it is time to, by the first process's time for all of them."""
        if self.step % self.config.log_every == 0:
            seconds = broadcast(torch.tensor(self.seconds, device=self.accelerator.device))
            self.config = clock.end(self.config, self.step, float(seconds))

    def averaged_model(self) -> TrainedModel:
        """A copy of the network with the averaged weights, in eval mode."""
        model = deepcopy(self.student.model)
        model.load_state_dict(self.average.tensors)
        return model.eval()

    def save(self) -> None:
        """Write the checkpoint; an interrupted write leaves the former one."""
        partial = self.out / "checkpoint.partial"
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "config": asdict(self.config),
            "student": self.student.state_dict(),
            "average": self.average.tensors,
            "optimizers": [o.optimizer.state_dict() for o in self.optimizers],
        }
        torch.save(state, partial)
        partial.replace(self.out / CHECKPOINT)

    def resume(self) -> None:
        """Take up the checkpoint of the output folder, if there is one."""
        state = read_checkpoint(self.out)
        if state is None:
            return
        self.config = resumed(self.config, config_from_dict(state["config"]), state["step"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.student.load_state_dict(state["student"])
        for name, tensor in self.average.tensors.items():
            tensor.copy_(state["average"][name])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.optimizer.load_state_dict(saved)

    def export(self, curves: Curves) -> None:
        """The averaged network as safetensors, its config, and what the training came to."""
        model = self.averaged_model()
        watched = self._watch(model)
        written = export_weights(model, self.out / f"{self.config.name}.safetensors")
        summary = {
            "config": asdict(self.config),
            "photos": len(self.rows),
            "steps": self.step,
            "seconds": round(self.seconds),
            "processes": self.accelerator.num_processes,
            "held_out": watched,
            **written,
        }
        (self.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        export_manifest(self.config, self.out / f"{self.config.name}.safetensors", summary)
        curves.draw()

    def _set_step_sizes(self) -> None:
        c = self.config
        factor = cosine_factor(self.step, warmup=c.warmup, hold=c.hold, steps=c.steps)
        if c.channels and c.channels.fade and self.step >= c.hold:
            self.student.channel_factor = factor
        for optimizer, peaks in zip(self.optimizers, self.peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * factor

    def _batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """This process's share of the batch, augmented."""
        c, process = self.config, self.accelerator.process_index
        rows = batch_rows(self.rows, self.step, c.batch, c.seed)
        rows = rows[process :: self.accelerator.num_processes]
        photos, targets, labels = self.on_device.batch(rows)
        seed = np.random.SeedSequence((c.seed, self.step, process)).generate_state(1)[0]
        crops = augment(photos, c.augment, torch.Generator().manual_seed(int(seed)))
        return crops.contiguous(memory_format=torch.channels_last), targets, labels

    def _report(self, curves: Curves, terms: dict[str, Tensor]) -> None:
        c = self.config
        watch = self.step % c.watch_every == 0 or self.step == c.steps
        if not watch and self.step % c.log_every:
            return
        values = {name: float(term) for name, term in terms.items()}
        if watch:
            values |= self._watch(self.averaged_model())
        epoch = self.step * c.batch / len(self.rows)
        curves.add(self.step, None if is_endless(c) else c.steps, epoch, self.seconds, values)

    @torch.no_grad()
    def _watch(self, model: TrainedModel) -> dict[str, float]:
        """Mean cosine to the teachers on the held-out photos, and of their similarities."""
        embeddings = []
        for start in range(0, len(self.held), 256):
            photos, _, _ = self.on_device.batch(self.held[start : start + 256])
            crops = centre_crop(photos, self.config.augment.down)
            crops = crops.contiguous(memory_format=torch.channels_last)
            with self.accelerator.autocast():
                embeddings.append(model.embed(crops).float().cpu())
        if not embeddings:
            return {}
        ours = torch.cat(embeddings)  # (H, D)
        theirs = torch.from_numpy(self.data.targets[self.held])
        return _agreement(ours, theirs)


def _check_margin(config: TrainConfig, data: TrainingSet) -> None:
    margin = (data.photos.shape[1] - CROP_SIZE) // 2
    if config.augment.down > margin:
        raise TrainingDataError(
            f"{config.name} looks at crops {config.augment.down:g} px down, the photos have a "
            f"margin of {margin} px; pack them with --size {CROP_SIZE + 24}."
        )


def _agreement(ours: Tensor, theirs: Tensor) -> dict[str, float]:
    """Correlation of all pairs' similarities, and the mean cosine where the lengths agree."""
    above = torch.triu_indices(len(ours), len(ours), 1)
    pairs = torch.stack([(e @ e.T)[above[0], above[1]] for e in (ours, theirs)])
    values = {"held_correlation": float(torch.corrcoef(pairs)[0, 1])}
    if ours.shape == theirs.shape:
        values["held_cosine"] = float(functional.cosine_similarity(ours, theirs).mean())
    return values
