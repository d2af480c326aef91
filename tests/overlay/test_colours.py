"""The blend: lightness kept, zero neutral, sign and strength readable, also without one cone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from xfv_core.overlay import blend, shared_scale

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
DICHROMATS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def light(srgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    value = srgb / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lightness(srgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE L* in [0,100]."""
    y = light(srgb) @ LUMINANCE
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


def lab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear RGB -> CIE L*a*b* (D65)."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = np.clip(linear, 0, 1) @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def shown(values: list[float], grey: int) -> NDArray[np.uint8]:
    """Colours (N,3) of values on a scale of 1, over a grey, at full strength."""
    photo = np.full((1, len(values), 3), grey, np.uint8)
    return blend(photo, np.array([values], np.float32), 1.0, 1.0)[0]


@pytest.fixture
def all_colours() -> NDArray[np.uint8]:
    """(64,64,3): 4,096 photo colours that fill the cube."""
    steps = np.linspace(0, 255, 16).astype(np.uint8)
    return np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)


def test_strength_zero_gives_every_level_back_unchanged() -> None:
    photo = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    values = np.linspace(-2, 2, 256, dtype=np.float32).reshape(16, 16)
    assert np.array_equal(blend(photo, values, 1.0, 0.0), photo)


@settings(max_examples=25, deadline=None)
@given(st.floats(-1.5, 1.5), st.floats(0, 1))
def test_lightness_stays_whatever_the_value_and_the_strength(value: float, strength: float) -> None:
    steps = np.linspace(0, 255, 16).astype(np.uint8)
    photo = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)
    coloured = blend(photo, np.full((64, 64), value, np.float32), 1.0, strength)
    before = lightness(photo)
    shift = np.abs(lightness(coloured) - before)[(before > 39) & (before < 75)]
    assert shift.mean() < 0.15
    assert np.quantile(shift, 0.99) < 1  # what rounding to 8 bits costs in the darkest pixels


@pytest.mark.parametrize("grey", [0, 8, 247, 255])
def test_a_strong_value_shows_on_black_and_on_white(grey: int) -> None:
    pink, neutral, green = lab(light(shown([-1, 0, 1], grey)))
    assert np.linalg.norm(pink - neutral) > 25  # about 2.3 is just noticeable
    assert np.linalg.norm(green - neutral) > 25
    assert np.linalg.norm((pink - green)[1:]) > 30  # apart by hue, not by lightness alone


def test_what_is_darker_in_the_photo_stays_darker_under_one_value() -> None:
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    for value in (-1.0, 0.5, 1.0):
        coloured = lightness(blend(ramp, np.full((1, 256), value, np.float32), 1.0, 1.0))[0]
        assert np.all(np.diff(coloured) > -0.7)  # rounding to 8 bits
        assert coloured[255] - coloured[230] > 1 and coloured[64] - coloured[0] > 1


def test_a_weak_value_leaves_black_nearly_black() -> None:
    assert lightness(shown([0.1], 0)).max() < 8


def test_a_neutral_map_at_full_strength_is_the_grey_photo(all_colours: NDArray[np.uint8]) -> None:
    coloured = blend(all_colours, np.zeros((64, 64), np.float32), 1.0, 1.0)
    assert np.array_equal(coloured.min(axis=-1), coloured.max(axis=-1))


def test_a_grey_photo_under_a_neutral_map_is_unchanged() -> None:
    photo = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(blend(photo, np.zeros((16, 16), np.float32), 1.0, 0.8), photo)


@pytest.mark.parametrize("grey", [60, 139, 190])
def test_above_zero_is_green_and_below_is_pink(grey: int) -> None:
    (pr, pg, pb), (gr, gg, gb) = shown([-1, 1], grey).astype(int)
    assert pr > pb > pg + 40
    assert gg > max(gr, gb) + 30


@pytest.mark.parametrize("grey", [60, 139, 190])
@pytest.mark.parametrize("sign", [-1, 1])
def test_colour_grows_with_the_value_up_to_the_scale_and_no_further(grey: int, sign: int) -> None:
    colours = shown([sign * v for v in (0, 0.2, 0.4, 0.6, 0.8, 1, 3)], grey)
    distance = np.linalg.norm(lab(light(colours)) - lab(light(colours[:1])), axis=-1)
    assert np.all(np.diff(distance[:6]) > 3)
    assert np.array_equal(colours[5], colours[6])


def test_equal_magnitudes_look_about_equally_strong() -> None:
    colours = lab(light(shown([-1, 0, 1], 139)))
    pink, green = np.linalg.norm(colours[[0, 2]] - colours[1], axis=-1)
    assert 0.75 < pink / green < 1.33


@pytest.mark.parametrize("kind", DICHROMATS)
@pytest.mark.parametrize("grey", [60, 139, 190])
def test_ends_and_neutral_stay_apart_for_people_without_one_cone(kind: str, grey: int) -> None:
    seen = lab(light(shown([-1, 0, 1], grey)) @ np.array(DICHROMATS[kind]).T)
    pink, neutral, green = seen
    assert np.linalg.norm(pink - green) > 25  # about 2.3 is just noticeable
    assert np.linalg.norm(pink - neutral) > 10
    assert np.linalg.norm(green - neutral) > 10


def test_strength_may_differ_from_pixel_to_pixel(all_colours: NDArray[np.uint8]) -> None:
    values = np.ones((64, 64), np.float32)
    strength = np.zeros((64, 64), np.float32)
    strength[:, 32:] = 0.7
    coloured = blend(all_colours, values, 1.0, strength)
    assert np.array_equal(coloured[:, :32], all_colours[:, :32])
    assert np.array_equal(coloured[:, 32:], blend(all_colours, values, 1.0, 0.7)[:, 32:])


def test_a_picture_larger_than_one_block_is_coloured_as_its_parts_are(examples) -> None:  # type: ignore[no-untyped-def]
    photo = np.asarray(Image.open(examples / "obama.jpg").convert("RGB"))
    values = np.linspace(-1, 1, photo.shape[0] * photo.shape[1], dtype=np.float32)
    values = values.reshape(photo.shape[:2])
    whole = blend(photo, values, 0.7, 0.6)
    assert np.array_equal(whole[313:330], blend(photo[313:330], values[313:330], 0.7, 0.6))


def test_one_scale_serves_both_photos_and_stray_pixels_do_not_set_it() -> None:
    faint, strong = np.full((112, 112), 0.1, np.float32), np.full((112, 112), -0.5, np.float32)
    faint[0, :10] = 40
    assert shared_scale([faint, strong]) == pytest.approx(0.5)
    assert shared_scale([faint, strong]) == shared_scale([strong, faint])


def test_a_small_patch_of_five_by_six_pixels_sets_the_scale() -> None:
    values = np.zeros((112, 112), np.float32)
    values[40:45, 50:56] = 0.3
    assert shared_scale([values, np.zeros_like(values)]) == pytest.approx(0.3)


def test_a_map_of_noise_is_not_stretched_beyond_the_floor() -> None:
    rng = np.random.default_rng(0)
    noise = 1e-3 * rng.standard_normal((112, 112)).astype(np.float32)
    assert shared_scale([noise, noise], floor=0.05) == 0.05


def test_a_map_of_zeros_has_a_scale_and_stays_neutral() -> None:
    zeros = np.zeros((8, 8), np.float32)
    photo = np.full((8, 8, 3), 90, np.uint8)
    assert np.array_equal(blend(photo, zeros, shared_scale([zeros, zeros]), 1.0), photo)


def test_a_floor_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="floor"):
        shared_scale([np.zeros((2, 2), np.float32)] * 2, floor=0.0)
