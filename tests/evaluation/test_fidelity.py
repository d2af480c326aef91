"""Fidelity over a data set: the same chance for all methods, resumable, shared out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.test_fidelity import CELL, SIDE, OneCell
from xfv_core.evaluation.fidelity import (
    FidelityRunError,
    PairRow,
    choose_pairs,
    judge_pair,
    measure_fidelity,
    read_rows,
    summarise,
)
from xfv_core.evaluation.pairs import PairSet
from xfv_core.explain import MethodError
from xfv_core.explain.base import Cost, Maps
from xfv_core.fidelity import area

AT = {"threshold": 0.3, "decide_at": 0.5}


def marking(cell: tuple[int, int]):
    """A method that first marks nothing, at last one cell."""
    values = np.zeros((SIDE, SIDE), np.float32)
    row, column = (2 * i for i in cell)

    def explain(model, a, b, *, threshold, steps=None) -> Iterator[Maps]:
        yield Maps(values, values, "m", model.name, Cost(1, 0.1), progress=0.5)
        marked = values.copy()
        marked[row : row + 2, column : column + 2] = 1
        yield Maps(marked, marked, "m", model.name, Cost(10, 0.5))

    return explain


def test_final_maps_are_judged_against_the_same_chance() -> None:
    white = torch.ones(3, SIDE, SIDE)
    methods = {"right": marking(CELL), "wrong": marking((13, 0)), "again": marking(CELL)}
    row = judge_pair(OneCell(), white, white, methods, genuine=True, pair=5, **AT)
    right, wrong = row.methods["right"], row.methods["wrong"]
    assert right.deletion_gain > wrong.deletion_gain + 0.2
    assert right == row.methods["again"]
    assert (right.passes, right.seconds) == (10, 0.5)
    assert row.agreement["right | again"] == pytest.approx(1)
    assert row.agreement["right | wrong"] < 0.5


def test_deletion_and_insertion_are_areas_under_the_accuracy_of_decisions(tmp_path: Path) -> None:
    white, black = torch.ones(3, SIDE, SIDE), torch.zeros(3, SIDE, SIDE)
    methods = {"right": marking(CELL)}
    genuine, impostor = (
        judge_pair(OneCell(), white, other, methods, genuine=same, pair=0, **AT)
        for same, other in ((True, white), (False, black))
    )
    assert genuine.methods["right"].deletion == [1, *10 * [0]]
    assert genuine.methods["right"].insertion == [0, *10 * [1]]
    assert impostor.methods["right"].deletion == [0, *10 * [0.5]]  # B is black anyway

    (tmp_path / "settings.json").write_text("{}")
    write_rows(tmp_path, genuine)
    alone = summarise(tmp_path)
    assert alone["methods"]["right"]["deletion"] == pytest.approx(5)
    assert alone["methods"]["right"]["insertion"] == pytest.approx(95)
    assert alone["random"]["deletion"] == pytest.approx(100 * area(np.array(genuine.chance)))
    write_rows(tmp_path, replace(impostor, pair=1))
    both = summarise(tmp_path)["methods"]["right"]
    by_hand = np.array([5, 52.5])
    assert both["deletion"] == pytest.approx(by_hand.mean())
    half = 1.96 * by_hand.std() / np.sqrt(2)
    assert both["deletion_interval"] == pytest.approx(
        (by_hand.mean() - half, by_hand.mean() + half)
    )


def write_rows(out: Path, row: PairRow) -> None:
    with (out / "rows-0.jsonl").open("a") as file:
        file.write(json.dumps(asdict(row)) + "\n")


@pytest.fixture
def photos(tmp_path: Path) -> PairSet:
    """Six pairs of noise, aligned crops in a folder."""
    rng = np.random.default_rng(0)
    for i in range(6):
        pixels = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    names = tuple(f"{i}.png" for i in range(6))
    labels = np.array([True, False] * 3)
    return PairSet("noise", names, names[::-1], labels, None, tmp_path)


def measure(photos: PairSet, out: Path, **options) -> None:
    assert photos.root is not None
    options = {"methods": ["fggb", "xssab"], "n": 6, "which": "both", **options}
    measure_fidelity(OneCell(), photos, photos.root, out=out, **AT, **options)


def test_two_processes_and_a_cut_line_give_the_rows_of_one_unbroken_run(
    photos: PairSet, tmp_path: Path
) -> None:
    measure(photos, tmp_path / "one")
    for index in (0, 1):
        measure(photos, tmp_path / "two", process=(index, 2))
        file = tmp_path / "two" / f"rows-{index}.jsonl"
        file.write_text(file.read_text()[:-30])  # killed in the middle of a line
    heard: list[tuple[int, int]] = []
    measure(photos, tmp_path / "two", process=(2, 3), steps=lambda *done: heard.append(done))
    measure(photos, tmp_path / "two")
    one, two = (read_rows(tmp_path / name) for name in ("one", "two"))
    assert [row.pair for row in one] == list(range(6))
    assert [gains(row) for row in one] == [gains(row) for row in two]
    assert all(done <= todo for done, todo in heard)


def gains(row) -> list[tuple[float, float]]:
    return [(judged.deletion_gain, judged.insertion_gain) for judged in row.methods.values()]


def test_a_folder_of_another_measurement_is_refused(photos: PairSet, tmp_path: Path) -> None:
    measure(photos, tmp_path / "out", n=2)
    with pytest.raises(FidelityRunError, match="another measurement"):
        measure(photos, tmp_path / "out", n=4)


def test_an_unknown_method_is_refused_before_any_work(photos: PairSet, tmp_path: Path) -> None:
    with pytest.raises(MethodError):
        measure(photos, tmp_path / "out", methods=["tea leaves"])


def test_the_summary_counts_what_it_averages(photos: PairSet, tmp_path: Path) -> None:
    measure(photos, tmp_path / "out")
    rows = read_rows(tmp_path / "out")
    summary = json.loads(json.dumps(summarise(tmp_path / "out")))
    mean = np.mean([row.methods["fggb"].deletion_gain for row in rows])
    assert summary["n"] == summary["methods"]["fggb"]["n_pairs"] == 6
    assert summary["methods"]["fggb"]["deletion_gain"] == pytest.approx(mean)
    assert set(summary["agreement"]) == {"fggb | xssab"}
    assert summary["settings"]["seed"] == 0
    with pytest.raises(FidelityRunError, match="No pair"):
        summarise(tmp_path)


def test_pairs_are_drawn_once_each_and_the_same_for_a_seed() -> None:
    labels = np.arange(40) < 15
    genuine = choose_pairs(labels, "genuine", 10, 3)
    assert len(set(genuine)) == 10 and labels[genuine].all()
    assert (
        genuine == choose_pairs(labels, "genuine", 10, 3) != choose_pairs(labels, "genuine", 10, 4)
    )
    both = choose_pairs(labels, "both", 20, 0)
    assert labels[both].tolist() == [True, False] * 10
    assert len(choose_pairs(labels, "impostor", 99, 0)) == 25
