"""Maps lie where they belong, to half a pixel, on the crop and on the photo it came from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from xfv_core.overlay import blend, overlay_crop, overlay_photo

LEFT_EYE = (38.2946, 51.6963)
GREY = 139


def similarity(scale: float, degrees: float, x: float, y: float) -> NDArray[np.float64]:
    """A 2x3 matrix: turn and shrink about the origin, then shift."""
    c, s = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, x], [s, c, y]])


def blob(x: float, y: float, sigma: float, shape: tuple[int, int]) -> NDArray[np.float32]:
    rows, columns = np.indices(shape)
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)


def greenness(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.clip(image[..., 1].astype(float) - image[..., 0], 0, None)


def centre(weight: NDArray[np.float64]) -> tuple[float, float]:
    rows, columns = np.indices(weight.shape)
    return (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 1.2), st.floats(-180, 180))
def test_a_blob_on_the_left_eye_of_the_crop_lands_on_the_left_eye_of_the_photo(
    scale: float, degrees: float
) -> None:
    eye = np.array([151.3, 208.8])
    matrix = similarity(scale, degrees, 0, 0)
    matrix[:, 2] = LEFT_EYE - matrix[:, :2] @ eye
    photo = np.full((400, 300, 3), GREY, np.uint8)
    coloured = overlay_photo(photo, blob(*LEFT_EYE, 4.0, (112, 112)), matrix, 1.0, 1.0)
    assert np.hypot(*(np.array(centre(greenness(coloured))) - eye)) < 0.5


def test_the_identity_lays_the_values_back_exactly() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    values = rng.standard_normal((64, 64)).astype(np.float32)
    coloured = overlay_photo(photo, values, similarity(1, 0, 0, 0), 1.0, 0.8)
    assert np.array_equal(coloured, blend(photo, values, 1.0, 0.8))


def test_the_edge_of_the_crop_fades_and_the_rest_of_the_photo_is_untouched() -> None:
    photo = np.full((120, 120, 3), GREY, np.uint8)
    values = np.ones((40, 40), np.float32)
    coloured = overlay_photo(photo, values, similarity(1, 0, -40, -40), 1.0, 1.0)
    profile = greenness(coloured)[60]
    assert np.ptp(profile[40:80]) == 0  # the whole crop, up to its last pixel
    assert np.all(np.diff(profile[79:84]) < 0)  # 10 % of 40 pixels, and half a pixel
    assert np.array_equal(coloured[:, 84:], photo[:, 84:])
    assert np.array_equal(coloured[:36], photo[:36])
    assert np.array_equal(coloured, coloured.transpose(1, 0, 2))


def test_a_crop_that_hangs_over_the_photo_is_drawn_as_far_as_the_photo_goes() -> None:
    photo = np.full((50, 60, 3), GREY, np.uint8)
    values = blob(5, 5, 3, (112, 112))
    coloured = overlay_photo(photo, values, similarity(1, 0, -50, -40), 1.0, 1.0)
    assert coloured.shape == photo.shape
    peak = np.unravel_index(greenness(coloured).argmax(), coloured.shape[:2])
    assert peak == (45, 55)


def test_a_crop_from_outside_the_photo_changes_nothing() -> None:
    photo = np.full((50, 60, 3), GREY, np.uint8)
    matrix = similarity(1, 0, 500, 500)
    assert np.array_equal(overlay_photo(photo, blob(9, 9, 3, (20, 20)), matrix, 1.0, 1.0), photo)


def test_the_photo_handed_in_is_not_written_to() -> None:
    photo = np.full((50, 60, 3), GREY, np.uint8)
    overlay_photo(photo, np.ones((20, 20), np.float32), similarity(1, 0, 0, 0), 1.0, 1.0)
    assert np.all(photo == GREY)


def test_an_enlarged_crop_keeps_a_blob_in_its_place() -> None:
    crop = np.full((112, 112, 3), GREY, np.uint8)
    coloured = overlay_crop(crop, blob(*LEFT_EYE, 4.0, (112, 112)), 1.0, 1.0, size=336)
    assert coloured.shape == (336, 336, 3)
    x, y = centre(greenness(coloured))  # pixel i of the crop covers pixels 3i to 3i + 2
    assert (x + 0.5) / 3 - 0.5 == pytest.approx(LEFT_EYE[0], abs=0.1)
    assert (y + 0.5) / 3 - 0.5 == pytest.approx(LEFT_EYE[1], abs=0.1)


def test_enlarging_a_green_patch_invents_no_pink_rim() -> None:
    values = np.zeros((16, 16), np.float32)
    values[4:8, 4:8] = 1
    coloured = overlay_crop(np.full((16, 16, 3), GREY, np.uint8), values, 1.0, 1.0, size=128)
    assert np.all(coloured[..., 1] >= coloured[..., 0])


def test_a_crop_finer_than_its_map_keeps_its_own_pixels() -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (336, 336, 3), dtype=np.uint8)
    assert np.array_equal(overlay_crop(crop, np.ones((112, 112), np.float32), 1.0, 0.0), crop)


def test_a_map_at_display_size_is_drawn_as_it_is() -> None:
    crop = np.full((32, 32, 3), GREY, np.uint8)
    values = np.random.default_rng(0).standard_normal((32, 32)).astype(np.float32)
    assert np.array_equal(overlay_crop(crop, values, 1.0, 0.5), blend(crop, values, 1.0, 0.5))
