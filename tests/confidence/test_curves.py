"""The curves from similarity to probability: what they may be, and that fits find them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.confidence.test_confidence import scores
from xfv_core.confidence import (
    CalibrationError,
    PlattCurve,
    XFaceCurve,
    fit,
)
from xfv_core.confidence.curves import grid_threshold, hard_labels, posterior, raw_xface


class TestCurves:
    def test_platt_finds_the_logistic_curve_of_two_normal_classes(self):
        curve = PlattCurve.fit(*scores(20_000, 20_000))
        assert curve.slope == pytest.approx((0.6 - 0.1) / 0.15**2, rel=0.04)
        assert curve.crossing() == pytest.approx(0.35, abs=0.004)

    def test_xface_finds_the_same_curve_from_the_histograms(self):
        curve = XFaceCurve.fit(*scores(20_000, 20_000))
        assert curve.k == pytest.approx((0.6 - 0.1) / 0.15**2, rel=0.06)
        assert curve.crossing() == pytest.approx(0.35, abs=0.004)
        assert curve.a + curve.c > 0.99

    @pytest.mark.parametrize("curve", [XFaceCurve, PlattCurve])
    def test_the_curve_does_not_depend_on_how_many_pairs_each_class_has(self, curve):
        s, y = scores(2000, 2000)
        more_s, more_y = (np.concatenate([all_, *[all_[~y]] * 4]) for all_ in (s, y))
        grid = np.linspace(0, 0.8, 50)
        np.testing.assert_allclose(
            curve.fit(s, y)(grid), curve.fit(more_s, more_y)(grid), atol=5e-3
        )

    @pytest.mark.parametrize("changed", [{"k": 1.1}, {"k": 0.9}, {"x0": 1.01}, {"x0": 0.99}])
    def test_the_xface_fit_is_the_least_squares_one_with_bins_weighed_by_their_pairs(self, changed):
        s, y = scores(400, 400)
        d, r, mass = posterior(s, y)

        def loss(curve: XFaceCurve) -> float:
            return float(np.nansum(mass * (curve(1 - d) - r) ** 2))

        best = XFaceCurve.fit(s, y)
        moved = {name: getattr(best, name) * factor for name, factor in changed.items()}
        assert loss(best) < loss(replace(best, **moved))

    @settings(max_examples=30, deadline=None)
    @given(
        seed=st.integers(0, 10_000),
        n=st.integers(20, 300),
        gap=st.floats(0.02, 0.5),
        spread=st.floats(0.02, 0.3),
    )
    def test_a_fitted_curve_stays_in_the_unit_interval_and_rises(self, seed, n, gap, spread):
        s, y = scores(n, n, 0.1 + gap, 0.1, spread, seed)
        fitters = (
            (PlattCurve.fit,) if s[y].min() > s[~y].max() else (PlattCurve.fit, XFaceCurve.fit)
        )
        for fitter in fitters:
            p = fitter(s, y)(np.linspace(-1, 1, 201))
            assert p.min() >= 0
            assert p.max() <= 1
            assert (np.diff(p) >= 0).all()

    @pytest.mark.parametrize(
        "parameters",
        [
            {"a": 1.0, "k": 20.0, "x0": 0.6, "c": 0.01},  # above 1
            {"a": 0.9, "k": 20.0, "x0": 0.6, "c": -0.01},
            {"a": 0.9, "k": -20.0, "x0": 0.6, "c": 0.0},  # rises with distance
            {"a": 0.4, "k": 20.0, "x0": 0.6, "c": 0.0},  # never reaches 0.5
            {"a": 0.4, "k": 20.0, "x0": math.nan, "c": 0.3},
            {"a": 0.9, "k": 20.0, "x0": 2.1, "c": 0.0},  # cosine distances end at 2
            {"a": 0.9, "k": math.inf, "x0": 0.6, "c": 0.0},
        ],
    )
    def test_an_xface_curve_that_is_no_probability_is_refused(self, parameters):
        with pytest.raises(CalibrationError):
            XFaceCurve(**parameters)

    @pytest.mark.parametrize("parameters", [(0.0, 1.0), (-5.0, 1.0), (5.0, math.inf)])
    def test_a_platt_curve_that_does_not_rise_is_refused(self, parameters):
        with pytest.raises(CalibrationError, match="rise"):
            PlattCurve(*parameters)

    def test_the_xface_fit_finds_the_floor_that_genuine_pairs_among_impostors_leave(self):
        s, y = scores(20_000, 20_000)
        s[:2_000] = scores(0, 2_000, seed=1)[0]  # a tenth: P(same | far) is 0.1 / 1.1
        assert XFaceCurve.fit(s, y).c == pytest.approx(0.1 / 1.1, abs=0.02)

    def test_separable_pairs_get_a_finite_platt_curve_with_smoothed_targets(self):
        s, y = np.repeat([0.9, 0.1], 50), np.repeat([True, False], 50)
        curve = PlattCurve.fit(s, y)
        np.testing.assert_allclose(curve([0.9, 0.1]), [51 / 52, 1 / 52], rtol=1e-4)

    def test_separable_pairs_are_calibrated_by_platt(self):
        s = np.concatenate([np.linspace(0.6, 0.9, 40), np.linspace(0.0, 0.3, 40)])
        calibration = fit(s, np.repeat([True, False], 40), dataset="", protocol="")
        assert calibration.curve == "platt"
        assert "xface" not in calibration.comparison

    def test_the_posterior_of_a_bin_compares_densities_not_counts(self):
        s = np.array([0.5, 0.5, 0.9, 0.9, 0.5, 0.1])
        d, r, mass = posterior(s, np.array([True] * 4 + [False] * 2))
        middle = int(np.argmin(np.abs(d - 0.5)))
        near = slice(middle - 1, middle + 2)
        assert np.nanmax(r[near]) == 0.5
        assert mass.sum() == pytest.approx(2)
        assert np.isnan(r[mass == 0]).all()

    def test_the_grid_threshold_is_the_first_best_distance(self):
        s = np.array([0.9, 0.8, 0.3, 0.2])
        assert grid_threshold(s, np.array([True, True, False, False])) == pytest.approx(
            0.2, abs=1e-3
        )

    def test_the_raw_recipe_and_hard_labels_are_steps_on_well_separated_pairs(self):
        s, y = scores(300, 300, 0.8, 0.0, 0.1)
        s[0] = 0.0  # one genuine pair among the impostors
        low, high = np.array([0.0]), np.array([0.8])
        assert raw_xface(s, y)(low) < 0.1 < 0.9 < raw_xface(s, y)(high)
        assert hard_labels(s, y)(np.array([0.0, 0.8])).tolist() == [0, 1]
