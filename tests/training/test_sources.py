"""A packed file trains as the folder that it was made of."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from typer.testing import CliRunner

from xfv_core.cli import app
from xfv_core.training.config import TrainConfig
from xfv_core.training.curves import read_curves
from xfv_core.training.data import RowsOn, load_training_set
from xfv_core.training.loop import Trainer
from xfv_core.training.sources import TrainingDataError, open_source, pack

from .conftest import TOY_CONFIG


@pytest.fixture(scope="module")
def packed(toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "toy.safetensors"
    assert pack(open_source(toy_data), path, size=120, quality=90) == 40
    return path


def test_a_packed_file_holds_the_middle_of_every_photo(packed: Path, tmp_path: Path) -> None:
    photos = load_training_set(packed, tmp_path, ["one"]).photos
    assert photos.shape == (40, 120, 120, 3)
    levels = photos.astype(int).mean((1, 2, 3))
    assert np.abs(levels - 6 * np.arange(40)).max() < 3  # photo i is grey of level 6·i


def test_a_packed_file_keeps_labels_and_teachers(
    toy_data: Path, packed: Path, tmp_path: Path
) -> None:
    whole, small = (open_source(path) for path in (toy_data, packed))
    assert small.labels.tolist() == whole.labels.tolist()
    for name, rows in whole.teachers.items():
        unit = rows / np.linalg.norm(rows.astype(float), axis=1, keepdims=True)
        assert (small.teachers[name] * unit).sum(1).min() > 0.9999


def test_a_share_keeps_every_so_manieth_row(toy_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "third.safetensors"
    assert pack(open_source(toy_data), path, size=136, quality=90, share=3) == 14
    data = load_training_set(path, tmp_path, ["one"])
    assert data.labels.tolist() == open_source(toy_data).labels[::3].tolist()
    levels = data.photos.astype(int).mean((1, 2, 3))
    assert np.abs(levels - 18 * np.arange(14)).max() < 3


def test_a_packed_file_starts_at_the_loss_of_its_folder(
    toy_data: Path, packed: Path, toy_config: TrainConfig, tmp_path: Path
) -> None:
    losses = []
    for name, path in (("whole", toy_data), ("packed", packed)):
        data = load_training_set(path, tmp_path, toy_config.teachers)
        Trainer(toy_config, data, tmp_path / name).run(until=1)
        losses += [float(r["loss"]) for r in read_curves(tmp_path / name / "curves.csv")]
    assert losses[1] == pytest.approx(losses[0], abs=0.02)


def test_a_training_on_a_packed_file_resumes(
    packed: Path, toy_config: TrainConfig, tmp_path: Path
) -> None:
    for out, stops in (("unbroken", [6]), ("broken", [2, 6])):
        for stop in stops:
            data = load_training_set(packed, tmp_path, toy_config.teachers)
            Trainer(toy_config, data, tmp_path / out).run(until=stop)
    first, second = (
        (tmp_path / out / "toy.safetensors").read_bytes() for out in ("unbroken", "broken")
    )
    assert first == second


def test_pack_train_and_its_end_are_three_commands(toy_data: Path, tmp_path: Path) -> None:
    config, file, out = (tmp_path / name for name in ("toy.json", "toy.safetensors", "out"))
    config.write_text(json.dumps({**TOY_CONFIG, "hold": 90, "steps": 100}))
    packing = ["pack", "--data", toy_data, "--out", file, "--quality", 90]
    training = ["train", "--config", config, "--data", file, "--out", out]
    training += ["--cache", tmp_path / "cache"]
    for command in (packing, [*training, "--until", 2], [*training, "--decay", 2]):
        result = CliRunner().invoke(app, [str(word) for word in command])
        assert result.exit_code == 0, result.output
    assert json.loads((out / "summary.json").read_text())["steps"] == 4
    assert (out / "toy.safetensors").exists()


def test_a_crop_outside_the_packed_photos_is_refused(
    packed: Path, toy_config: TrainConfig, tmp_path: Path
) -> None:
    data = load_training_set(packed, tmp_path, toy_config.teachers)
    low = dataclasses.replace(toy_config.augment, down=8.0)
    with pytest.raises(TrainingDataError, match="margin of 4 px"):
        Trainer(dataclasses.replace(toy_config, augment=low), data, tmp_path)


def test_another_file_is_no_packed_set(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(TrainingDataError, match="no packed training set"):
        open_source(path)
    path.write_text("nothing")
    with pytest.raises(TrainingDataError, match="no packed training set"):
        open_source(path)


def test_photos_cannot_be_packed_larger_than_they_are(toy_data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="136 px"):
        pack(open_source(toy_data), tmp_path / "x.safetensors", size=160, quality=50)


def test_torch_sees_the_rows_it_asks_for_on_the_device(packed: Path, tmp_path: Path) -> None:
    data = load_training_set(packed, tmp_path, ["one"])
    photos, targets, labels = RowsOn(data, torch.device("meta")).batch(np.array([5, 9]))
    assert (photos.device.type, photos.shape, photos.dtype) == (
        "meta",
        (2, 3, 120, 120),
        torch.uint8,
    )
    assert (targets.shape, labels.shape) == ((2, 4), (2,))
