"""A measurement over pairs: sampled by a seed, shared out, resumed after a kill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.noise import noise_pairs
from tests.explain.toys import OneCell
from xfv_core.evaluation.data.pairs import PhotoStore
from xfv_core.evaluation.maps.rows import RowsError, read_rows, settings_of
from xfv_core.evaluation.maps.study import (
    Study,
    StudyError,
    choose_pairs,
    explainers_by_name,
    finished_rows,
    head,
    mean_interval,
    work_through,
)
from xfv_core.explain import Method, MethodError
from xfv_core.explain.occlusion import Occlusion
from xfv_core.explain.random_map import RandomMap


@dataclass(frozen=True)
class Mean:
    pair: int
    brightness: float
    seed: int


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(
        OneCell(), noise_pairs(tmp_path), tmp_path, ["random"], threshold=0.3, decide_at=0.5, n=6
    )


def measure(study: Study, out: Path, **shared) -> list[Mean]:
    def judge(store: PhotoStore, i: int, explainers: Mapping[str, Method]) -> Mean:
        a, b = study.crops(store, i)
        method = explainers["random"]
        assert isinstance(method, RandomMap)
        return Mean(i, float((a + b).mean()), method.seed)

    work_through(study, out, judge, **shared)
    return read_rows(out, Mean)


def test_two_processes_and_a_cut_line_give_the_rows_of_one_unbroken_run(
    study: Study, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    whole = measure(study, one)
    for index in (0, 1):
        measure(study, two, process=(index, 2))
        file = two / f"rows-{index}.jsonl"
        file.write_text(file.read_text()[:-10])  # killed in the middle of a line
    assert len(read_rows(two, Mean)) == 4
    reported: list[tuple[int, int]] = []
    measure(study, two, process=(2, 3), steps=lambda *done: reported.append(done))
    assert measure(study, two) == whole
    assert [row.pair for row in whole] == list(range(6))
    assert all(done <= todo for done, todo in reported)


def test_a_map_drawn_by_lot_is_another_one_for_every_pair(study: Study, tmp_path: Path) -> None:
    assert all(row.seed == row.pair for row in measure(study, tmp_path / "out"))


def test_a_folder_of_another_measurement_is_refused(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    measure(study, out)
    for other in (replace(study, seed=1), replace(study, weights="others")):
        with pytest.raises(RowsError, match="another measurement"):
            measure(other, out)


def test_more_pairs_go_on_from_fewer(study: Study, tmp_path: Path) -> None:
    out, reported = tmp_path / "out", []
    measure(replace(study, n=4), out)
    more = measure(study, out, steps=lambda *done: reported.append(done))
    assert more == measure(study, tmp_path / "at once")
    assert reported == [(1, 2), (2, 2)] and settings_of(out)["n"] == study.n


def test_an_unknown_method_is_refused_before_any_work(study: Study, tmp_path: Path) -> None:
    with pytest.raises(MethodError):
        measure(replace(study, methods=["tea leaves"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_row_no_summary(study: Study, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="No pair"):
        finished_rows(tmp_path, Mean)


def test_the_head_says_command_protocol_versions_and_no_path(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rows = measure(study, out)
    found = head(settings_of(out), "sanity", "how", len(rows))
    assert found["command"] == (
        f"python -m xfv_core sanity --model one cell --pairs noise --images {tmp_path.name} "
        "--on both --n 6 --seed 0 --method random"
    )
    assert (found["protocol"], found["n"], found["seed"]) == ("how", 6, 0)
    assert {"xfv", "torch", "python"} <= set(found["settings"]["versions"])
    assert str(tmp_path) not in json.dumps(found)


def test_the_head_of_a_calibration_has_no_seed_and_every_label() -> None:
    settings = {"model": "one", "people": "8:0,1", "mixed": [3, 5], "images": False, "seed": 0}
    assert head(settings, "calibrate", "how", 1)["command"] == (
        "python -m xfv_core calibrate --model one --people 8:0,1 --mixed 3 --mixed 5"
    )


def test_a_method_takes_a_preset_or_options_by_name() -> None:
    names = ["occlusion:fast", "occlusion:standard,mode=3"]
    fast, third = explainers_by_name(names).values()
    assert fast == Occlusion(preset="fast") and third == Occlusion(preset="standard", mode=3)


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    mean, (low, high) = mean_interval([1.0, 3.0])
    half = 1.96 / np.sqrt(2)
    assert mean == 2 and (low, high) == pytest.approx((2 - half, 2 + half))
    assert mean_interval([1.0, 3.0], within=(1, 9))[1] == pytest.approx((1, 2 + half))


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
