"""The geometry of crops, on pictures computed by hand."""

from __future__ import annotations

import facenet_pytorch
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.faces.pictures import apply, blurred_noise, face_at, grey, moved
from xfv_core.faces import TEMPLATE, align, crop_box, recut, similarity
from xfv_core.faces.crops import crop_to_photo, cut
from xfv_core.faces.detect import _turned_back


@settings(deadline=None)
@given(
    st.floats(0.05, 20),
    st.floats(-180, 180),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_a_similarity_is_recovered_from_its_points(
    scale: float, degrees: float, shift: tuple[float, float]
) -> None:
    matrix = similarity(moved(TEMPLATE, scale, degrees, shift), TEMPLATE)
    assert np.allclose(apply(matrix, moved(TEMPLATE, scale, degrees, shift)), TEMPLATE, atol=1e-6)


@settings(deadline=None)
@given(st.lists(st.floats(-9, 9), min_size=10, max_size=10), st.sampled_from(range(4)))
def test_no_other_similarity_fits_better(noise: list[float], which: int) -> None:
    source = TEMPLATE + np.reshape(noise, (5, 2))
    best = similarity(source, TEMPLATE)
    a, b = (np.eye(2)[which % 2] * 1e-3 * (1 if which < 2 else -1)).tolist()
    other = best + np.array([[a, -b, 0], [b, a, 0]])
    other[:, 2] += (apply(best, source) - apply(other, source)).mean(axis=0)
    errors = [((apply(matrix, source) - TEMPLATE) ** 2).sum() for matrix in (best, other)]
    assert errors[0] <= errors[1] + 1e-9


def test_a_face_already_on_the_template_is_not_touched() -> None:
    photo = blurred_noise(112, 112)
    crop = align(photo, TEMPLATE)
    assert np.allclose(crop.matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    assert (crop.pixels == photo).all() and np.allclose(crop.landmarks, TEMPLATE, atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.4, 4), st.floats(-170, 170), st.sampled_from([56, 112, 160]))
def test_what_lies_at_a_point_of_the_photo_lies_at_its_image_in_the_crop(
    scale: float, degrees: float, size: int
) -> None:
    landmarks = moved(TEMPLATE - 56, scale, degrees, (200, 180))
    spot = np.array([207.0, 171.0])
    y, x = np.indices((400, 400))
    bump = 250 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * (3 * scale) ** 2))
    crop = align(grey(bump), landmarks, size)
    weight = crop.pixels[..., 0].astype(float)
    rows, columns = np.indices((size, size))
    centre = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    assert np.abs(centre - apply(crop.matrix, spot)).max() < 0.12


def test_a_pattern_too_fine_for_the_crop_turns_grey_and_not_into_stripes() -> None:
    y, x = np.indices((1200, 1200))
    photo = grey((x + y) % 2 * 255)
    for scale in (2.3, 3, 5, 7.5):
        crop = align(photo, moved(TEMPLATE - 56, scale, 20, (600, 600)))
        assert crop.pixels.std() < 10 and abs(crop.pixels.mean() - 127) < 3


def test_beyond_the_photo_a_crop_is_black() -> None:
    photo = np.full((112, 112, 3), 200, np.uint8)
    crop = align(photo, TEMPLATE - (56, 0))  # the right half of the face is in the photo
    assert (crop.pixels[:, :54] == 0).all() and (crop.pixels[:, 58:] == 200).all()
    far = align(photo, TEMPLATE + 1000)
    assert far.pixels.shape == (112, 112, 3) and (far.pixels == 0).all()


def stored_crop(photo: np.ndarray, box: tuple[int, ...], margin: int) -> np.ndarray:
    tensor = facenet_pytorch.extract_face(Image.fromarray(photo), np.array(box), 160, margin)
    return tensor.permute(1, 2, 0).numpy()


@pytest.mark.parametrize(
    ("margin", "box"),  # such that facenet-pytorch's cut to whole pixels changes nothing
    [(0, (120, 90, 220, 230)), (14, (60, 90, 206, 382)), (32, (150, 150, 214, 278))],
)
def test_a_box_inside_the_photo_is_cropped_as_facenet_pytorch_does(
    box: tuple[int, ...], margin: int
) -> None:
    photo = blurred_noise(450, 450, 8)
    crop = crop_box(photo, face_at(box), 160, margin)
    difference = np.abs(crop.pixels.astype(float) - stored_crop(photo, box, margin))
    assert difference.mean() < 0.7


def test_a_box_beyond_the_photo_is_padded_and_not_squeezed() -> None:
    photo = np.full((200, 200, 3), 180, np.uint8)
    crop = crop_box(photo, face_at((-50, 20, 50, 120)), 100, 0)
    assert (crop.pixels[:, :48] == 0).all() and (crop.pixels[:, 52:] == 180).all()
    assert np.allclose(apply(crop.matrix, np.array([-0.5, 19.5])), (49.5, -0.5))


def test_a_box_is_stretched_to_a_square_with_half_the_margin_on_each_side() -> None:
    crop = crop_box(blurred_noise(300, 300), face_at((100, 100, 173, 246)), 160, 14)
    corners = np.array([(100, 100), (173, 246)]) - 0.5  # edges as pixel indices
    assert np.allclose(apply(crop.matrix, corners), [(6.5, 6.5), (152.5, 152.5)])


def test_a_square_crop_keeps_the_shape_of_the_face() -> None:
    crop = crop_box(blurred_noise(300, 300), face_at((100, 100, 173, 246)), 160, 14, stretch=False)
    corners = np.array([(100, 100), (173, 246)]) - 0.5
    half = 73 * 146 / 146 / 2  # 146 px stay 146 px, 73 px stay 73 px, in the middle
    assert np.allclose(apply(crop.matrix, corners), [(79.5 - half, 6.5), (79.5 + half, 152.5)])


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_the_box_of_a_turned_face_is_cropped_upright(turn: int) -> None:
    photo = blurred_noise(200, 240)
    box = np.array([(60, 50), (130, 150)])
    lying = np.ascontiguousarray(np.rot90(photo, -turn))
    edges = np.sort(_turned_back(box - 0.5, photo.shape, turn) + 0.5, axis=0)
    points = _turned_back(TEMPLATE + 40, photo.shape, turn)
    upright = crop_box(photo, face_at(box.ravel(), TEMPLATE + 40))
    turned = crop_box(lying, face_at(edges.ravel(), points, turn))
    assert np.abs(upright.pixels.astype(int) - turned.pixels).max() <= 1
    assert np.allclose(upright.landmarks, turned.landmarks, atol=1e-3)


def test_a_crop_cut_again_larger_shows_the_same_square_sharper() -> None:
    photo = blurred_noise(600, 600, 2)
    crop = align(photo, moved(TEMPLATE - 56, 4, 12, (300, 300)))
    assert (recut(photo, crop, 112) == crop.pixels).all()
    larger = recut(photo, crop, 336)
    back = np.asarray(Image.fromarray(larger).reduce(3)).astype(int)
    blown_up = np.asarray(Image.fromarray(crop.pixels).resize((336, 336), 3))
    assert np.abs(back - crop.pixels).mean() < 1
    assert (
        np.abs(np.diff(larger.astype(int), axis=0)).mean()
        > 1.2 * np.abs(np.diff(blown_up.astype(int), axis=0)).mean()
    )


def test_a_crops_corners_come_back_to_the_square_they_were_cut_from() -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    crop = cut(pixels, np.array([[2.0, 0, -19.5], [0, 2.0, -9.5]]), TEMPLATE, 20)
    back = crop_to_photo(crop, 60)  # the crop is 10 px of the photo from (10, 5)
    assert np.allclose(apply(back, np.array([[0.0, 0], [60, 60]])), [[10, 5], [20, 15]])
