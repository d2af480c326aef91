"""Scores of a probability, error rates and thresholds, on cases counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.confidence.test_confidence import scores
from xfv_core.confidence.scores import (
    at_prior,
    best_threshold,
    brier,
    chance_band,
    ece,
    eer_threshold,
    error_rates,
    fmr_threshold,
    nll,
    operating_points,
    reliability,
    score,
    wilson,
)


class TestMeasures:
    def test_nll_and_brier_by_hand(self):
        p, y = np.array([0.8, 0.4]), np.array([True, False])
        assert nll(p, y) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
        assert brier(p, y) == pytest.approx((0.04 + 0.16) / 2)

    def test_ece_by_hand_over_two_bins_of_equal_mass(self):
        p = np.array([0.9, 0.1, 0.2, 0.8])
        y = np.array([True, False, True, True])
        assert ece(p, y, bins=2) == pytest.approx((abs(0.15 - 0.5) + abs(0.85 - 1)) / 2)

    def test_ece_of_more_bins_than_pairs_is_the_mean_error(self):
        p, y = np.array([0.9, 0.2]), np.array([True, False])
        assert ece(p, y, bins=15) == pytest.approx(0.15)

    def test_the_chance_band_of_one_bin_is_that_of_a_binomial(self):
        low, high = chance_band(np.full(400, 0.5), bins=1, n_sim=4000, seed=1)
        assert low == pytest.approx(0.025 * 0.03133, abs=0.003)  # 2.5 % point of |N(0, 0.025)|
        assert high == pytest.approx(2.241 * 0.025, rel=0.06)  # and its 97.5 % point

    @pytest.mark.parametrize(("bend", "inside"), [(1.0, True), (2.0, False)])
    def test_the_chance_band_holds_true_probabilities_and_not_overconfident_ones(
        self, bend, inside
    ):
        rng = np.random.default_rng(3)
        p = rng.uniform(0.05, 0.95, 4000)
        y = rng.random(4000) < p
        shown = p**bend / (p**bend + (1 - p) ** bend)
        assert (ece(shown, y) <= chance_band(shown, n_sim=300)[1]) == inside

    def test_reliability_bins_share_the_pairs_and_rise(self):
        p, y = np.linspace(0.01, 0.99, 100), np.repeat([False, True], 50)
        bins = reliability(p, y, bins=4)
        assert [b.n for b in bins] == [25] * 4
        assert [b.genuine for b in bins] == [0, 0, 1, 1]
        assert [b.mean_p for b in bins] == sorted(b.mean_p for b in bins)

    def test_a_prior_moves_the_odds_by_its_own_odds(self):
        assert at_prior(np.array([0.5, 0.8]), 0.2) == pytest.approx([0.2, 0.5])

    def test_true_probabilities_score_well_on_a_set_of_few_genuine_pairs(self):
        s, y = scores(400, 8000)
        truth = 1 / (1 + np.exp(-(0.5 / 0.15**2) * (s - 0.35)))
        measured = score(truth, y)
        assert measured.ece <= measured.ece_band[1]
        assert measured.ece_uncertain is not None
        assert measured.ece_uncertain <= measured.ece_uncertain_band[1]
        shown = at_prior(truth, 400 / 8400)
        assert measured.n_uncertain == ((shown > 0.05) & (shown < 0.95)).sum()

    def test_too_few_uncertain_pairs_give_no_figure(self):
        p, y = np.repeat([0.99, 0.01], 100), np.repeat([True, False], 100)
        assert score(p, y).ece_uncertain is None

    def test_wilson_of_no_error_in_ten(self):
        z2 = 1.959964**2
        assert wilson(0, 10) == pytest.approx((0, z2 / (10 + z2)), abs=1e-6)


class TestThresholds:
    genuine, impostor = (0.9, 0.8, 0.7, 0.35), (0.5, 0.3, 0.2, 0.1)

    def rates(self):
        s = np.array(self.genuine + self.impostor)
        return error_rates(s, np.repeat([True, False], 4))

    def test_error_rates_run_from_all_accepted_to_none(self):
        rates = self.rates()
        assert (rates.fmr[0], rates.fnmr[0]) == (1, 0)
        assert (rates.fmr[-1], rates.fnmr[-1]) == (0, 1)
        assert (np.diff(rates.thresholds) > 0).all()

    def test_thresholds_by_hand(self):
        rates = self.rates()
        assert best_threshold(rates) == pytest.approx(0.6)  # of two equally good ones
        assert 0.35 < eer_threshold(rates) <= 0.5
        assert fmr_threshold(rates, 0.25) == pytest.approx(0.325)
        assert fmr_threshold(rates, 0.2) == pytest.approx(0.6)

    @settings(max_examples=100, deadline=None)
    @given(
        s=st.lists(st.floats(-1, 1, width=16), min_size=2, max_size=30),
        seed=st.integers(0, 99),
    )
    def test_every_threshold_has_the_rates_that_are_claimed(self, s, seed):
        y = np.random.default_rng(seed).permutation(np.arange(len(s)) % 2 == 0)
        scores = np.array(s)
        for threshold, fmr, fnmr in zip(*error_rates(scores, y), strict=True):
            assert fmr == pytest.approx((scores[~y] >= threshold).mean())
            assert fnmr == pytest.approx((scores[y] < threshold).mean())

    @pytest.mark.parametrize("low", [0.3, math.nextafter(0.3, 1)])  # an even and an odd last bit
    def test_neighbouring_floats_are_still_told_apart(self, low):
        s, y = np.array([low, math.nextafter(low, 1)]), np.array([False, True])
        rates = error_rates(s, y)
        assert (rates.fmr[1], rates.fnmr[1]) == (0, 0)
        assert (s >= rates.thresholds[1]).tolist() == [False, True]

    def test_points_that_rest_on_few_errors_are_coarse(self):
        points = {point.name: point for point in operating_points(*scores(), balanced=0.35)}
        assert list(points) == ["balanced", "best_accuracy", "eer", "fmr_1e-2", "fmr_1e-3"]
        assert [p.name for p in points.values() if p.coarse] == ["fmr_1e-3"]  # 1 of 1,000
        assert points["fmr_1e-2"].fmr == pytest.approx(0.01)
        assert points["fmr_1e-3"].fmr == pytest.approx(0.001)
        low, high = points["eer"].fnmr_interval
        assert low < points["eer"].fnmr < high
