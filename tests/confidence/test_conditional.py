"""The curve that takes measures: what must hold for every pair, and pairs reckoned by hand."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xfv_core.confidence.conditional import Gap, PairCurve, PairRule, Term, evidence
from xfv_core.confidence.curves import CalibrationError
from xfv_core.confidence.measures import Measures
from xfv_core.confidence.verdicts import UNSURE, decide_pair, likelihood_ratio
from xfv_core.strict_json import build

GOOD = Measures(12, 2.6, 0.3, 0.3, 0, 0)
POOR = replace(GOOD, norm=5.0)
HALF_POOR = replace(GOOD, norm=8.5)
CURVE = PairCurve(
    bar=0.4,
    slope=math.log(20),
    terms=(
        Term("norm", "lower", 4, 14, 12, 0.02, 0.1),
        Term("typicality", "higher", 0.2, 0.7, 0.3, 0.5, -1.0),
    ),
    gap=Gap(9, 8, same=3, covered=2, different=1),
    cap=0.999,
    n_genuine=3000,
    n_impostor=3000,
    protocol="by hand",
    rules=(PairRule("balanced", 0, {}), PairRule("strict", 2, {}), PairRule("lax", -2, {})),
)

similarities = st.floats(-1, 1)
photos = st.builds(
    Measures,
    norm=st.floats(0.1, 20),
    sharpness=st.floats(-3, 6),
    typicality=st.floats(0, 1),
    degradation=st.floats(0, 1),
    eyes_covered=st.floats(0, 1),
    mouth_covered=st.floats(0, 1),
)


def p_of(s: float, a: Measures, b: Measures, curve: PairCurve = CURVE) -> float:
    return float(curve.probabilities(np.array([s]), curve.bars(a.table(), b.table()))[0])


@given(similarities, similarities, photos, photos)
def test_a_greater_similarity_never_makes_one_person_less_probable(s, t, a, b):
    low, high = sorted((s, t))
    assert p_of(low, a, b) <= p_of(high, a, b)


@given(similarities, photos, photos)
def test_swapping_the_photos_changes_nothing(s, a, b):
    assert p_of(s, a, b) == p_of(s, b, a)


@given(similarities, photos, photos)
def test_nothing_leaves_the_cap(s, a, b):
    assert 1 - CURVE.cap <= p_of(s, a, b) <= CURVE.cap


@given(photos, photos)
def test_the_bar_of_a_pair_is_where_its_probability_is_one_half(a, b):
    bar = decide_pair(CURVE, 0.0, (a, b)).threshold
    assert p_of(bar, a, b) == 0.5
    assert p_of(np.nextafter(bar, -2), a, b) < 0.5


@given(similarities, photos, photos)
def test_the_balanced_verdict_and_its_number_never_contradict(s, a, b):
    found = decide_pair(CURVE, s, (a, b))
    assert found.same == (found.probability_same >= 0.5)
    assert found.confidence is not None and found.confidence >= 0.5
    if found.answer != "cannot tell":
        assert found.answer == ("same" if found.same else "different")
        assert not UNSURE[0] < found.probability_same < UNSURE[1]


@given(similarities, photos, photos)
def test_a_stricter_rule_accepts_no_pair_that_a_laxer_one_refuses(s, a, b):
    strict, balanced, lax = (
        decide_pair(CURVE, s, (a, b), rule).same for rule in ("strict", "balanced", "lax")
    )
    assert strict <= balanced <= lax


def test_a_pair_of_usual_photos_has_the_usual_curve():
    bars = CURVE.bars(GOOD.table(), GOOD.table())
    assert (bars.lower[0], bars.middle[0], bars.upper[0]) == (0.4, 0.4, 0.4)
    assert p_of(0.5, GOOD, GOOD) == pytest.approx(1 / (1 + math.exp(-20 * 0.1)))


def test_a_measure_moves_the_bar_by_its_weight():
    b = replace(GOOD, norm=10.0, typicality=0.4)
    bars = CURVE.bars(GOOD.table(), b.table())
    assert bars.middle[0] == pytest.approx(0.4 - 2 * 0.02 + 0.1 * 0.5)
    assert bars.slope[0] == pytest.approx(20 * math.exp(-2 * 0.1 - 0.1))


def test_a_measure_beyond_the_fitted_range_moves_it_no_further():
    assert p_of(0.5, GOOD, replace(GOOD, typicality=0.9)) == p_of(
        0.5, GOOD, replace(GOOD, typicality=0.7)
    )


def test_between_the_bars_of_two_poor_photos_nothing_is_said():
    bars = CURVE.bars(POOR.table(), POOR.table())
    assert bars.upper[0] - bars.middle[0] == pytest.approx(3 / bars.slope[0])
    assert bars.middle[0] - bars.lower[0] == pytest.approx(1 / bars.slope[0])
    middle = np.linspace(bars.lower[0], bars.upper[0] - 1e-9, 5)
    assert evidence(middle, bars) == pytest.approx(np.zeros(5))
    assert decide_pair(CURVE, float(bars.middle[0]), (POOR, POOR)).answer == "cannot tell"


def test_one_poor_photo_asks_more_of_a_difference_but_not_of_likeness():
    up, down = CURVE.gap.widths(POOR.table(), GOOD.table())
    assert (up[0], down[0]) == (0, 1)


def test_half_poor_photos_ask_for_half_of_it():
    up, down = CURVE.gap.widths(HALF_POOR.table(), HALF_POOR.table())
    assert (up[0], down[0]) == (1.5, 0.5)


def test_likeness_of_two_blurred_photos_must_outweigh_a_gap_and_says_why():
    curve = replace(CURVE, gap=Gap(9, 8, same=3, covered=2, different=1, unsharp=2, unsharp_from=1))
    blurred = replace(GOOD, sharpness=0.5)
    bars = curve.bars(blurred.table(), blurred.table())
    assert (bars.upper - bars.middle)[0] == pytest.approx(0.5 * 2 / bars.slope[0])
    one = curve.bars(blurred.table(), GOOD.table())
    assert one.upper == one.middle
    moved = decide_pair(curve, 0.5, (blurred, blurred)).moved
    assert any("as blurred as both of these" in move.sentence for move in moved)


def test_a_cover_counts_only_where_it_hides_the_same_part_of_both():
    glasses, mask = replace(GOOD, eyes_covered=1.0), replace(GOOD, mouth_covered=1.0)
    assert CURVE.gap.widths(glasses.table(), mask.table())[0][0] == 0
    assert CURVE.gap.widths(glasses.table(), glasses.table())[0][0] == 2


def test_a_cover_is_noted_and_moves_the_bar_in_words():
    glasses = replace(GOOD, eyes_covered=0.9)
    found = decide_pair(CURVE, 0.5, (glasses, glasses))
    assert "First photo: the eyes may be covered." in found.notes
    assert found.moved[0].measure == "eyes_covered"
    assert found.moved[0].by == pytest.approx(0.09)


def test_what_moved_the_bar_adds_up_to_the_way_it_went():
    a, b = replace(POOR, typicality=0.5), replace(POOR, typicality=0.45)
    found = decide_pair(CURVE, 0.5, (a, b))
    assert sum(move.by for move in found.moved) == pytest.approx(found.threshold - CURVE.bar)


def test_a_photo_poorer_than_any_that_was_fitted_gets_no_answer():
    awful = replace(GOOD, norm=1.0)
    found = decide_pair(CURVE, 1.0, (GOOD, awful))
    assert found.answer == "cannot tell"
    assert "embedding norm" in found.notes[-1]


def test_a_better_photo_than_any_that_was_fitted_is_no_reason_for_doubt():
    assert decide_pair(CURVE, 0.9, (GOOD, replace(GOOD, norm=19.0))).answer == "same"


def test_ones_own_threshold_decides_and_the_probability_stays():
    found = decide_pair(CURVE, 0.5, (GOOD, GOOD), threshold=0.6)
    assert not found.same and found.answer == "different"
    assert found.probability_same == p_of(0.5, GOOD, GOOD) > 0.5
    assert found.confidence is None


def test_a_similarity_that_is_no_number_is_refused():
    with pytest.raises(ValueError):
        decide_pair(CURVE, float("nan"), (GOOD, GOOD))


def test_an_unknown_rule_names_those_there_are():
    with pytest.raises(CalibrationError, match="balanced, strict, lax"):
        decide_pair(CURVE, 0.5, (GOOD, GOOD), "none")


def test_json_gives_the_same_curve_back():
    assert build(PairCurve, asdict(CURVE)) == CURVE


def test_a_cap_beyond_what_the_pairs_allow_is_refused():
    with pytest.raises(CalibrationError, match="claims more"):
        replace(CURVE, cap=0.9999)


def test_the_likelihood_ratio_is_the_odds_at_equal_priors():
    assert likelihood_ratio(0.75) == pytest.approx((3, math.log10(3)))
