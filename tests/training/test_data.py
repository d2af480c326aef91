"""Shards become rows in the table's order, and batches are a pure function of the step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from xfv_core.training.data import RowsOn, batch_rows, centred_targets, load_training_set
from xfv_core.training.sources import TrainingDataError


def test_photos_stand_in_the_order_of_the_table(toy_data: Path, tmp_path: Path) -> None:
    data = load_training_set(toy_data, tmp_path, ["one"])
    assert data.photos.shape == (40, 136, 136, 3)
    assert data.photos[:, 5, 5, 1].tolist() == [6 * i for i in range(40)]


def test_the_decoded_photos_are_reused(toy_data: Path, tmp_path: Path) -> None:
    load_training_set(toy_data, tmp_path, ["one"])
    (cached,) = tmp_path.iterdir()
    photos = np.load(cached, mmap_mode="r+")
    photos[3] = 77
    photos.flush()
    assert (load_training_set(toy_data, tmp_path, ["one"]).photos[3] == 77).all()


def test_unknown_identities_are_minus_one(toy_data: Path, tmp_path: Path) -> None:
    data = load_training_set(toy_data, tmp_path, ["one"])
    assert data.labels[:6].tolist() == [-1, 1, -1, 3, -1, 1]
    assert data.identities == 4


def test_a_batch_holds_the_asked_rows(toy_data: Path, tmp_path: Path) -> None:
    data = load_training_set(toy_data, tmp_path, ["one", "two"])
    photos, targets, labels = RowsOn(data, torch.device("cpu")).batch(np.array([7, 2]))
    assert photos.shape == (2, 3, 136, 136)
    assert photos[:, 0, 0, 0].tolist() == [42, 12]
    np.testing.assert_array_equal(targets.numpy(), data.targets[[7, 2]])
    assert labels.tolist() == [3, -1]


def test_centred_teachers_have_unit_rows_and_average_their_cosines() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=(2, 20, 5)) + 1
    joint = centred_targets([one, two])
    np.testing.assert_allclose(np.linalg.norm(joint, axis=1), 1, rtol=1e-6)
    cosines = []
    for teacher in (one, two):
        centred = teacher - teacher.mean(axis=0)
        a, b = centred[3], centred[8]
        cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert joint[3] @ joint[8] == pytest.approx(np.mean(cosines), abs=1e-6)


def test_an_epoch_shows_every_photo_once_and_the_next_in_another_order() -> None:
    rows = np.arange(100, 132)
    epochs = [[batch_rows(rows, 4 * e + i, 8, seed=3) for i in range(4)] for e in range(2)]
    first, second = (np.concatenate(batches) for batches in epochs)
    assert sorted(first) == sorted(second) == rows.tolist()
    assert first.tolist() != second.tolist()


def test_a_batch_depends_on_step_and_seed_alone() -> None:
    rows = np.arange(50)
    assert batch_rows(rows, 17, 8, 1).tolist() == batch_rows(rows, 17, 8, 1).tolist()
    assert batch_rows(rows, 17, 8, 1).tolist() != batch_rows(rows, 17, 8, 2).tolist()


def test_held_out_photos_are_not_trained_on(toy_data: Path, tmp_path: Path) -> None:
    train, held = load_training_set(toy_data, tmp_path, ["one"]).split(10)
    assert held.tolist() == [9, 19, 29, 39]
    assert sorted([*train, *held]) == list(range(40))


def test_missing_parts_are_named(toy_data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"faces_train\.csv"):
        load_training_set(tmp_path, tmp_path, ["one"])
    with pytest.raises(TrainingDataError, match="three"):
        load_training_set(toy_data, tmp_path / "cache", ["three"])
    for name in ("faces_train.csv", "faces_train_teacher.npz"):
        (tmp_path / name).write_bytes((toy_data / name).read_bytes())
    with pytest.raises(TrainingDataError, match=r"faces_train-000\.tar"):
        load_training_set(tmp_path, tmp_path / "other", ["one"])


def test_a_batch_larger_than_the_set_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="smaller"):
        batch_rows(np.arange(4), 0, 8, 0)


def test_people_held_out_are_neither_trained_on_nor_watched(toy_data: Path, tmp_path: Path) -> None:
    data = load_training_set(toy_data, tmp_path, ["one"])  # labels 1 and 3 in turn, and unknown
    train, held = data.split(10, people=4)
    shown = data.labels[np.concatenate([train, held])]
    assert set(shown) == {-1, 1}
    assert len(train) + len(held) == 30
