"""Calibration: curves, a verdict that cannot contradict its number, measures, the JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xfv_core.confidence import (
    Calibration,
    CalibrationError,
    PlattCurve,
    XFaceCurve,
    cross_validated,
    decide,
    fit,
)
from xfv_core.confidence.calibration import claim, consecutive_folds
from xfv_core.confidence.curves import grid_threshold, hard_labels, posterior, raw_xface
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


def scores(n_genuine=1000, n_impostor=1000, genuine=0.6, impostor=0.1, spread=0.15, seed=0):
    """Two normal classes: P(same | s) is then exactly a logistic curve."""
    rng = np.random.default_rng(seed)
    s = np.concatenate(
        [rng.normal(genuine, spread, n_genuine), rng.normal(impostor, spread, n_impostor)]
    ).clip(-1, 1)
    return s, np.repeat([True, False], [n_genuine, n_impostor])


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return fit(*scores(), dataset="toy", protocol="toy protocol")


def with_curve(calibration: Calibration, name: str, curve: PlattCurve | XFaceCurve) -> Calibration:
    balanced = replace(calibration.point("balanced"), threshold=curve.crossing())
    return replace(
        calibration,
        curve=name,
        parameters=asdict(curve),
        operating_points=(balanced, *calibration.operating_points[1:]),
    )


xface_curves = st.builds(
    lambda u, k, x0, c: XFaceCurve(a=u * (1 - c), k=k, x0=x0, c=c),
    u=st.floats(0.92, 1),
    k=st.floats(0.5, 1000),
    x0=st.floats(0.05, 1.9),
    c=st.floats(0, 0.45),
)
platt_curves = st.builds(PlattCurve, slope=st.floats(0.5, 1000), intercept=st.floats(-300, 300))
curves = st.one_of(
    xface_curves.map(lambda curve: ("xface", curve)),
    platt_curves.map(lambda curve: ("platt", curve)),
)


class TestVerdictAndNumber:
    @settings(max_examples=300, deadline=None)
    @given(curve=curves, ulps=st.integers(-200, 200), far=st.floats(-1, 1))
    def test_verdict_and_confidence_never_contradict_at_the_balanced_point(
        self, calibration, curve, ulps, far
    ):
        calibration = with_curve(calibration, *curve)
        threshold = calibration.point("balanced").threshold
        near = threshold + ulps * math.ulp(threshold)
        for similarity in (near, far, threshold, np.float32(threshold)):
            same, p, confidence = decide(calibration, similarity)
            assert same == (float(similarity) >= threshold) == (p >= 0.5)
            assert confidence == (p if same else 1 - p) >= 0.5

    @settings(max_examples=200, deadline=None)
    @given(curve=curves, s=st.lists(st.floats(-1, 1), min_size=2, max_size=20))
    def test_probability_never_falls_as_similarity_rises_nor_passes_the_cap(
        self, calibration, curve, s
    ):
        calibration = with_curve(calibration, *curve)
        p = calibration.probabilities(sorted(s))
        assert (np.diff(p) >= -1e-12).all()
        assert p.min() >= 1 - calibration.cap - 1e-12
        assert p.max() <= calibration.cap

    def test_between_its_caps_the_probability_is_that_of_the_curve(self, calibration):
        threshold = calibration.point("balanced").threshold
        s = threshold + np.array([-0.1, -0.01, 0.0, 0.01, 0.1])
        p = calibration.probabilities(s)
        np.testing.assert_allclose(p, calibration.sigma(s))
        assert 1 - calibration.cap < p[0] < 0.5 <= p[2] < p[-1] < calibration.cap

    def test_confidence_is_none_where_a_strict_rule_rejects_a_probable_match(self, calibration):
        strict = calibration.point("fmr_1e-3").threshold
        balanced = calibration.point("balanced").threshold
        between = (strict + balanced) / 2
        assert strict > balanced
        same, p, confidence = decide(calibration, between, "fmr_1e-3")
        assert (same, confidence) == (False, None)
        assert p > 0.5

    def test_a_similarity_that_is_no_number_is_refused(self, calibration):
        with pytest.raises(ValueError, match="nan"):
            decide(calibration, math.nan)

    def test_an_unknown_operating_point_names_the_known_ones(self, calibration):
        with pytest.raises(
            CalibrationError, match=r"balanced, best_accuracy, eer, fmr_1e-2, fmr_1"
        ):
            decide(calibration, 0.5, "strictest")


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


class TestFit:
    def test_the_curve_kept_is_the_one_of_lower_held_out_nll(self, calibration):
        figures = {name: calibration.comparison[name].nll for name in ("xface", "platt")}
        assert calibration.curve == min(figures, key=figures.get)
        assert calibration.scores.nll < calibration.comparison["hard_labels"].nll
        assert calibration.scores.nll <= calibration.comparison["raw_xface"].nll

    def test_held_out_pairs_do_not_shape_their_own_curve(self):
        s, y = scores(100, 100)
        folds = consecutive_folds(y)
        before = cross_validated(PlattCurve.fit, s, y, folds)
        changed = np.where(folds == 3, -s, s)
        after = cross_validated(PlattCurve.fit, changed, y, folds, scored=s)
        np.testing.assert_array_equal(before[folds == 3], after[folds == 3])
        assert (before != after)[folds != 3].any()

    def test_other_similarities_are_judged_and_absent_ones_stay_absent(self):
        s, y = scores(100, 100)
        other = np.where(np.arange(200) % 2, s, np.nan)
        p = cross_validated(PlattCurve.fit, s, y, consecutive_folds(y), scored=other)
        own = cross_validated(PlattCurve.fit, s, y, consecutive_folds(y))
        np.testing.assert_array_equal(p[1::2], own[1::2])
        assert np.isnan(p[::2]).all()

    def test_consecutive_folds_cut_each_class_in_its_order(self):
        y = np.array([True, True, False, True, False, True, False, False])
        assert consecutive_folds(y, 2).tolist() == [0, 0, 0, 1, 0, 1, 1, 1]

    def test_no_more_is_claimed_than_the_rarer_class_carries(self):
        assert claim(3000, 98) == 1 - 1 / 100
        s, y = scores(400, 40)
        calibration = fit(s, y, dataset="", protocol="")
        assert calibration.probability(1.0) <= 1 - 1 / 42
        assert calibration.probability(-1.0) >= 1 / 42 - 1e-12

    def test_the_histogram_holds_every_pair(self, calibration):
        assert sum(calibration.histogram.genuine) == calibration.n_genuine == 1000
        assert sum(calibration.histogram.impostor) == calibration.n_impostor == 1000

    @pytest.mark.parametrize(
        ("s", "y", "sentence"),
        [
            (np.linspace(0, 1, 30), np.arange(30) > 20, "too few"),
            (np.linspace(0, 1, 100), np.arange(100) < 50, "no more similar"),
            (np.full(100, np.nan), np.arange(100) < 50, "finite"),
            (np.zeros(99), np.arange(100) < 50, "same length"),
        ],
    )
    def test_pairs_that_cannot_be_calibrated_are_refused_in_words(self, s, y, sentence):
        with pytest.raises(CalibrationError, match=sentence):
            fit(s, y, dataset="", protocol="")


class TestStored:
    def test_json_gives_back_the_same_calibration(self, calibration):
        again = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict())))
        assert again == calibration
        assert decide(again, 0.4) == decide(calibration, 0.4)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("cap", 0.9999),
            ("cap", 0.4),
            ("prior", 0.1),
            ("curve", "spline"),
            ("parameters", {"slope": 20.0}),
            ("parameters", {"slope": 20.0, "intercept": 0.0}),
            ("parameters", {"slope": "20", "intercept": -7}),
            ("n_genuine", 1000.0),
            ("n_genuine", True),
            ("dataset", None),
            ("fitted_on", "moonlight"),
            ("operating_points", []),
            ("histogram", {"genuine": [1, 2], "impostor": [1]}),
            ("reliability", [{"n": 1, "mean_p": math.nan, "genuine": 0.5}]),
            ("degraded", ["blur"]),
        ],
    )
    def test_a_value_that_does_not_fit_is_refused(self, calibration, field, value):
        data = json.loads(json.dumps(calibration.to_dict())) | {field: value}
        with pytest.raises(CalibrationError):
            Calibration.from_dict(data)

    @pytest.mark.parametrize(
        ("dropped", "added", "words"),
        [("cap", None, "the key 'cap' is missing"), (None, "ece2", "unknown key 'ece2'")],
    )
    def test_a_missing_or_an_unknown_field_is_named(self, calibration, dropped, added, words):
        data = calibration.to_dict() | {added or "cap": 0.9}
        data.pop(dropped, None)
        with pytest.raises(CalibrationError, match=words):
            Calibration.from_dict(data)

    def test_an_operating_point_with_an_impossible_rate_is_refused(self, calibration):
        data = calibration.to_dict()
        data["operating_points"][2]["fmr"] = 1.5
        with pytest.raises(CalibrationError, match="eer"):
            Calibration.from_dict(data)

    def test_something_that_is_no_object_is_refused(self):
        with pytest.raises(CalibrationError, match="must be an object"):
            Calibration.from_dict([1, 2])
