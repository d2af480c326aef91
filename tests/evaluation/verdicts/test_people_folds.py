"""Labelled people judged by fits that have not seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.verdicts.test_pair_fit import pairs, table
from xfv_core.confidence import Calibration, fit
from xfv_core.confidence.conditional import PairCurve
from xfv_core.evaluation.verdicts.pair_blocks import draw_pairs
from xfv_core.evaluation.verdicts.pair_fit import Block, fit_pair_curve
from xfv_core.evaluation.verdicts.people_folds import HardPairs, judge_in_folds
from xfv_core.evaluation.verdicts.photos import Photos

PEOPLE, EACH, FOLDS = 12, 6, 4


@pytest.fixture(scope="module")
def hard() -> HardPairs:
    """Twelve people, six photos each; the first number of an embedding's measures names them."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(PEOPLE) * 5, EACH)
    rows = np.repeat(rng.normal(size=(PEOPLE, 16)), EACH, axis=0)
    rows += 0.8 * rng.normal(size=rows.shape)
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    measures = replace(table(rng, len(labels)), sharpness=labels.astype(float))
    photos = Photos(unit, measures, [None] * len(labels))
    ids = np.arange(len(labels))
    drawn = draw_pairs(labels, labels, 60, rng, ids, ids)
    return HardPairs("hard", photos, photos, labels, labels, drawn)


@pytest.fixture(scope="module")
def alone(hard: HardPairs) -> Calibration:
    block = hard.block()
    return fit(block.similarities, block.labels, dataset="toy", protocol="none")


def people_of(block: Block) -> set[float]:
    return set(np.concatenate([block.a.sharpness, block.b.sharpness]).tolist())


def judged(hard: HardPairs, alone: Calibration, seen: list[set[float]]) -> list:
    known = pairs(np.random.default_rng(1), n=600)
    curve = fit_pair_curve([known], known.a, known.a, "toy")

    def remembered(blocks: Sequence[Block]) -> PairCurve:
        assert blocks[0] is known and not curve.rules  # as fits come
        seen.append(people_of(blocks[1]))
        return curve

    return judge_in_folds(remembered, [known], [hard], alone, folds=FOLDS)


def test_nobody_is_judged_by_a_fit_to_them(hard: HardPairs, alone: Calibration) -> None:
    fitted: list[set[float]] = []
    rows = judged(hard, alone, fitted)
    tested = [
        {m.sharpness for row in rows if row.columns["fold"] == str(k + 1) for m in (row.a, row.b)}
        for k in range(FOLDS)
    ]
    assert all(len(people) == PEOPLE // FOLDS for people in tested)
    assert set.union(*tested) == set(hard.one.tolist())
    assert all(not a & b for a, b in zip(fitted, tested, strict=True))


def test_labels_are_those_of_the_photos_and_classes_are_even(
    hard: HardPairs, alone: Calibration
) -> None:
    rows = judged(hard, alone, [])
    assert all(row.genuine == (row.a.sharpness == row.b.sharpness) for row in rows)
    genuine = sum(row.genuine for row in rows)
    assert genuine == len(rows) - genuine == PEOPLE * EACH * (EACH - 1) // 2
    assert [row.pair for row in rows] == list(range(len(rows)))


def test_verdict_and_probability_agree_and_the_plain_curve_stands_beside(
    hard: HardPairs, alone: Calibration
) -> None:
    for row in judged(hard, alone, []):
        assert (row.similarity >= row.threshold) == (row.probability >= 0.5)
        assert row.plain == pytest.approx(float(alone.probabilities([row.similarity])[0]))


def test_without_takes_every_pair_of_these_people_out(hard: HardPairs) -> None:
    gone = np.array([0, 25])
    left, all_of_them = hard.without(gone), hard.block()
    assert not people_of(left) & set(gone.tolist())
    theirs = np.isin(all_of_them.a.sharpness, gone) | np.isin(all_of_them.b.sharpness, gone)
    assert len(left.labels) == len(all_of_them.labels) - theirs.sum()


def test_a_group_without_a_genuine_pair_has_no_rows(hard: HardPairs, alone: Calibration) -> None:
    few = hard._replace(one=np.arange(len(hard.one)))  # everybody on one photo
    assert judged(few, alone, []) == []
