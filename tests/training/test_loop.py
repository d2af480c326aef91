"""A resumed training equals an unbroken one; what it writes is what it says."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.launch import run_processes
from xfv_core.models import load_model
from xfv_core.models.ecnet import ECNet
from xfv_core.models.rrf import RegionNet, RRFNet
from xfv_core.models.sface import SFace
from xfv_core.training.config import TrainConfig, TrainConfigError, config_from_dict, load_config
from xfv_core.training.curves import read_curves
from xfv_core.training.data import TrainingSet
from xfv_core.training.loop import Trainer, train
from xfv_core.training.schedule import ResumeError, decaying, endless
from xfv_core.weights.manifest import load_manifest

from .conftest import TOY_CONFIG

KILLED = """
import os, signal, sys
from xfv_core.cli import main
from xfv_core.training.loop import Trainer

advance = Trainer.advance
def advance_or_die(self):
    if self.step == {step}:
        os.kill(os.getpid(), signal.SIGKILL)
    return advance(self)
Trainer.advance = advance_or_die
sys.exit(main())
"""


def checkpoint(folder: Path) -> dict[str, object]:
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    return {k: v for k, v in state.items() if k not in ("seconds", "config")}


def assert_identical(one: object, two: object, where: str = "") -> None:
    """Bit for bit, through dicts and lists."""
    assert type(one) is type(two), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), where
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), where
        for key, value in one.items():
            assert_identical(value, two[key], f"{where}.{key}")
    elif isinstance(one, list):
        for index, pair in enumerate(zip(one, two, strict=True)):
            assert_identical(*pair, f"{where}[{index}]")
    else:
        assert one == two, where


EC_TOY = {
    "arch": "ecnet",
    "model": {
        "layers": [[8, 8, 8]], "blocks": 1, "channels": 4, "head": 6, "local": 4, "dim": 8,
    },
    "channels": {"template": 1.0, "part": 0.1, "diversity": 1.0, "balance": 0.1,
                 "covered": 0.5, "start": 2, "parts": 2, "fade": True},
}  # fmt: skip


def ec_config(**changes: object) -> TrainConfig:
    return config_from_dict({**TOY_CONFIG, **EC_TOY, **changes})


def test_a_channel_network_resumes_at_any_step_too(data: TrainingSet, tmp_path: Path) -> None:
    Trainer(ec_config(), data, tmp_path / "unbroken").run()
    for stop in (1, 2, 3, 5, 6):
        Trainer(ec_config(), data, tmp_path / "broken").run(until=stop)
    assert_identical(*(checkpoint(tmp_path / name) for name in ("unbroken", "broken")))


def test_the_twin_may_share_the_steps_before_the_channels_count(
    data: TrainingSet, tmp_path: Path
) -> None:
    plain = ec_config(name="plain", channels={"start": 2, "parts": 2})
    Trainer(plain, data, tmp_path / "alone").run()
    Trainer(ec_config(), data, tmp_path / "shared").run(until=2)
    Trainer(plain, data, tmp_path / "shared").run()
    assert_identical(*(checkpoint(tmp_path / name) for name in ("alone", "shared")))
    Trainer(ec_config(), data, tmp_path / "late").run(until=3)
    with pytest.raises(ResumeError, match="channels"):
        Trainer(plain, data, tmp_path / "late").run()


def test_channel_terms_fade_with_the_step_size(data: TrainingSet, tmp_path: Path) -> None:
    trainer = Trainer(ec_config(hold=3), data, tmp_path)
    factors = []
    for _ in range(6):
        trainer.advance()
        factors.append(trainer.student.channel_factor)
    assert factors[:4] == [1, 1, 1, 1]
    assert factors[4:] == pytest.approx([0.75, 0.25])


def test_a_quarter_of_the_photos_is_seen_covered_too_once_that_counts(
    data: TrainingSet, tmp_path: Path
) -> None:
    trainer = Trainer(ec_config(), data, tmp_path)  # batches of 8, terms from step 2 on
    seen: list[int] = []
    encoder = trainer.student.model.encoder
    encoder.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    for _ in range(3):
        trainer.advance()
    assert seen == [8, 8, 10]


def test_a_trunk_has_sfaces_weights_before_and_after_training(
    data: TrainingSet, tmp_path: Path
) -> None:
    model = {**EC_TOY["model"], "layers": [[1, 1, 8]], "trunk": 6}  # type: ignore[dict-item]
    trainer = Trainer(ec_config(model=model), data, tmp_path)
    trainer.run()
    assert isinstance(trainer.student.model, ECNet)
    trunk = trainer.student.model.encoder.trunk
    sface = load_model("sface")
    assert trunk is not None and isinstance(sface, SFace)
    torch.testing.assert_close(trunk[2].weight, sface.features[2].weight)
    x = torch.rand(1, 3, 112, 112)
    ours = trunk(x * 4 - 2)
    torch.testing.assert_close(
        ours, sface.features[: len(trunk)]((x * 255 - 127.5) / 128), atol=1e-4, rtol=1e-4
    )


def test_an_encoder_taken_from_a_shipped_network_learns_on_and_is_exported(
    data: TrainingSet, toy_config: TrainConfig, tmp_path: Path
) -> None:
    own = ("arch", "encoder", "model", "lr", "muon_lr")
    shipped = load_config("rrf_regions")
    config = dataclasses.replace(toy_config, steps=2, **{k: getattr(shipped, k) for k in own})
    Trainer(config, data, tmp_path).run()
    ours = load_model("toy", manifest=load_manifest(tmp_path / "weights.json"))
    theirs = load_model(config.encoder)
    assert isinstance(ours, RegionNet) and isinstance(theirs, RRFNet)
    x = torch.rand(1, 3, 112, 112)
    far = (ours.encoder(x) - theirs.encoder(x)).abs().mean() / theirs.encoder(x).mean()
    assert 0 < far < 0.1


@pytest.mark.parametrize("arch", ["rrf", "rrf_regions", "full"])
def test_stopping_at_any_step_and_resuming_changes_nothing(
    arch: str, toy_config: TrainConfig, data: TrainingSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(toy_config, arch=arch)
    Trainer(config, data, tmp_path / "unbroken").run()
    for stop in (1, 2, 3, 5, 6):
        Trainer(config, data, tmp_path / "broken").run(until=stop)
    first, second = (checkpoint(tmp_path / name) for name in ("unbroken", "broken"))
    assert first["step"] == 6
    assert_identical(first, second)


def test_training_lowers_the_loss(
    toy_config: TrainConfig, data: TrainingSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(toy_config, steps=30)
    Trainer(config, data, tmp_path).run()
    losses = [float(row["loss"]) for row in read_curves(tmp_path / "curves.csv")]
    assert sum(losses[-4:]) < sum(losses[:4])


def test_the_export_is_the_averaged_network_and_the_summary_describes_it(
    toy_config: TrainConfig, data: TrainingSet, tmp_path: Path
) -> None:
    trainer = Trainer(toy_config, data, tmp_path)
    trainer.run()
    summary = json.loads((tmp_path / "summary.json").read_text())
    tensors = load_file(tmp_path / "toy.safetensors")
    model = RRFNet.from_tensors(tensors, summary["config"]["model"])
    photos = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    expected = trainer.averaged_model().embed(photos)
    torch.testing.assert_close(model.embed(photos), expected, atol=1e-5, rtol=1e-4)
    assert summary["steps"] == 6
    assert summary["photos"] == 36
    assert summary["bytes"] == (tmp_path / "toy.safetensors").stat().st_size
    assert set(summary["held_out"]) == {"held_cosine", "held_correlation"}


def test_the_curves_are_a_table_and_a_picture_without_gaps_or_repeats(
    toy_config: TrainConfig, data: TrainingSet, tmp_path: Path
) -> None:
    Trainer(toy_config, data, tmp_path).run(until=4)
    Trainer(toy_config, data, tmp_path).run()
    rows = read_curves(tmp_path / "curves.csv")
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [bool(row["held_cosine"]) for row in rows] == [False, False, True] * 2
    assert (tmp_path / "curves.svg").read_text().count("<polyline") == 5


def test_another_trainings_checkpoint_is_refused(
    toy_config: TrainConfig, data: TrainingSet, tmp_path: Path
) -> None:
    Trainer(toy_config, data, tmp_path).run(until=1)
    other = dataclasses.replace(toy_config, seed=2)
    with pytest.raises(ResumeError, match="seed"):
        Trainer(other, data, tmp_path).run()


def test_the_end_may_be_moved_only_before_the_step_size_falls(
    toy_config: TrainConfig, data: TrainingSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(toy_config, hold=3)
    moved = dataclasses.replace(config, hold=4, steps=7)
    Trainer(config, data, tmp_path / "early").run(until=3)
    Trainer(moved, data, tmp_path / "early").run()
    Trainer(moved, data, tmp_path / "unbroken").run()
    assert_identical(checkpoint(tmp_path / "early"), checkpoint(tmp_path / "unbroken"))
    Trainer(config, data, tmp_path / "late").run(until=4)
    with pytest.raises(ResumeError, match="hold"):
        Trainer(moved, data, tmp_path / "late").run()


def test_a_decay_begins_where_the_training_stands_and_keeps_the_stable_checkpoint(
    toy_config: TrainConfig, data: TrainingSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(toy_config, hold=50, steps=100)
    Trainer(config, data, tmp_path).run(until=3)
    stable = (tmp_path / "checkpoint.pt").read_bytes()
    falling = decaying(config, tmp_path, 4)
    assert (falling.hold, falling.steps) == (3, 7)
    Trainer(falling, data, tmp_path).run(until=5)
    assert decaying(config, tmp_path, 9) == falling  # it has begun: it keeps its course
    Trainer(falling, data, tmp_path).run()
    assert checkpoint(tmp_path)["step"] == 7
    assert (tmp_path / "stable.pt").read_bytes() == stable
    (tmp_path / "checkpoint.pt").write_bytes(stable)
    Trainer(config, data, tmp_path).run(until=4)


def test_a_training_by_the_clock_takes_the_steps_that_fit(
    toy_config: TrainConfig, data: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock) / 2)  # two looks at it a step
    config = dataclasses.replace(endless(toy_config), log_every=1, checkpoint_minutes=1e6)
    Trainer(config, data, tmp_path, minutes=1).run(until=45)
    Trainer(config, data, tmp_path, minutes=1).run()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert 40 <= summary["config"]["hold"] <= 43  # of 60 s, a second each, 0.7 are held
    assert summary["steps"] == summary["config"]["steps"]
    assert 58 <= summary["steps"] <= 62


def test_minutes_and_a_decay_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(TrainConfigError, match="one of the two"):
        train("rrf56", tmp_path, tmp_path, tmp_path, decay=3, minutes=1)


def test_nothing_falls_without_a_checkpoint(toy_config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match="no training"):
        decaying(toy_config, tmp_path, 4)


def test_a_checkpoint_from_before_an_entry_existed_has_its_default(
    toy_config: TrainConfig, data: TrainingSet, tmp_path: Path
) -> None:
    Trainer(toy_config, data, tmp_path).run(until=1)
    path = tmp_path / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    del state["config"]["losses"]["margin"]
    torch.save(state, path)
    Trainer(toy_config, data, tmp_path).run(until=2)
    assert checkpoint(tmp_path)["step"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_training_resumes_to_the_same_result(
    processes: int, toy_data: Path, tmp_path: Path
) -> None:
    config = tmp_path / "toy.json"
    config.write_text(json.dumps({**TOY_CONFIG, "checkpoint_minutes": 0}))
    killer = tmp_path / "killer.py"
    killer.write_text(KILLED.format(step=4))

    def launch(out: str, *program: str) -> int:
        arguments = ["--config", str(config), "--data", str(toy_data)]
        arguments += ["--out", str(tmp_path / out), "--cache", str(tmp_path / "cache")]
        return run_processes(processes, [*program, *arguments])

    assert launch("unbroken", "-m", "xfv_core", "train") == 0
    assert launch("broken", str(killer), "train") != 0
    assert checkpoint(tmp_path / "broken")["step"] in (3, 4)
    assert launch("broken", "-m", "xfv_core", "train") == 0
    first, second = (checkpoint(tmp_path / name) for name in ("unbroken", "broken"))
    assert first["step"] == config_from_dict(TOY_CONFIG).steps
    assert_identical(first, second)
