"""Figures on held-out people: which pairs, which rates, intervals over people."""

from __future__ import annotations

import csv
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xfv_core.evaluation.data.face_sets import (
    held_out_crops,
    held_out_people,
    people_learnt_from,
)
from xfv_core.evaluation.verdicts.people import people_pairs, verify_people
from xfv_core.evaluation.verdicts.verification import eer


def faces(people: int, photos: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(people) * 8 + 7, photos)
    centres = rng.normal(size=(people, 16))
    rows = np.repeat(centres, photos, axis=0) + noise * rng.normal(size=(len(labels), 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def test_all_genuine_pairs_and_as_many_impostors() -> None:
    labels = np.array([7, 7, 7, 15, 15, 23])
    pairs = people_pairs(labels)
    assert pairs.genuine.tolist() == [True] * 4 + [False] * 4
    both = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert set(both[:4]) == {(0, 1), (0, 2), (1, 2), (3, 4)}
    assert len(set(both)) == 8
    assert all(labels[a] != labels[b] for a, b in both[4:])


def test_the_rates_are_those_of_the_pairs() -> None:
    embeddings, labels = faces(people=12, photos=6, noise=1.0)
    pairs = people_pairs(labels)
    scores = (embeddings[pairs.first] * embeddings[pairs.second]).sum(1).astype(float)
    table = verify_people(embeddings, labels)
    assert table["eer"] == pytest.approx(eer(scores, pairs.genuine), abs=2 / len(scores))
    best = max(((scores >= t) == pairs.genuine).mean() for t in scores)
    assert table["best_accuracy"] == pytest.approx(best)
    assert (table["people"], table["photos"], table["pairs"]) == (12, 72, 2 * 12 * 15)


def test_intervals_hold_the_figure_and_narrow_with_more_people() -> None:
    widths = []
    for people in (8, 48):
        table = verify_people(*faces(people, photos=5, noise=1.0))
        low, high = table["eer_interval"]
        assert low <= table["eer"] <= high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_separable_people_leave_no_error() -> None:
    table = verify_people(*faces(people=5, photos=4, noise=0.0))
    assert (table["eer"], table["best_accuracy"]) == (0, 1)


def test_crops_are_those_of_the_people_held_out(tmp_path: Path) -> None:
    rows = [(0, 1, 7), (1, 0, 15), (2, 0, 6), (3, 1, ""), (4, 0, 7)]  # index, shard, label
    for shard in (0, 1):
        with tarfile.open(tmp_path / f"faces_train-{shard:03d}.tar", "w") as tar:
            for index in (i for i, where, _ in rows if where == shard):
                buffer = BytesIO()
                pixels = np.full((136, 136, 3), 10 * index, np.uint8)
                Image.fromarray(pixels).save(buffer, "WEBP", lossless=True)
                info = tarfile.TarInfo(f"{index}.webp")
                info.size = buffer.tell()
                buffer.seek(0)
                tar.addfile(info, buffer)
    with (tmp_path / "faces_train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "shard", "file", "label"])
        writer.writerows([i, shard, f"{i}.webp", label] for i, shard, label in rows)
    crops, labels = held_out_crops(tmp_path)
    assert crops.shape == (3, 112, 112, 3)
    assert crops[:, 0, 0, 0].tolist() == [10, 40, 0]
    assert labels.tolist() == [15, 7, 7]
    assert len(held_out_people(tmp_path, 8)) == 3
    assert [face.pixels[0, 0, 0] for face in people_learnt_from(tmp_path, 10)] == [20]
