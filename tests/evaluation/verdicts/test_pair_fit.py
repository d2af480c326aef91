"""Fitting the curve that takes measures, on pairs whose law is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from xfv_core.confidence.measures import Table
from xfv_core.evaluation.data.degrade import KINDS, SETTINGS, UNSEEN, Setting, degraded
from xfv_core.evaluation.verdicts.cohorts import BYTES, FEWEST, centres, logistic
from xfv_core.evaluation.verdicts.conditional import people_of
from xfv_core.evaluation.verdicts.pair_blocks import alike_pairs, draw_pairs
from xfv_core.evaluation.verdicts.pair_fit import Block, fit_gap, fit_pair_curve


def table(rng: np.random.Generator, n: int, norm: np.ndarray | None = None) -> Table:
    zeros = np.zeros(n)
    norm = rng.uniform(6, 14, n) if norm is None else norm
    return Table(norm, rng.normal(2.5, 0.3, n), rng.uniform(0.2, 0.6, n), zeros + 0.3, zeros, zeros)


def pairs(rng: np.random.Generator, n: int = 6000, alike: str = "") -> Block:
    """Pairs whose bar is 0.1 + typicality of the higher, at a slope of 15."""
    a, b = table(rng, n), table(rng, n)
    s = rng.uniform(-0.2, 1, n)
    bar = 0.1 + np.maximum(a.typicality, b.typicality)
    y = rng.random(n) < expit(15 * (s - bar))
    return Block("lfw", s, a, b, y, 1.0, np.ones(n), np.full(n, alike))


@pytest.fixture(scope="module")
def curve_and_block():
    rng = np.random.default_rng(0)
    block = pairs(rng)
    return fit_pair_curve([block], block.a, block.a, "toy"), block


def test_the_fit_finds_what_moves_the_bar(curve_and_block):
    curve, _ = curve_and_block
    moved = {(t.measure, t.side): t.bar for t in curve.terms}
    assert moved["typicality", "higher"] == pytest.approx(1, abs=0.15)
    assert abs(moved["typicality", "lower"]) < 0.15
    assert abs(moved["norm", "lower"]) < 0.01


def test_the_fitted_probability_is_honest(curve_and_block):
    curve, _ = curve_and_block
    test = pairs(np.random.default_rng(1))
    p = curve.probabilities(test.similarities, curve.bars(test.a, test.b))
    weight = np.where(test.labels, 0.5 / test.labels.mean(), 0.5 / (~test.labels).mean())
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9)):
        rows = (p > low) & (p < high)
        share = np.average(test.labels[rows], weights=weight[rows])
        assert share == pytest.approx(p[rows].mean(), abs=0.06)


def test_the_cap_counts_the_pairs_of_the_rarer_class(curve_and_block):
    curve, block = curve_and_block
    assert curve.cap == 1 - 1 / (min(block.labels.sum(), (~block.labels).sum()) + 2)


def test_the_gap_leaves_few_strangers_that_were_degraded_alike(curve_and_block):
    curve, _ = curve_and_block
    rng = np.random.default_rng(2)
    n = 4000
    poor = table(rng, n, rng.uniform(3, 5, n))
    s, y = rng.normal(0.6, 0.2, n), np.zeros(n, bool)
    block = Block("lfw", s, poor, poor, y, 1.0, np.ones(n), np.full(n, "blur"))
    gap = fit_gap(curve, [block])

    before, after = (
        (s >= each.bars(poor, poor).upper).mean() for each in (curve, replace(curve, gap=gap))
    )
    assert before > 0.1
    assert after <= 0.006


def test_strangers_blurred_alike_get_a_gap_of_their_own_though_their_norms_are_good(
    curve_and_block,
):
    curve, _ = curve_and_block
    rng = np.random.default_rng(3)
    n = 4000
    blurred = replace(table(rng, n, rng.uniform(11, 14, n)), sharpness=rng.uniform(0.3, 0.6, n))
    s, y = rng.normal(0.6, 0.2, n), np.zeros(n, bool)
    block = Block("lfw", s, blurred, blurred, y, 1.0, np.ones(n), np.full(n, "blur"))
    gap = fit_gap(curve, [block])
    after = replace(curve, gap=gap).bars(blurred, blurred)
    assert gap.same == 0 < gap.unsharp
    assert (s >= after.upper).mean() <= 0.006
    sharp = replace(blurred, sharpness=np.full(n, 2.5))
    np.testing.assert_array_equal(
        replace(curve, gap=gap).bars(blurred, sharp).upper, curve.bars(blurred, sharp).upper
    )


def test_centres_are_means_of_three_photos_or_more():
    rng = np.random.default_rng(0)
    rows = np.repeat(np.eye(6), 3, axis=0) + rng.normal(0, 0.01, (18, 6))
    alone = np.vstack([rows, -np.ones((1, 6))]).astype(np.float32)
    found = centres(alone / np.linalg.norm(alone, axis=1, keepdims=True), 7)
    assert 0 < len(found) <= 6 and FEWEST == 3
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)
    assert (found.sum(1) > 0).all()  # the lonely one is in none


def test_the_cover_regression_separates_what_can_be_separated():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (400, 3))
    y = x[:, 1] > 0
    w = logistic(x, y)
    assert ((x @ w[:-1] + w[-1] > 0) == y).mean() > 0.97


def test_every_degradation_keeps_the_crops_shape_and_is_repeatable():
    crops = np.random.default_rng(0).integers(0, 255, (1, 112, 112, 3), np.uint8)
    for setting in (*SETTINGS, *UNSEEN):
        one, again = degraded(crops, [setting], 3), degraded(crops, [setting], 3)
        assert one.shape == crops.shape and np.array_equal(one, again)
        assert not np.array_equal(one, crops)
    assert {setting.kind for setting in (*SETTINGS, *UNSEEN)} == set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_crop_that_goes_on_below_is_degraded_over_its_whole_length(kind):
    crop = np.random.default_rng(0).integers(0, 255, (1, 120, 112, 3), dtype=np.uint8)
    strength = next(s for s in (*SETTINGS, *UNSEEN) if s.kind == kind)
    assert degraded(crop, [strength], 0).shape == crop.shape


def test_pairs_are_of_two_photos_and_as_labelled():
    who = np.array([0, 0, 0, 1, 1, 2])
    ids = np.arange(6)
    found = draw_pairs(who, who, 4, np.random.default_rng(0), ids, ids)
    assert (found.a != found.b).all()
    assert np.array_equal(who[found.a] == who[found.b], found.labels)
    genuine = [tuple(sorted(pair)) for pair in zip(found.a[:4], found.b[:4], strict=True)]
    assert len(set(genuine)) == 4  # all that there are


def test_photos_degraded_alike_are_paired():
    settings = [Setting("blur", 2, True), Setting("mask"), Setting("blur", 2, True)]
    found = alike_pairs(settings, np.array([0, 0, 1]), np.random.default_rng(0))
    assert (found.a.tolist(), found.b.tolist(), found.labels.tolist()) == ([0], [2], [False])


def test_people_are_named_by_remainders():
    assert people_of("8:0,3") == (8, (0, 3))
    assert people_of("") is None


def test_a_cohort_stays_within_two_megabytes():
    assert BYTES < 2_000_000
