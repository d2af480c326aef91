"""When a training ends, and how it is taken up again: by its config, by the clock, by a decay."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from xfv_core.errors import XfvError
from xfv_core.training.config import TrainConfig

CHECKPOINT = "checkpoint.pt"
HELD = 0.7  # the share of a training by the clock after which its step size falls
_ENDLESS = 10**9  # steps of one whose end is not set yet
_FREE = {"name", "log_every", "watch_every", "checkpoint_minutes", "compile"}


class ResumeError(XfvError):
    """The checkpoint in the output folder belongs to another training."""


def read_checkpoint(out: Path) -> dict[str, Any] | None:
    """What a training has saved in its folder, on the CPU; None where there is nothing."""
    path = out / CHECKPOINT
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def endless(config: TrainConfig) -> TrainConfig:
    """The config of a training whose end is still to be set."""
    return replace(config, hold=_ENDLESS, steps=_ENDLESS)


def is_endless(config: TrainConfig) -> bool:
    """Whether the end is still to be set."""
    return config.steps == _ENDLESS


def decaying(config: TrainConfig, out: Path, steps: int) -> TrainConfig:
    """The config whose step size falls over ``steps`` from the checkpoint in ``out`` on.

    That checkpoint is kept as ``stable.pt``; put back in its place, the training goes on as if it
    had never ended. A decay that has begun keeps its course.
    """
    state = read_checkpoint(out)
    if state is None:
        raise ResumeError(f"{out} holds no training whose step size could fall.")
    if state["step"] > state["config"]["hold"]:
        return replace(config, hold=state["config"]["hold"], steps=state["config"]["steps"])
    shutil.copyfile(out / CHECKPOINT, out / "stable.pt")
    return replace(config, hold=state["step"], steps=state["step"] + steps)


def resumed(ours: TrainConfig, saved: TrainConfig, step: int) -> TrainConfig:
    """The config with which the training ``saved`` goes on from ``step``; ResumeError for another.

    Only what has had no influence yet may differ: the schedule's end, the channels' terms.
    """
    if is_endless(ours) and not is_endless(saved):
        ours = replace(ours, hold=saved.hold, steps=saved.steps)
    free = set(_FREE)
    if step <= min(saved.hold, ours.hold):
        free |= {"hold", "steps"}
    if step <= min(c.channels.start if c.channels else 0 for c in (saved, ours)):
        free |= {"channels"}
    before = asdict(saved)
    changed = [k for k, value in asdict(ours).items() if k not in free and value != before[k]]
    if changed:
        raise ResumeError(
            f"The output folder holds step {step} of a training with other values of {changed}; "
            "choose another one or delete it."
        )
    return ours


class Clock:
    """Sets the end of an endless training that is to take so many minutes."""

    def __init__(self, minutes: float) -> None:
        self._seconds = 60 * minutes
        self._half = (0.0, 0)  # seconds and step from which the pace is measured

    def end(self, config: TrainConfig, step: int, seconds: float) -> TrainConfig:
        """The config at ``step``, after ``seconds``; from 0.7 of the time on with the steps that
        fit the rest, over which the step size falls."""
        if seconds < self._seconds * HELD:
            if seconds < self._seconds * HELD / 2:
                self._half = (seconds, step)
            return config
        pace = (seconds - self._half[0]) / (step - self._half[1])
        return replace(
            config, hold=step, steps=step + max(1, round((self._seconds - seconds) / pace))
        )
