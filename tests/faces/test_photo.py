"""`Photo.of`: all kinds of sources, one picture, one digest."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.faces.bad_images import encode, odd_images, sample
from xfv_core.faces.images import ImageError, Photo, load_photo

ODD = odd_images()


def test_an_array_a_pillow_image_bytes_and_a_path_of_one_picture_are_one_photo(
    tmp_path: Path,
) -> None:
    picture = sample()
    data = encode(picture, "PNG")
    (tmp_path / "photo.png").write_bytes(data)
    sources = (np.asarray(picture), picture, data, memoryview(data), tmp_path / "photo.png")
    photos = [Photo.of(source) for source in sources]
    assert len({photo.digest for photo in photos}) == 1
    assert all((photo.pixels == np.asarray(picture)).all() for photo in photos)
    assert Photo.of(photos[0]) is photos[0]


@pytest.mark.parametrize("name", [n for n in ODD if n[:4] in ("palette", "cmyk", "png ", "webp")])
def test_a_pillow_image_is_read_as_its_file_is(name: str) -> None:
    with Image.open(io.BytesIO(ODD[name])) as opened:
        assert Photo.of(opened).digest == load_photo(ODD[name]).digest


def test_a_callers_image_and_array_stay_as_they_are_and_are_not_shared() -> None:
    picture, array = sample(5120, 1280), np.array(sample())
    photo = Photo.of(picture)
    assert picture.size == (5120, 1280) and photo.pixels.shape == (1024, 4096, 3)
    assert photo.notes == ("Large photo of 5120 x 1280 pixels, a reduced copy is used.",)
    for kept in (Photo.of(array), Photo(array)):
        before = kept.pixels.copy()
        array[:] = 255 - array
        assert (kept.pixels == before).all() and not kept.pixels.flags.writeable


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.zeros((40, 40, 3)), r"uint8 RGB .* float64 of shape \(40, 40, 3\)\.$"),
        (np.zeros((40, 40), np.uint8), r"uint8 of shape \(40, 40\)\.$"),
        (np.zeros((3, 40, 40), np.uint8), r"uint8 of shape \(3, 40, 40\)\.$"),
        (np.zeros((9, 40, 3), np.uint8), r"only 40 x 9 pixels"),
        (np.zeros((0, 40, 3), np.uint8), r"only 40 x 0 pixels"),
        (Image.new("F", (40, 40)), r"mode F is no photo; convert it to RGB\.$"),
        (Image.new("RGB", (900, 40)), r"strip of 900 x 40"),
        (7, r"a uint8 array, not as int\.$"),
        (None, r"not as NoneType\.$"),
    ],
)
def test_what_is_no_photo_gets_a_sentence(source: object, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        Photo.of(source)  # type: ignore[arg-type]


def test_a_digest_cannot_be_invented() -> None:
    pixels = np.asarray(sample())
    with pytest.raises(TypeError):
        Photo(pixels, (), "mine")  # type: ignore[call-arg]
    assert Photo(pixels).digest == Photo(pixels, ("a note.",)).digest != Photo(~pixels).digest


def test_a_pillow_image_that_turns_out_broken_gets_a_sentence() -> None:
    data = encode(sample(), "PNG")
    with pytest.raises(ImageError, match=r"mode RGB cannot be read"):
        Photo.of(Image.open(io.BytesIO(data[: len(data) // 2])))
