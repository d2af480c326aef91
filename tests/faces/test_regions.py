"""Eight regions from five landmarks: where they must be, and that they move with the face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import label

from xfv_core.faces.crops import TEMPLATE
from xfv_core.faces.regions import REGIONS, face_regions

INDEX = {name: i for i, name in enumerate(REGIONS)}


@pytest.fixture
def template() -> NDArray[np.int8]:
    return face_regions(TEMPLATE, (112, 112))


@pytest.mark.parametrize(
    ("x", "y", "name"),
    [
        (38, 52, "left eye"),
        (74, 52, "right eye"),
        (56, 72, "nose"),
        (56, 60, "nose"),
        (42, 92, "mouth"),
        (71, 92, "mouth"),
        (56, 92, "mouth"),
        (34, 91, "left cheek"),
        (78, 91, "right cheek"),
        (56, 25, "brows and forehead"),
        (38, 40, "brows and forehead"),
        (74, 40, "brows and forehead"),
        (30, 75, "left cheek"),
        (82, 75, "right cheek"),
        (56, 108, "chin"),
        (2, 2, "background"),
        (109, 109, "background"),
    ],
)
def test_a_point_of_the_aligned_template_is_in_its_part(
    template: NDArray[np.int8], x: int, y: int, name: str
) -> None:
    assert REGIONS[template[y, x]] == name


def test_there_are_eight_regions_of_a_useful_size_and_a_background(
    template: NDArray[np.int8],
) -> None:
    sizes = np.bincount(template.ravel(), minlength=len(REGIONS))
    assert len(REGIONS) == 9
    assert sizes.min() > 0.02 * template.size
    assert 0.3 < sizes[0] / template.size < 0.6


@pytest.mark.parametrize("name", REGIONS[1:])
def test_every_region_is_in_one_piece(template: NDArray[np.int8], name: str) -> None:
    assert label(template == INDEX[name], np.ones((3, 3)))[1] == 1


def test_a_mirrored_face_has_mirrored_regions() -> None:
    turn = np.array([[0, 0], [0, 0], [-4, 1], [-2, 0], [-2, 0]])
    landmarks = TEMPLATE + turn
    mirrored = landmarks[[1, 0, 2, 4, 3]] * [-1, 1] + [111, 0]
    swap = np.array([0, 2, 1, 3, 4, 6, 5, 7, 8])
    regions = face_regions(landmarks, (112, 112))
    assert (swap[face_regions(mirrored, (112, 112))][:, ::-1] == regions).mean() > 0.999


def test_a_face_mirrored_top_to_bottom_keeps_the_eyes_of_its_landmarks() -> None:
    regions = face_regions(TEMPLATE, (112, 112))
    flipped = face_regions(TEMPLATE * [1, -1] + [0, 111], (112, 112))
    assert (flipped[::-1] == regions).mean() > 0.999


@settings(max_examples=25, deadline=None)
@given(st.floats(-180, 180), st.floats(0.5, 2), st.floats(-20, 20), st.floats(-20, 20))
def test_regions_turn_shrink_and_shift_with_the_face(
    degrees: float, scale: float, x: float, y: float
) -> None:
    c, s = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    turn, shift = np.array([[c, -s], [s, c]]), np.array([150 + x, 150 + y])
    moved = face_regions((TEMPLATE - 56) @ turn.T + shift, (300, 300))
    upright = face_regions(TEMPLATE, (112, 112))
    rows, columns = np.indices((112, 112))[:, 8:104:3, 8:104:3]
    there = np.stack([columns, rows], -1).reshape(-1, 2)
    there = np.rint((there - 56) @ turn.T + shift).astype(int)
    inside = np.all((there >= 0) & (there < 300), axis=1)
    same = moved[there[inside, 1], there[inside, 0]] == upright[rows, columns].ravel()[inside]
    assert same.mean() > 0.88 if scale < 1 else same.mean() > 0.93  # rounding at the borders


def test_the_eyes_of_a_turned_face_are_where_its_landmarks_are() -> None:
    profile = np.array([[50, 50], [66, 51], [42, 70], [48, 92], [60, 92.0]])
    regions = face_regions(profile, (112, 112))
    found = [REGIONS[regions[round(y), round(x)]] for x, y in profile]
    assert found == ["left eye", "right eye", "nose", "mouth", "mouth"]


def test_a_turned_face_shows_more_of_the_side_it_leaves() -> None:
    turned = TEMPLATE.copy()
    turned[2, 0] -= 12  # the nose: it looks to the left of the picture
    frontal, moved = (
        np.flatnonzero((face_regions(marks, (112, 112)) != 0).any(axis=0)).mean()
        for marks in (TEMPLATE, turned)
    )
    assert moved > frontal + 4


def test_landmarks_outside_the_crop_leave_the_rest_labelled() -> None:
    regions = face_regions(TEMPLATE - [60, 0], (112, 112))
    assert not np.any(regions == INDEX["left eye"])
    assert np.any(regions == INDEX["right eye"])


def test_a_grid_need_not_be_square() -> None:
    assert face_regions(TEMPLATE, (80, 120)).shape == (80, 120)


@pytest.mark.parametrize("bad", [np.zeros((4, 2)), np.zeros((5, 2)), np.full((5, 2), 7.0)])
def test_landmarks_that_span_no_face_are_refused(bad: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        face_regions(bad, (112, 112))
