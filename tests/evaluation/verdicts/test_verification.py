"""Accuracy, EER, AUC and their intervals, on scores whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.models.test_rrf import TOY_56, awake
from xfv_core.confidence.scores import error_rates
from xfv_core.evaluation.data.pairs import PairSet
from xfv_core.evaluation.verdicts.evaluate import evaluate_model
from xfv_core.evaluation.verdicts.verification import (
    additivity_error,
    auc,
    bootstrap,
    eer,
    held_out_verdicts,
    roc,
    verify,
)
from xfv_core.models.rrf import RRFNet


def test_each_fold_is_judged_by_the_threshold_of_the_others():
    s = np.array([0.9, 0.5, 0.9, 0.5, 0.1, *[0.4] * 5])  # the last fold would pull it to 0.25
    y = np.array([True, False, True, False, False, *[True] * 5])
    thresholds, same = held_out_verdicts(s, y, np.array([0, 0, 1, 1, *[2] * 6]))
    assert thresholds[2] == pytest.approx(0.7)
    assert same[4:].tolist() == [False] * 6


def test_ten_fold_accuracy_is_the_mean_over_folds_with_their_spread():
    s = np.array([0.9, 0.5, 0.9, 0.5, 0.4, 0.1])
    y = np.array([True, False] * 3)
    result = verify(s, y, folds=np.array([0, 0, 1, 1, 2, 2]))
    assert result.fold_accuracies == (1, 1, 0.5)
    assert result.accuracy == pytest.approx(5 / 6)
    assert result.accuracy_std == pytest.approx(np.std([1, 1, 0.5]))
    assert result.accuracy_interval[0] < 5 / 6 < result.accuracy_interval[1]
    assert result.best_accuracy == pytest.approx(5 / 6)
    assert result.threshold is None


def test_without_folds_the_given_threshold_is_scored():
    s, y = np.array([0.9, 0.2, 0.6, 0.1]), np.array([True, True, False, False])
    result = verify(s, y, threshold=0.5)
    assert (result.accuracy, result.threshold) == (0.5, 0.5)
    assert result.accuracy_std is None
    assert result.best_accuracy == 0.75


@pytest.mark.parametrize("rule", [{}, {"folds": np.array([0, 1]), "threshold": 0.5}])
def test_folds_and_threshold_exclude_each_other(rule):
    with pytest.raises(ValueError, match="either"):
        verify([0.1, 0.9], [False, True], **rule)


def test_auc_counts_ordered_pairs_and_half_of_the_ties():
    s, y = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    assert auc(s, y) == (1 + 1 + 0.5 + 1) / 4


def test_eer_of_one_exchanged_pair_in_four():
    s = np.array([0.9, 0.8, 0.7, 0.2, 0.6, 0.3, 0.1, 0.0])
    assert eer(s, np.repeat([True, False], 4)) == 0.25


@settings(max_examples=100, deadline=None)
@given(s=st.lists(st.floats(-1, 1, width=16), min_size=4, max_size=40))
def test_exchanging_the_classes_mirrors_the_auc(s):
    y = np.arange(len(s)) % 2 == 0
    assert auc(np.array(s), y) == pytest.approx(1 - auc(np.array(s), ~y))


@settings(max_examples=100, deadline=None)
@given(s=st.lists(st.floats(-1, 1, width=16), min_size=4, max_size=40))
def test_the_roc_rises_from_the_strictest_rule_to_all_accepted(s):
    y = np.arange(len(s)) % 2 == 0
    curve = np.array(roc(error_rates(np.array(s), y)))
    assert curve[0, 0] == 0
    assert curve[-1].tolist() == [1, 1]
    assert (np.diff(curve, axis=0) >= 0).all()


def test_the_fnmr_at_an_fmr_is_measured_at_the_lowest_threshold_that_allows_it():
    rng = np.random.default_rng(0)
    s = np.concatenate([rng.normal(0.6, 0.1, 500), rng.normal(0.1, 0.1, 1000)])
    points = verify(s, np.repeat([True, False], [500, 1000]), threshold=0.3).fnmr_at_fmr
    assert [(point.name, point.fmr, point.coarse) for point in points] == [
        ("fmr_1e-2", 0.01, False),
        ("fmr_1e-3", 0.001, True),
    ]


def test_a_bootstrap_interval_has_the_width_that_theory_gives():
    rng = np.random.default_rng(0)
    s, y = rng.random(800), np.arange(800) < 400
    ((low, high),) = bootstrap((lambda s, y: float(s[y].mean()),), s, y, seed=1)
    assert (low + high) / 2 == pytest.approx(s[y].mean(), abs=0.004)
    assert high - low == pytest.approx(2 * 1.96 * s[y].std() / np.sqrt(400), rel=0.12)


def test_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    s, y = rng.normal(size=300).round(1), rng.random(300) < 0.4
    fpr, tpr, _ = metrics.roc_curve(y, s, drop_intermediate=False)
    assert auc(s, y) == pytest.approx(metrics.roc_auc_score(y, s))
    ours = error_rates(s, y)
    np.testing.assert_allclose(ours.fmr[::-1], fpr)
    np.testing.assert_allclose(1 - ours.fnmr[::-1], tpr)


@pytest.fixture
def noise(tmp_path: Path) -> PairSet:
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 255, (112, 112, 3), np.uint8)).save(tmp_path / f"{i}.png")
    names = tuple(f"{i}.png" for i in range(4))
    labels, folds = np.array([True, False] * 2), np.array([0, 0, 1, 1])
    return PairSet("noise", names, names[::-1], labels, folds, tmp_path)


def test_a_table_of_a_model_that_adds_up_says_how_exactly(noise: PairSet) -> None:
    model = awake(RRFNet(TOY_56, name="toy"))
    error = evaluate_model(model, noise, noise.root)[1]["additivity_error"]
    assert 0 <= error < 1e-5


def test_summands_that_miss_the_similarity_show_up_in_the_additivity_error(noise: PairSet) -> None:
    class Leaky(RRFNet):
        def pair_scores(self, a, b):
            scores = super().pair_scores(a, b)
            return replace(scores, k=scores.k + 0.25 / scores.k[0].numel())

    assert noise.root is not None
    model = awake(Leaky(TOY_56, name="leaky"))
    assert additivity_error(model, noise, noise.root) == pytest.approx(0.25, abs=1e-4)
