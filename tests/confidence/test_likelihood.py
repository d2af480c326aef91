"""C_llr, Tippett and DET, against numbers reckoned by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xfv_core.confidence.likelihood import cllr, cllr_min, det, probability, sure, tippett
from xfv_core.confidence.scores import nll

LABELS = np.array([True, True, True, False, False, False])
P = np.array([0.9, 0.8, 0.4, 0.6, 0.2, 0.1])


@given(st.lists(st.floats(0.001, 0.999), min_size=6, max_size=6))
def test_on_balanced_labels_c_llr_is_nll_in_bits(values):
    p = np.array(values)
    assert cllr(p, LABELS) == pytest.approx(nll(p, LABELS) / math.log(2))


def test_a_system_that_knows_nothing_has_a_c_llr_of_one():
    assert cllr(np.full(6, 0.5), LABELS) == pytest.approx(1)
    assert cllr_min(np.full(6, 0.5), LABELS) == pytest.approx(1)


def test_classes_weigh_the_same_whatever_their_sizes():
    p, y = np.array([0.8, 0.5, 0.5, 0.5]), np.array([True, False, False, False])
    assert cllr(p, y) == pytest.approx((math.log2(1 / 0.8) + 1) / 2)


def test_the_minimum_pools_only_what_is_out_of_order():
    # 0.4 genuine under 0.6 impostor: both become 1/2, the rest are certain
    assert cllr_min(P, LABELS) == pytest.approx((1 / 3 + 1 / 3) / 2)


@given(st.lists(st.floats(0.01, 0.99), min_size=6, max_size=6))
def test_the_minimum_is_never_above_c_llr(values):
    assert cllr_min(np.array(values), LABELS) <= cllr(np.array(values), LABELS) + 1e-9


def test_a_monotone_map_leaves_the_minimum():
    assert cllr_min(P**3, LABELS) == pytest.approx(cllr_min(P, LABELS))


def test_sure_counts_answers_above_the_limit_either_way():
    found = sure(np.array([0.95, 0.95, 0.05, 0.5]), np.array([True, False, False, True]), 0.9)
    assert (found.n, found.share, found.right) == (3, 0.75, 2 / 3)


def test_sure_of_nothing_has_no_rate():
    assert sure(np.full(4, 0.5), LABELS[1:5], 0.9).right is None


def test_tippett_gives_the_shares_at_or_above_each_ratio():
    at_one = next(row for row in tippett(P, LABELS) if abs(row["log10_lr"]) < 1e-9)
    assert at_one["genuine"] == pytest.approx(2 / 3)
    assert at_one["impostor"] == pytest.approx(1 / 3)


def test_det_ends_at_the_lowest_rates_the_sample_can_carry():
    found = det(P, LABELS)
    assert found["lowest_fmr"] == 1
    assert all(low <= point["fmr"] <= high for point in found["points"]
               for low, high in [point["fmr_interval"]])  # fmt: skip
    rates = [point["fmr"] for point in found["points"]]
    assert rates == sorted(rates)[::-1] or rates == sorted(rates)


def test_what_is_stored_says_what_calibration_loses():
    found = probability(P, LABELS).to_dict()
    assert found["cllr_cal"] == pytest.approx(found["cllr"] - found["cllr_min"])
    assert found["above_99"] == {"n": 0, "share": 0.0, "right": None, "right_interval": None}


def test_every_share_of_a_tippett_curve_lies_in_its_interval():
    labels = np.arange(40) < 20
    for row in tippett(np.where(labels, 0.9, 0.2), labels):
        for side in ("genuine", "impostor"):
            low, high = row[f"{side}_interval"]
            assert low <= row[side] <= high and high - low > 0.05
