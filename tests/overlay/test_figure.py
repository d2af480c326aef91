"""Legend, figure and file: readable ends, equal photos, nothing lost, nothing told."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from xfv_core.overlay import encode, legend, legend_colours, side_by_side, two_figures


def columns_with_text(image: NDArray[np.uint8], rows: slice) -> NDArray[np.bool_]:
    return np.asarray(image[rows, :, 3].max(axis=0) > 0)


def test_the_bar_runs_from_pink_through_grey_to_green() -> None:
    bar = legend(0.02, "cosine", 480, 72)[7]
    red, green, blue, _ = bar[[8, 240, 471]].astype(int).T
    assert red[0] > blue[0] > green[0] + 40
    assert max(red[1], green[1], blue[1]) - min(red[1], green[1], blue[1]) <= 3
    assert green[2] > max(red[2], blue[2]) + 40


@pytest.mark.parametrize(("width", "height"), [(480, 72), (960, 144), (240, 60)])
def test_the_labels_reach_both_ends_and_zero_stands_free_in_the_middle(
    width: int, height: int
) -> None:
    image = legend(0.02, "cosine", width, height)
    assert image.shape == (height, width, 4)
    inked = columns_with_text(image, slice(height * 2 // 9, height * 5 // 9))
    assert inked[:4].any()
    assert inked[-4:].any()
    zero = np.flatnonzero(inked[width // 2 - width // 50 : width // 2 + width // 50])
    assert zero.size  # it is there, and nothing is close to it
    beside = inked[width // 2 - width // 30 : width // 2 + width // 30]
    assert beside.sum() == zero.size


def test_the_legend_without_a_unit_gives_the_room_to_its_labels() -> None:
    with_unit, without = legend(0.02, "cosine", 480, 72), legend(0.02, "", 480, 48)
    assert np.array_equal(with_unit[:40], without[:40])


def test_the_unit_stands_below_the_labels() -> None:
    below = legend(0.02, "cosine", 480, 72)[50:, :, 3].max(axis=0) > 0
    inked = np.flatnonzero(below)
    assert inked.size and abs(inked.mean() - 240) < 4  # in the middle
    assert inked[0] > 180 and inked[-1] < 300


def test_dark_turns_the_text_light_and_leaves_the_bar() -> None:
    light, dark = legend(0.02, "cosine"), legend(0.02, "cosine", dark=True)
    assert np.array_equal(light[:14], dark[:14])
    assert np.array_equal(light[..., 3], dark[..., 3])
    assert light[30:, :, :3].max() < 64
    assert dark[30:, :, :3].min() > 192


def test_the_colours_of_the_legend_run_from_pink_through_grey_to_green() -> None:
    colours = legend_colours(9).astype(int)
    assert len(colours) == 9
    assert colours[0, 0] > colours[0, 1] and colours[-1, 1] > colours[-1, 0]
    assert np.ptp(colours[4]) == 0


@pytest.mark.parametrize(
    ("scale", "text"),
    [(0.0213, "0.021"), (1e-6, "0.000001"), (0.00345, "0.0034"), (1.0, "1"), (12.3, "12")],
)
def test_numbers_have_two_figures_and_no_exponent(scale: float, text: str) -> None:
    assert two_figures(scale) == text


def test_both_photos_stand_at_one_height() -> None:
    red = np.zeros((400, 300, 3), np.uint8)
    red[..., 0] = 200
    blue = np.zeros((200, 100, 3), np.uint8)
    blue[..., 2] = 200
    page = side_by_side(red, blue, 0.02, "cosine")
    reds = np.all(page == (200, 0, 0), axis=-1)
    blues = np.all(page == (0, 0, 200), axis=-1)
    assert reds.any(axis=0).sum() == 300
    assert blues.any(axis=0).sum() == 200
    assert np.array_equal(reds.any(axis=1), blues.any(axis=1))
    assert reds.any(axis=1).sum() == 400


def test_the_figure_draws_its_photos_pixel_for_pixel_at_their_own_size() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (400, 300, 3), dtype=np.uint8)
    page = side_by_side(a, a, 0.02, "cosine")
    places = np.argwhere(np.all(page == a[0, 0], axis=-1))
    found = [np.array_equal(page[y : y + 400, x : x + 300], a) for y, x in places]
    assert sum(found) == 2


def test_the_bar_of_colours_stands_below_the_photos() -> None:
    photo = np.full((336, 336, 3), 128, np.uint8)
    page = side_by_side(photo, photo, 0.02, "cosine").astype(int)
    coloured = np.flatnonzero((np.ptp(page, axis=-1) > 40).any(axis=1))
    photos = np.flatnonzero((page == 128).all(axis=-1).sum(axis=1) > 600)
    assert coloured.size and coloured[0] > photos[-1]


def test_a_long_caption_makes_the_figure_taller_not_wider() -> None:
    photo = np.zeros((336, 336, 3), np.uint8)
    short, long = (side_by_side(photo, photo, 1.0, "", "word " * n) for n in (1, 200))
    assert long.shape[1] == short.shape[1]
    assert long.shape[0] > short.shape[0]
    assert np.all(long[:, -10:] == 255)


def test_each_line_of_a_caption_starts_a_new_line() -> None:
    photo = np.zeros((336, 336, 3), np.uint8)
    one, two = (side_by_side(photo, photo, 1.0, "", text) for text in ("a b", "a\nb"))
    assert two.shape[0] > one.shape[0]


def test_letters_the_font_lacks_become_the_nearest_it_has() -> None:
    photo = np.zeros((336, 336, 3), np.uint8)
    written, plain = (
        side_by_side(photo, photo, 1.0, "", text) for text in ("Zoë – 3 × θ", "Zoe - 3 x threshold")
    )
    assert np.array_equal(written, plain)


def test_a_dark_figure_has_a_dark_page() -> None:
    photo = np.full((336, 336, 3), 128, np.uint8)
    assert side_by_side(photo, photo, 1.0, "", dark=True)[0, 0].max() < 40


def test_png_returns_every_pixel_and_says_nothing_else() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (32, 40, 3), dtype=np.uint8)
    data = encode(image)
    read = Image.open(BytesIO(data))
    assert read.format == "PNG"
    assert np.array_equal(np.asarray(read), image)
    assert read.info == {}


def test_jpeg_keeps_full_colour_resolution_and_high_quality() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (200, 40, 160), (60, 150, 40)
    read = Image.open(BytesIO(encode(stripes, "jpeg")))
    assert read.format == "JPEG"
    assert [part[1:3] for part in read.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]
    assert np.abs(np.asarray(read).astype(int) - stripes).mean() < 4
    assert not read.getexif()
    assert "comment" not in read.info
