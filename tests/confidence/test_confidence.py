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
