"""Detection on the example photos."""

from __future__ import annotations

import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.faces.pictures import apply, blurred_noise, face_at
from xfv_core.faces import (
    TEMPLATE,
    Crop,
    FaceDetector,
    NoFaceError,
    align,
    crop_box,
    pick_central,
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
