"""The sentence says what the map shows, and no more."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from xfv_core.explain.base import Cost, Maps
from xfv_core.faces.crops import TEMPLATE
from xfv_core.faces.regions import REGIONS, face_regions
from xfv_core.overlay.words import describe


def painted(**parts: float) -> NDArray[np.float32]:
    """A map that is constant on whole regions: left_eye=0.5 and so on."""
    regions = face_regions(TEMPLATE, (112, 112))
    values = np.zeros((112, 112), np.float32)
    for name, value in parts.items():
        values[regions == REGIONS.index(name.replace("_", " "))] = value
    return values


def said(values: NDArray[np.float32], scale: float = 1.0) -> str:
    """What is said of the first photo when the second shows nothing."""
    maps = Maps(values, np.zeros_like(values), "toy", "toy", Cost(0, 0.0))
    first, second = describe(maps, TEMPLATE, TEMPLATE, scale).split("\n")
    assert second == "Second photo: no region has a noticeable effect."
    return first


def evidence(values: NDArray[np.float32]) -> str:
    """What is said of a map whose zero is a pair at the bar."""
    maps = Maps(values, values, "toy", "toy", Cost(0, 0.0), view="evidence")
    return describe(maps, TEMPLATE, TEMPLATE, 1.0).split("\n")[0]


def test_where_evidence_is_mostly_against_the_likeness_that_remains_is_told_last() -> None:
    values = painted(nose=-1.0, mouth=-0.8, brows_and_forehead=0.25)
    against = -values[values < 0].sum() / np.abs(values).sum()
    assert evidence(values) == (
        "First photo: less alike than in a pair at the bar, mostly the nose (strong) and the mouth "
        f"(strong), {against * 100:.0f} % of the effect; what likeness there is lies mostly in "
        "the brows and forehead (weak)."
    )


def test_where_evidence_is_mostly_for_what_falls_short_is_told_last() -> None:
    said = evidence(painted(nose=1.0, mouth=-0.25))
    assert said.startswith("First photo: more alike than in a pair at the bar, mostly the nose")
    assert said.endswith("; less alike, mostly the mouth (weak).")


def test_evidence_on_one_side_only_is_not_stretched_into_two() -> None:
    assert evidence(painted(nose=-0.9)) == (
        "First photo: less alike than in a pair at the bar, mostly the nose (strong); nothing "
        "speaks for."
    )


def test_one_part_that_is_alike_is_named_and_nothing_speaks_against() -> None:
    assert said(painted(nose=0.9)) == (
        "First photo: what the map shows makes them alike, mostly the nose (strong); "
        "nothing speaks against."
    )


def test_one_part_that_differs_is_named_and_nothing_speaks_for() -> None:
    assert said(painted(mouth=-0.5)) == (
        "First photo: what the map shows makes them different, mostly the mouth (medium); "
        "nothing speaks for."
    )


def test_both_sides_are_told_with_their_shares() -> None:
    values = painted(nose=1.0, mouth=-0.25)
    share = values[values > 0].sum() / np.abs(values).sum()
    assert said(values) == (
        f"First photo: {share * 100:.0f} % of the effect makes them alike, "
        f"mostly the nose (strong); {100 - share * 100:.0f} % makes them different, "
        "mostly the mouth (weak)."
    )


def test_left_and_right_are_those_of_the_picture() -> None:
    assert "the eye on the left of the picture (strong)" in said(painted(left_eye=1.0))
    assert "the cheek on the right of the picture (strong)" in said(painted(right_cheek=1.0))


def test_parts_are_listed_from_the_richest_until_most_is_told() -> None:
    sentence = said(painted(nose=1.0, mouth=0.6, chin=0.05, left_eye=0.02))
    assert "mostly the nose (strong) and the mouth (medium);" in sentence
    assert "chin" not in sentence


def test_faint_values_of_the_other_sign_are_not_stretched_into_an_argument() -> None:
    assert said(painted(nose=1.0, mouth=-0.04)).endswith("hardly anything speaks against.")


def test_a_small_but_plain_spot_is_not_denied() -> None:
    values = painted(brows_and_forehead=1.0, nose=1.0)
    values[90:96, 50:56] = -0.9
    assert "1 % makes them different, mostly the mouth (" in said(values)


def test_a_map_below_the_colours_is_said_to_show_nothing() -> None:
    assert said(painted(nose=0.01)) == "First photo: no region has a noticeable effect."


def test_the_same_map_is_weaker_on_a_larger_scale() -> None:
    assert "the nose (weak)" in said(painted(nose=0.9), scale=5.0)


@pytest.mark.parametrize(
    ("value", "word"), [(0.3, "weak"), (0.36, "medium"), (0.64, "medium"), (0.7, "strong")]
)
def test_strength_changes_at_thirds_of_the_scale(value: float, word: str) -> None:
    assert f"the nose ({word})" in said(painted(nose=value))


@pytest.mark.parametrize(("share", "second"), [(0.65, False), (0.55, True)])
def test_regions_are_named_until_they_hold_three_fifths(share: float, second: bool) -> None:
    nose, mouth = (painted(**{part: 1.0}).sum() for part in ("nose", "mouth"))
    sentence = said(painted(nose=share, mouth=(1 - share) * nose / mouth))
    assert "mostly the nose" in sentence and ("mouth" in sentence) == second


@pytest.mark.parametrize(("around", "named"), [(0.15, False), (0.2, True)])
def test_colours_that_can_hardly_be_told_from_grey_name_no_region(
    around: float, named: bool
) -> None:
    sentence = said(painted(background=around, nose=1.0))
    assert ("outside the face" in sentence) == named


@pytest.mark.parametrize(("value", "noticed"), [(0.2, False), (0.3, True)])
def test_faint_is_what_is_faint_on_the_scale(value: float, noticed: bool) -> None:
    assert ("no region has a noticeable" not in said(painted(nose=value), scale=5.0)) == noticed


def test_a_flat_map_names_no_place() -> None:
    sentence = said(np.full((112, 112), 0.5, np.float32))
    assert "makes them alike, spread evenly over the picture (medium);" in sentence


def test_what_lies_outside_the_face_is_said_to() -> None:
    assert "mostly the area outside the face (strong)" in said(painted(background=0.8))


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_second_photo_is_described_by_its_own_map_and_landmarks(sign: int) -> None:
    shifted = np.roll(painted(nose=0.9 * sign), 15, axis=1)
    maps = Maps(np.zeros_like(shifted), shifted, "toy", "toy", Cost(0, 0.0))
    second = describe(maps, TEMPLATE, np.add(TEMPLATE, (15, 0)), 1.0).split("\n")[1]
    assert "mostly the nose (strong)" in second
