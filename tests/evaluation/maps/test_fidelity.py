"""Fidelity over a data set: the same chance for all methods, areas under the accuracy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.evaluation.noise import noise_pairs
from tests.explain.toys import CELL, SIDE, OneCell
from xfv_core.evaluation.maps.fidelity import (
    PairRow,
    judge_pair,
    measure_fidelity,
    summarise,
)
from xfv_core.evaluation.maps.rows import RowsError, read_rows
from xfv_core.evaluation.maps.study import Study
from xfv_core.explain.base import Cost, Maps
from xfv_core.explain.fidelity import area

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

    (tmp_path / "settings.json").write_text('{"methods": ["right"], "seed": 0}')
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
    assert half > by_hand.mean()  # no area is below 0
    assert both["deletion_interval"] == pytest.approx((0, by_hand.mean() + half))


def write_rows(out: Path, row: PairRow) -> None:
    with (out / "rows-0.jsonl").open("a") as file:
        file.write(json.dumps(asdict(row)) + "\n")


def test_the_size_of_the_cells_is_part_of_the_measurement(tmp_path: Path) -> None:
    study = Study(
        OneCell(), noise_pairs(tmp_path), tmp_path, ["xssab"], threshold=0.3, decide_at=0.5, n=4,
    )  # fmt: skip
    found = {}
    for cells in (14, 7):
        measure_fidelity(study, tmp_path / str(cells), cells=cells)
        found[cells] = summarise(tmp_path / str(cells))
    assert "7 x 7 cells" in found[7]["protocol"] and "14 x 14 cells" in found[14]["protocol"]
    assert "--cells 7" in found[7]["command"] and "--cells" not in found[14]["command"]
    assert found[7]["methods"]["xssab"] != found[14]["methods"]["xssab"]
    with pytest.raises(RowsError, match="another measurement"):
        measure_fidelity(study, tmp_path / "7", cells=14)


def test_the_summary_counts_what_it_averages(tmp_path: Path) -> None:
    photos = noise_pairs(tmp_path)
    study = Study(OneCell(), photos, tmp_path, ["fggb", "xssab"], n=6, **AT)
    measure_fidelity(study, tmp_path / "out", kind="dissimilar")
    rows = read_rows(tmp_path / "out", PairRow)
    summary = json.loads(json.dumps(summarise(tmp_path / "out")))
    gains = [row.methods["fggb"].deletion_gain for row in rows]
    mean, half = np.mean(gains), 1.96 * np.std(gains) / len(gains) ** 0.5
    assert summary["n"] == summary["methods"]["fggb"]["n_pairs"] == 6
    assert summary["methods"]["fggb"]["deletion_gain"] == pytest.approx(mean)
    interval = summary["methods"]["fggb"]["deletion_gain_interval"]
    assert interval == pytest.approx((mean - half, mean + half))
    curve = np.array(summary["methods"]["fggb"]["deletion_curve"])
    assert 100 * area(curve) == pytest.approx(summary["methods"]["fggb"]["deletion"])
    assert set(summary["agreement"]) == {"fggb | xssab"}
    assert "--kind dissimilar --n 6 --seed 0 --method fggb" in summary["command"]
