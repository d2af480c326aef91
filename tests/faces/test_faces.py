"""Detection on the example photos, and the geometry of crops on pictures computed by hand."""

from __future__ import annotations

import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import facenet_pytorch
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from PIL import Image
from scipy.ndimage import gaussian_filter

from xfv_core.faces import (
    TEMPLATE,
    Crop,
    Face,
    FaceDetector,
    NoFaceError,
    align,
    crop_box,
    pick_central,
    recut,
    similarity,
)
from xfv_core.faces.detect import _turned_back
from xfv_core.faces.images import load_photo

NAMES = [
    "astronaut",
    "biden",
    "obama",
    "obama2",
    "obama3",
    "obama_partial_face",
    "obama_partial_face2",
]


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def astronaut(examples: Path) -> np.ndarray:
    return load_photo(examples / "astronaut.jpg").pixels


def face_at(box: ArrayLike, landmarks: ArrayLike = TEMPLATE, turn: int = 0) -> Face:
    return Face(np.asarray(box, np.float32), np.asarray(landmarks, np.float32), 1.0, turn=turn)


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def moved(points: np.ndarray, scale: float, degrees: float, shift: tuple[float, float]):
    turn = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return points @ (scale * rotation).T + shift


def grey(values: np.ndarray) -> np.ndarray:
    """(H,W) in [0, 255] -> (H,W,3) uint8."""
    return np.repeat(np.round(values).astype(np.uint8)[..., None], 3, axis=2)


def blurred_noise(height: int, width: int, sigma: float = 3) -> np.ndarray:
    noise = np.random.default_rng(5).normal(size=(height, width, 3))
    smooth = gaussian_filter(noise, (sigma, sigma, 0))
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("long_side", [800, 320])
def test_every_example_shows_one_face_with_its_points_in_place(
    detector: FaceDetector, examples: Path, name: str, long_side: int
) -> None:
    (face,) = detector.detect(load_photo(examples / f"{name}.jpg").pixels, long_side=long_side)
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert face.turn == 0 and face.probability >= 0.98
    cut = "The face is cut off by the edge of the photo."
    assert (cut in face.warnings) == ("partial" in name)
    assert face.box.dtype == face.landmarks.dtype == np.float32


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_photo_on_its_side_is_turned_and_says_so(
    detector: FaceDetector, astronaut: np.ndarray, turn: int
) -> None:
    upright = detector.detect(astronaut)[0]
    lying = np.ascontiguousarray(np.rot90(astronaut, -turn))
    face = detector.detect(lying)[0]
    assert face.turn == turn and "turned" in face.warnings[-1]
    for crop, expected in (
        (align(lying, face.landmarks), align(astronaut, upright.landmarks)),
        (crop_box(lying, face), crop_box(astronaut, upright)),
    ):
        assert np.abs(crop.landmarks - expected.landmarks).max() < 0.1
        assert np.abs(crop.pixels.astype(int) - expected.pixels).mean() < 1.5


def test_a_face_that_fills_its_photo_is_found_by_padding(
    detector: FaceDetector, astronaut: np.ndarray
) -> None:
    (around,) = detector.detect(astronaut)
    low, high = np.round(around.landmarks.min(0) - 12), np.round(around.landmarks.max(0) + 12)
    (x0, y0), (x1, y1) = low.astype(int), high.astype(int)
    (face,) = detector.detect(np.ascontiguousarray(astronaut[y0:y1, x0:x1]))
    assert np.abs(face.landmarks + np.array([x0, y0]) - around.landmarks).max() < 4


def test_a_small_face_in_a_large_photo_is_found_by_looking_closer(
    detector: FaceDetector, astronaut: np.ndarray
) -> None:
    small = Image.fromarray(astronaut).resize((160, 160), Image.Resampling.LANCZOS)
    photo = Image.new("RGB", (1500, 1000), (90, 100, 110))
    photo.paste(small, (1200, 500))
    (face,) = detector.detect(np.asarray(photo))
    assert 1200 < face.landmarks[:, 0].min() < face.landmarks[:, 0].max() < 1360
    assert any("small" in warning for warning in face.warnings)


def test_of_several_faces_the_largest_comes_first(detector: FaceDetector, examples: Path) -> None:
    large, small = (Image.open(examples / f"{name}.jpg") for name in ("obama", "biden"))
    both = Image.new("RGB", (large.width + small.width, 800))
    both.paste(small, (0, 0))
    both.paste(large, (small.width, 0))
    first, second = detector.detect(np.asarray(both))
    assert first.box[0] > small.width > second.box[2]


def test_the_most_central_face_is_picked() -> None:
    faces = [face_at((0, 0, 90, 90)), face_at((110, 60, 130, 80)), face_at((150, 0, 190, 50))]
    assert pick_central(faces, (150, 250, 3)) == 1


@pytest.mark.parametrize("pixels", [blurred_noise(300, 200), np.zeros((64, 64, 3), np.uint8)])
def test_a_photo_without_a_face_is_told_so(detector: FaceDetector, pixels: np.ndarray) -> None:
    with pytest.raises(NoFaceError, match=r"^No face was found; .*\.$"):
        detector.detect(pixels)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 3), st.integers(16, 100))
def test_no_size_of_picture_breaks_the_detector(
    detector: FaceDetector, height: int, width: int, sigma: int, long_side: int
) -> None:
    try:
        faces = detector.detect(blurred_noise(height, width, sigma), long_side=long_side)
    except NoFaceError:
        return
    assert all(0.85 <= face.probability <= 1 for face in faces)


def test_one_detector_serves_several_threads(detector: FaceDetector, examples: Path) -> None:
    photos = [load_photo(examples / f"{name}.jpg").pixels for name in NAMES[:4]]
    alone = [detector.detect(photo)[0].landmarks for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda photo: detector.detect(photo)[0].landmarks, photos))
    assert all(np.allclose(a, b, atol=1e-3) for a, b in zip(alone, together, strict=True))


@settings(deadline=None)
@given(st.integers(0, 3), st.integers(1, 6), st.integers(1, 6))
def test_points_of_a_turned_copy_turn_back(turn: int, height: int, width: int) -> None:
    photo = np.arange(height * width).reshape(height, width)
    copy = np.rot90(photo, turn)
    y, x = np.indices(copy.shape).reshape(2, -1)
    back = _turned_back(np.column_stack([x, y]), copy.shape, turn).astype(int)
    assert (photo[back[:, 1], back[:, 0]] == copy[y, x]).all()


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


def test_a_crop_knows_where_its_landmarks_are(
    detector: FaceDetector, astronaut: np.ndarray
) -> None:
    face = detector.detect(astronaut)[0]
    crops: list[Crop] = [align(astronaut, face.landmarks, 224), crop_box(astronaut, face)]
    for crop in crops:
        assert np.allclose(apply(crop.matrix, face.landmarks), crop.landmarks, atol=1e-3)
    assert np.abs(crops[0].landmarks / 2 - TEMPLATE).max() < 8


@pytest.mark.data
@pytest.mark.slow
def test_no_face_of_the_benchmark_is_lost(detector: FaceDetector, research_data: Path) -> None:
    with tarfile.open(research_data / "lfw250_folds1-3.tar") as photos:
        for member in [m for m in photos if m.isfile()][::80]:
            stream = photos.extractfile(member)
            assert stream is not None
            photo = load_photo(stream.read())
            faces = detector.detect(photo.pixels)
            box = faces[pick_central(faces, photo.pixels.shape)].box
            assert np.abs(box.reshape(2, 2).mean(axis=0) - 125).max() < 40, member.name
