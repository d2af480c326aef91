"""Several looks at one photo: which faces there are, each once, and which way up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from xfv_core.faces import Face, FaceDetector, align
from xfv_core.faces.face import SURE, once_each, overlap
from xfv_core.faces.images import load_photo

Pixels = NDArray[np.uint8]
NAMES = ["astronaut", "biden", "obama", "obama2", "obama3"]


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def photos(examples: Path) -> dict[str, Pixels]:
    return {name: load_photo(examples / f"{name}.jpg").pixels for name in NAMES}


def face_at(x: float, y: float, side: float, probability: float = 1.0) -> Face:
    box = np.array([x, y, x + side, y + side], np.float32)
    return Face(box, np.zeros((5, 2), np.float32), probability)


def head(photo: Pixels, face: Face, side: int, around: float = 0.8) -> Image.Image:
    """The square of ``2 * around`` times the face's box, as (side,side)."""
    middle, reach = face.box.reshape(2, 2).mean(axis=0), around * np.ptp(face.box[1::2])
    area = tuple(np.round([*(middle - reach), *(middle + reach)]).astype(int).tolist())
    return Image.fromarray(photo).crop(area).resize((side, side), Image.Resampling.LANCZOS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_turned_example_gives_the_face_of_the_upright_one(
    detector: FaceDetector, photos: dict[str, Pixels], name: str, turn: int
) -> None:
    upright = photos[name]
    (expected,) = detector.detect(upright)
    lying = np.ascontiguousarray(np.rot90(upright, -turn))
    (face,) = detector.detect(lying)
    assert face.turn == turn and any("not upright" in warning for warning in face.warnings)
    crops = [align(p, f.landmarks).pixels for p, f in ((upright, expected), (lying, face))]
    assert np.abs(crops[0].astype(int) - crops[1]).mean() < 1.5


def test_a_crowd_of_small_faces_is_found_whole(
    detector: FaceDetector, photos: dict[str, Pixels]
) -> None:
    crowd = Image.new("RGB", (1600, 1150), (120, 120, 125))
    spots = [(x, y) for y in (330, 480, 630) for x in range(40, 1500, 170)]
    for i, spot in enumerate(spots):  # the first of each row larger than the rest
        name, side = NAMES[i % len(NAMES)], 140 if i % 9 == 0 else 66
        crowd.paste(head(photos[name], detector.detect(photos[name])[0], side), spot)
    faces = detector.detect(np.asarray(crowd))
    assert len(faces) == len(spots)
    assert all(face.probability >= SURE for face in faces)


def test_the_largest_face_is_found_where_the_first_look_passes_over_it(
    detector: FaceDetector, photos: dict[str, Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    two = Image.new("RGB", (1000, 800), (120, 120, 125))
    two.paste(head(photos["obama"], detector.detect(photos["obama"])[0], 700), (20, 50))
    two.paste(head(photos["biden"], detector.detect(photos["biden"])[0], 200), (760, 300))
    pixels = np.asarray(two)
    largest, other = detector.detect(pixels)
    look, looks = detector._look, []

    def without_the_largest(*request: Any, **how: Any) -> list[Face]:
        looks.append(how)
        found = look(*request, **how)
        return found if len(looks) > 1 else [f for f in found if overlap(f, largest) == 0]

    monkeypatch.setattr(detector, "_look", without_the_largest)
    first, second = detector.detect(pixels)
    assert overlap(first, largest) > 0.7 and overlap(second, other) > 0.7


@pytest.mark.data
def test_what_failed_on_photos_of_others_does_not(
    detector: FaceDetector, research_data: Path
) -> None:
    group = detector.detect(load_photo(research_data / "field" / "group_of_29.jpg").pixels)
    assert 26 <= len(group) <= 29
    (face,) = detector.detect(load_photo(research_data / "field" / "portrait_1200.jpg").pixels)
    assert np.ptp(face.box[1::2]) > 600  # and not the eye of 125 px


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [400, 1000, 1600])
def test_a_close_portrait_shows_one_face_and_no_eye(
    detector: FaceDetector, photos: dict[str, Pixels], name: str, side: int
) -> None:
    (around,) = detector.detect(photos[name])
    (face,) = detector.detect(np.asarray(head(photos[name], around, side, 0.55)))
    assert face.turn == 0 and np.ptp(face.box[1::2]) > 0.7 * side


def test_of_two_boxes_of_one_face_the_earlier_stays_unless_it_is_the_doubtful_one() -> None:
    early, late = face_at(0, 0, 100, 0.99), face_at(5, 5, 105, 0.999)
    assert once_each([early], [late]) == [early]
    early = face_at(0, 0, 100, 0.9)
    assert once_each([early], [late]) == [late]


def test_an_eye_inside_a_larger_face_is_no_face() -> None:
    eye, whole = face_at(60, 30, 20, 0.984), face_at(0, 0, 100, 0.96)
    assert once_each([eye], [whole]) == [whole] == once_each([whole], [eye])


def test_a_doubtful_box_round_a_nearly_certain_face_goes() -> None:
    face, hollow = face_at(60, 30, 20, 0.9999), face_at(0, 0, 100, 0.9)
    assert once_each([hollow], [face]) == [face]


def test_faces_beside_each_other_stay_two() -> None:
    pair = [face_at(0, 0, 100), face_at(80, 40, 60)]
    assert once_each(pair, pair) == pair and overlap(*pair) < 0.3
