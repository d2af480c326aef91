"""Two results on different pairs, joined, are the result of all those pairs."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.noise import noise_pairs
from tests.explain.test_fidelity import OneCell
from xfv_core.evaluation.maps.fidelity import (
    Judged,
    PairRow,
    measure_fidelity,
    pair_row,
    summarise,
)
from xfv_core.evaluation.maps.joined import added, joined
from xfv_core.evaluation.maps.study import Study, StudyError, read_rows


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(
        OneCell(), noise_pairs(tmp_path), tmp_path, ["fggb", "xssab", "random"],
        threshold=0.3, decide_at=0.5, n=6,
    )  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Equal but for rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == (pytest.approx(other, abs=1e-9) if isinstance(one, float) else other)


def drawn_rows(n: int, methods: list[str], seed: int) -> list[PairRow]:
    """Rows that some measurement could have written."""
    rng = np.random.default_rng(seed)

    def judged() -> Judged:
        gains, curves = rng.normal(0, 0.2, 2).tolist(), rng.choice([0, 0.5, 1], (2, 11)).tolist()
        return Judged(bool(rng.random() < 0.3), *gains, *curves, int(rng.integers(9)), 0.5)

    def agreement() -> float | None:
        return float(rng.uniform(-1, 1)) if rng.random() < 0.7 else None

    pairs = list(combinations(methods, 2))
    return [
        PairRow(
            i, bool(i % 2), rng.random(11).tolist(), {name: judged() for name in methods},
            {f"{one} | {other}": agreement() for one, other in pairs},
        )
        for i in range(n)
    ]  # fmt: skip


def result_of(rows: list[PairRow], out: Path, *, skip: int = 0, **more: Any) -> dict[str, Any]:
    """What a measurement with these rows says."""
    out.mkdir(parents=True)
    methods = list(rows[0].methods)
    n = skip + len(rows)
    told = {"seed": 0, "methods": methods, "n": n, "skip": skip or False, **more}
    (out / "settings.json").write_text(json.dumps(told))
    (out / "rows-0.jsonl").write_text("\n".join(json.dumps(asdict(row)) for row in rows))
    return json.loads(json.dumps(summarise(out)))


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 30), st.integers(4, 30), st.integers(0, 10**6))
def test_pairs_measured_in_two_goes_give_the_result_of_one(n: int, more: int, seed: int) -> None:
    rows = drawn_rows(n + more, ["fggb", "xssab", "random"], seed)
    with TemporaryDirectory() as folder:
        first, rest, whole = (
            result_of(part, Path(folder, name), skip=skip)
            for name, part, skip in (
                ("first", rows[:n], 0), ("rest", rows[n:], n), ("whole", rows, 0),
            )
        )  # fmt: skip
    assert same(joined(first, rest), whole)
    assert not same(first["methods"], whole["methods"])


@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_an_interval_without_width_has_none_behind_it(constant: float, tmp_path: Path) -> None:
    rows = drawn_rows(9, ["fggb"], 1)
    still = Judged(False, 0.0, 0.0, [constant] * 11, [constant] * 11, 1, 0.5)
    rows = [replace(row, methods={"fggb": still}) if row.pair < 5 else row for row in rows]
    first, rest = result_of(rows[:5], tmp_path / "1"), result_of(rows[5:], tmp_path / "2", skip=5)
    assert same(joined(first, rest), result_of(rows, tmp_path / "3"))


def test_a_method_left_out_of_later_pairs_keeps_its_own(tmp_path: Path) -> None:
    rows = drawn_rows(12, ["fggb", "xssab"], 2)
    fewer = [replace(r, methods={"xssab": r.methods["xssab"]}, agreement={}) for r in rows]
    first, rest = result_of(rows[:5], tmp_path / "1"), result_of(fewer[5:], tmp_path / "2", skip=5)
    whole = result_of(fewer, tmp_path / "3")
    found = joined(first, rest)
    assert same(found["methods"]["xssab"], whole["methods"]["xssab"])
    assert same(found["random"], whole["random"])
    assert found["methods"]["fggb"] == first["methods"]["fggb"]
    assert found["n"] == 12 and found["methods"]["fggb"]["n_pairs"] == 5
    assert found["command"] == f"{first['command']} --result A && {rest['command']} --onto A"


def only(rows: list[PairRow], *methods: str) -> list[PairRow]:
    """The rows of a measurement of these methods alone."""
    return [
        replace(
            row,
            methods={name: row.methods[name] for name in methods},
            agreement={k: v for k, v in row.agreement.items() if set(k.split(" | ")) <= {*methods}},
        )
        for row in rows
    ]


def test_a_method_that_lags_behind_catches_up(tmp_path: Path) -> None:
    rows = drawn_rows(12, ["fggb", "xssab"], 6)
    first = result_of(only(rows, "xssab"), tmp_path / "1")
    few = added(first, result_of(only(rows[:5], "fggb"), tmp_path / "2"))
    assert few["methods"]["fggb"]["n_pairs"] == 5 and few["n"] == 12
    found = joined(few, result_of(only(rows[5:], "fggb"), tmp_path / "3", skip=5))
    whole = result_of(rows, tmp_path / "4")
    assert same(found["methods"], dict(sorted(whole["methods"].items(), reverse=True)))
    assert same(found["random"], whole["random"])
    assert found["added"] == few["added"], "it still says where the method was measured"
    more = result_of(only(drawn_rows(14, ["fggb"], 6)[5:], "fggb"), tmp_path / "5", skip=5)
    with pytest.raises(StudyError, match="Go on to 12 pairs first"):
        joined(few, more)


def test_a_new_method_joins_what_is_known_of_the_same_pairs(tmp_path: Path) -> None:
    rows = drawn_rows(8, ["fggb", "xssab", "random"], 7)
    first = result_of(only(rows, "fggb", "random"), tmp_path / "1")
    other = [replace(row, methods=row.methods | {"fggb": row.methods["xssab"]}) for row in rows]
    more = result_of(only(other, "fggb", "xssab"), tmp_path / "2", versions={"torch": "9"}, gpu="X")
    found, whole = added(first, more), result_of(rows, tmp_path / "3")
    assert same(found["methods"]["xssab"], whole["methods"]["xssab"])
    assert found["methods"]["fggb"] == first["methods"]["fggb"], "what is known stays"
    assert same(found["agreement"]["fggb | xssab"], whole["agreement"]["fggb | xssab"])
    assert found["agreement"]["fggb | random"] == first["agreement"]["fggb | random"]
    assert found["added"] == [
        {"bfloat16": None, "versions": {"torch": "9"}, "gpu": "X", "methods": ["xssab"]}
    ]
    assert found["command"] == f"{first['command']} --result A && {more['command']} --into A"


@pytest.mark.parametrize(
    ("n", "changes", "said"),
    [(8, {"skip": 1}, "the same pairs"), (9, {}, "the same pairs"), (8, {"seed": 1}, "another")],
)
def test_a_method_of_other_pairs_is_not_added(
    n: int, changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    rows = drawn_rows(9, ["fggb", "xssab"], 8)
    first = result_of(only(rows[:8], "fggb"), tmp_path / "1")
    with pytest.raises(StudyError, match=said):
        added(first, result_of(only(rows[:n], "xssab"), tmp_path / "2", **changes))


def test_pairs_that_are_skipped_are_not_measured_again(study: Study, tmp_path: Path) -> None:
    parts = {skip: n for skip, n in ((0, 4), (4, 6))}
    for skip, n in parts.items():
        measure_fidelity(replace(study, skip=skip, n=n), tmp_path / str(skip))
    measure_fidelity(study, tmp_path / "whole")
    first, rest, whole = (
        [row.pair for row in read_rows(tmp_path / name, pair_row)] for name in ("0", "4", "whole")
    )
    assert sorted([*first, *rest]) == whole and len(rest) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"skip": 6}, "measured on 5 pairs there, but --skip is 6"),
        ({}, "--skip is 0"),
        ({"seed": 1, "skip": 5}, "another measurement"),
        ({"weights": "others", "skip": 5}, "another measurement"),
    ],
)
def test_results_that_do_not_fit_together_are_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    rows = drawn_rows(9, ["fggb"], 3)
    first = result_of(rows[:5], tmp_path / "1")
    with pytest.raises(StudyError, match=said):
        joined(first, result_of(rows[5:], tmp_path / "2", **changes))


def test_a_method_of_which_nothing_is_known_cannot_go_on(tmp_path: Path) -> None:
    rows = drawn_rows(9, ["fggb", "xssab"], 4)
    known = [replace(r, methods={"fggb": r.methods["fggb"]}, agreement={}) for r in rows]
    first, rest = result_of(known[:5], tmp_path / "1"), result_of(rows[5:], tmp_path / "2", skip=5)
    with pytest.raises(StudyError, match="xssab was measured on 0 pairs"):
        joined(first, rest)


def test_an_interval_cut_on_both_sides_says_nothing_of_its_spread(tmp_path: Path) -> None:
    rows = drawn_rows(8, ["fggb"], 5)
    never = [0] * 11  # right for the impostor pair, wrong for the genuine one
    apart = [
        replace(row, methods={"fggb": replace(row.methods["fggb"], deletion=never)}) for row in rows
    ]
    rest = result_of(apart[2:], tmp_path / "2", skip=2)
    with pytest.raises(StudyError, match="too few"):
        joined(result_of(apart[:2], tmp_path / "1"), rest)
