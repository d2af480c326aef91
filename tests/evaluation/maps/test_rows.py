"""Rows of a measurement: kept as Parquet, and gone on from with more pairs or other methods."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.evaluation.noise import noise_pairs
from tests.explain.toys import OneCell
from xfv_core.evaluation.maps import fidelity, patch_lfw
from xfv_core.evaluation.maps.rows import (
    RowsError,
    keep_rows,
    read_rows,
    same_measurement,
    settings_of,
    take_up,
)
from xfv_core.evaluation.maps.study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(
        OneCell(), noise_pairs(tmp_path), tmp_path, ["fggb", "xssab", "random"],
        threshold=0.3, decide_at=0.5, n=6,
    )  # fmt: skip


def timeless(summary: Any) -> Any:
    """A summary without what depends on the clock."""
    if isinstance(summary, dict):
        return {k: timeless(v) for k, v in summary.items() if k != "seconds_per_pair"}
    return summary


def test_a_summary_from_the_kept_file_is_the_one_from_the_lines(
    study: Study, tmp_path: Path
) -> None:
    out, kept, elsewhere = tmp_path / "out", tmp_path / "rows" / "x.parquet", tmp_path / "other"
    fidelity.measure_fidelity(study, out)
    keep_rows(out, kept)
    take_up(elsewhere, kept)
    assert fidelity.summarise(elsewhere) == fidelity.summarise(out)
    assert not list(elsewhere.glob("*.jsonl"))
    assert pq.read_table(kept).num_rows == 6


def test_pairs_measured_in_two_goes_on_two_machines_give_the_figures_of_one(
    study: Study, tmp_path: Path
) -> None:
    kept = tmp_path / "x.parquet"
    fidelity.measure_fidelity(replace(study, n=2), tmp_path / "first")
    keep_rows(tmp_path / "first", kept)
    take_up(tmp_path / "second", kept)
    steps: list[tuple[int, int]] = []
    fidelity.measure_fidelity(study, tmp_path / "second", steps=lambda *s: steps.append(s))
    fidelity.measure_fidelity(study, tmp_path / "whole")
    assert steps[-1] == (4, 4)
    two, one = fidelity.summarise(tmp_path / "second"), fidelity.summarise(tmp_path / "whole")
    assert timeless(two) == timeless(one)


def test_a_method_added_later_is_measured_alone_and_changes_no_other(
    study: Study, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    fidelity.measure_fidelity(replace(study, methods=["fggb"]), out)
    first = fidelity.summarise(out)
    keep_rows(out, tmp_path / "x.parquet")
    take_up(tmp_path / "more", tmp_path / "x.parquet")
    fidelity.measure_fidelity(replace(study, methods=["xssab"], n=4), tmp_path / "more")
    found = fidelity.summarise(tmp_path / "more")
    assert list(found["methods"]) == ["fggb", "xssab"]
    assert found["methods"]["fggb"] == first["methods"]["fggb"]
    assert (found["n"], found["methods"]["xssab"]["n_pairs"]) == (6, 4)
    assert found["settings"]["methods"] == ["fggb", "xssab"]
    assert found["random"] == first["random"]


def test_replacement_rows_come_back_from_parquet_too(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    patch_lfw.measure_patches(replace(study, which="impostor", n=4), out)
    before = read_rows(out, patch_lfw.PatchRow)
    keep_rows(out, tmp_path / "x.parquet")
    take_up(tmp_path / "other", tmp_path / "x.parquet")
    after = read_rows(tmp_path / "other", patch_lfw.PatchRow)
    assert after == before and len(after) > 1


def test_work_that_has_begun_is_not_overwritten_by_kept_rows(study: Study, tmp_path: Path) -> None:
    fidelity.measure_fidelity(study, tmp_path / "out")
    keep_rows(tmp_path / "out", tmp_path / "x.parquet")
    same_measurement(tmp_path / "other", replace(study, seed=5).settings)
    take_up(tmp_path / "other", tmp_path / "x.parquet")
    assert settings_of(tmp_path / "other")["seed"] == 5
    assert not read_rows(tmp_path / "other", fidelity.PairRow)


def test_another_machine_is_named_with_what_it_measured(study: Study, tmp_path: Path) -> None:
    settings = study.settings
    same_measurement(tmp_path, settings)
    there = {**settings, "gpu": "a GPU", "methods": ["gradcam"]}
    for _ in range(2):
        same_measurement(tmp_path, there)
    noted = settings_of(tmp_path)
    (added,) = noted["added"]
    assert added["gpu"] == "a GPU" and added["methods"] == ["gradcam"]
    assert noted["methods"] == [*settings["methods"], "gradcam"]


@pytest.mark.parametrize("changed", [{"seed": 1}, {"weights": "others"}, {"kind": "dissimilar"}])
def test_rows_of_another_measurement_are_refused(
    study: Study, tmp_path: Path, changed: dict[str, Any]
) -> None:
    same_measurement(tmp_path, study.settings)
    with pytest.raises(RowsError, match="another measurement"):
        same_measurement(tmp_path, {**study.settings, **changed})


def test_parquet_that_no_measurement_wrote_is_refused(study: Study, tmp_path: Path) -> None:
    fidelity.measure_fidelity(replace(study, n=2), tmp_path / "out")
    keep_rows(tmp_path / "out", tmp_path / "x.parquet")
    bare = pq.read_table(tmp_path / "x.parquet").replace_schema_metadata({})
    pq.write_table(bare, tmp_path / "x.parquet")
    with pytest.raises(RowsError, match="does not say"):
        take_up(tmp_path / "other", tmp_path / "x.parquet")


def test_a_row_with_a_column_too_many_is_refused(study: Study, tmp_path: Path) -> None:
    fidelity.measure_fidelity(replace(study, n=2), tmp_path / "out")
    file = tmp_path / "out" / "rows-0.jsonl"
    rows = [json.loads(line) for line in file.read_text().split("\n") if line]
    file.write_text("\n".join(json.dumps({**row, "mood": "good"}) for row in rows))
    with pytest.raises(Exception, match="row: unknown key 'mood'"):
        read_rows(tmp_path / "out", fidelity.PairRow)
