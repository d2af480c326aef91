"""What the detector asks its networks, and what it makes of their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from xfv_core.faces import TEMPLATE, Face, FaceDetector, NoFaceError
from xfv_core.faces.detect import _face, _finer, _shrunk
from xfv_core.faces.face import CUT, NEARLY_CERTAIN, SURE

Found = list[tuple[Sequence[float], float]]  # boxes in the frame, their probabilities
UPRIGHT = TEMPLATE - TEMPLATE.min(0)
PHOTO = np.full((400, 800, 3), 50, np.uint8)


class Scripted:
    """Networks that answer as they are told and note what they were asked."""

    def __init__(self, answer: Callable[[np.ndarray, float], Found]) -> None:
        self.answer = answer
        self.asked: list[tuple[tuple[int, ...], float]] = []

    def detect(self, pixels: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append((pixels.shape[:2], round(smallest, 6)))
        found = self.answer(pixels, smallest)
        rows = np.array([[*box, p] for box, p in found]).reshape(-1, 5)
        points = [TEMPLATE / 112 * (box[2] - box[0]) + box[:2] for box, _ in found]
        return rows, np.array(points).reshape(-1, 5, 2)


def scripted(answer: Callable[[np.ndarray, float], Found]) -> tuple[FaceDetector, Scripted]:
    detector = FaceDetector.__new__(FaceDetector)
    detector._networks = networks = Scripted(answer)  # type: ignore[assignment]
    return detector, networks


def face(side: float, probability: float = 1.0, at: float = 100.0, turn: int = 0) -> Face:
    box = np.array([at, at, at + side, at + side], np.float32)
    return Face(box, (TEMPLATE / 112 * side + at).astype(np.float32), probability, (), turn)


def test_a_sure_face_takes_two_looks_the_coarse_one_with_a_grey_border() -> None:
    frames = []

    def answer(pixels: np.ndarray, smallest: float) -> Found:
        frames.append(pixels)
        return [((200, 100, 400, 300), 0.9999)] if smallest == 48 else []

    detector, networks = scripted(answer)
    (found,) = detector.detect(np.repeat(np.repeat(PHOTO, 2, 0), 2, 1), long_side=800)
    # the whole at half its size, faces from 6 %; a quarter of that, a border of 50, from 20 %
    assert networks.asked == [((200, 300), 40.0), ((400, 800), 48.0)]
    assert (frames[0][0, 0] == 128).all() and (frames[0][50:-50, 50:-50] == 50).all()
    assert found.box.tolist() == [400, 200, 800, 600] and found.turn == 0
    expected = (TEMPLATE / 112 * 200 + (200, 100) + 0.5) * 2 - 0.5
    assert np.allclose(found.landmarks, expected, atol=1e-4)


def test_a_face_in_the_border_of_a_look_lies_where_it_is_in_the_photo() -> None:
    detector, _ = scripted(lambda p, _: [((30, 35, 70, 75), 0.9999)] if len(p) == 100 else [])
    (found,) = detector.detect(PHOTO, long_side=400)
    assert found.box.tolist() == [40, 80, 360, 400]  # 25 px of border, an eighth of the photo
    expected = (TEMPLATE / 112 * 40 + (30 - 25, 35 - 25) + 0.5) * 8 - 0.5
    assert np.allclose(found.landmarks, expected, atol=1e-4)


def test_a_camera_takes_one_look() -> None:
    detector, networks = scripted(lambda *_: [((10, 10, 60, 60), 0.99)])
    assert len(detector.detect(PHOTO, long_side=320, thorough=False)) == 1
    assert networks.asked == [((160, 320), 20.0)]
    with pytest.raises(NoFaceError):
        scripted(lambda *_: [])[0].detect(PHOTO, thorough=False)


def test_where_nothing_is_found_it_looks_for_smaller_ones_then_turned() -> None:
    detector, networks = scripted(lambda *_: [])
    with pytest.raises(NoFaceError):
        detector.detect(PHOTO, long_side=300)
    assert networks.asked[2] == ((300, 600), 20.0)  # twice as fine
    assert [shape for shape, _ in networks.asked[3:9]] == [
        (111, 74), (300, 150), (111, 74), (300, 150), (74, 111), (150, 300),
    ]  # fmt: skip


def test_what_is_hardly_possible_is_no_face() -> None:
    with pytest.raises(NoFaceError):
        scripted(lambda *_: [((10, 10, 60, 60), 0.84)])[0].detect(PHOTO, thorough=False)


def test_beside_a_sure_face_a_doubtful_one_goes_and_alone_it_stays_with_a_warning() -> None:
    both = [((10, 10, 60, 60), 0.9999), ((200, 10, 290, 100), 0.9)]
    (sure,) = scripted(lambda *_: both)[0].detect(PHOTO, thorough=False)
    assert sure.probability == pytest.approx(0.9999)
    (doubtful,) = scripted(lambda *_: both[1:])[0].detect(PHOTO, thorough=False)
    assert "The detector is not sure that this is a face." in doubtful.warnings


@pytest.mark.parametrize(("doubt", "turn"), [(0.0012, 1), (0.0013, 0)])
def test_a_turned_photo_has_to_be_eight_times_less_doubtful(doubt: float, turn: int) -> None:
    detector, _ = scripted(lambda *_: [])
    upright, turned = face(100, 0.99), face(100, 1 - doubt, turn=1)
    detector._twice = lambda pixels, side, turn=0: [turned] if turn == 1 else []  # type: ignore[method-assign]
    assert detector._best_turn([upright], PHOTO, 400)[0].turn == turn


def test_only_a_face_that_is_not_nearly_certain_competes_with_turned_looks() -> None:
    sides = []

    def answer(pixels: np.ndarray, smallest: float) -> Found:
        sides.append(pixels.shape[0] > pixels.shape[1])
        return [((40, 20, 90, 70), told)]

    for probability, turned in ((NEARLY_CERTAIN, False), (NEARLY_CERTAIN - 0.001, True)):
        sides.clear()
        told = probability
        scripted(answer)[0].detect(PHOTO, long_side=400)
        assert any(sides) == turned


@pytest.mark.parametrize(
    ("found", "sides"),
    [
        ([], [400, 500]),
        ([face(300, SURE - 0.001)], [400, 500]),
        ([face(300)], []),
        ([face(59)], []),
        ([face(59), face(30)], [400]),
        ([face(60), face(30)], []),
    ],
)
def test_it_looks_finer_where_nothing_is_sure_or_all_of_several_are_small(
    found: list[Face], sides: list[int]
) -> None:
    assert _finer(found, 400, 500) == sides


def test_a_face_cut_off_is_taken_as_a_border_shows_it_and_others_as_they_are() -> None:
    cut = _face(np.array([-30.0, 100, 70, 200]), UPRIGHT + np.array([-9, 110]), 1.0, 0, PHOTO.shape)
    whole, asked = face(100, at=250), []
    roomy, other = face(130, at=-40), face(90, at=255)
    roomy.box[[1, 3]] += 130
    doubtful = face(170, 0.9, at=-60)
    doubtful.box[[1, 3]] += 140
    detector, _ = scripted(lambda *_: [])
    detector._look = lambda *a, **how: asked.append(how) or [roomy, other, doubtful]  # type: ignore
    assert CUT in cut.warnings
    assert detector._with_room([cut, whole], PHOTO, 400) == [roomy, whole]
    assert asked == [{"share": 0.12, "border": 0.5, "turn": 0}]
    assert detector._with_room([whole], PHOTO, 400) == [whole] and len(asked) == 1


WARNINGS = {
    "small": "The face is small, its eyes are 19 pixels apart.",
    "side": "The face is turned far to the side.",
    "cut": CUT,
}


@pytest.mark.parametrize(
    ("scale", "nose", "at", "expected"),
    [
        (1.0, 0, 100, []),
        (19.4 / 35.237, 0, 100, ["small"]),
        (20.4 / 35.237, 0, 100, []),
        (1.0, 13, 100, []),
        (1.0, 16, 100, ["side"]),
        (1.0, -16, 100, ["side"]),
        (1.0, 0, -12, ["cut"]),
        (1.0, 0, -9, []),
    ],
)
def test_what_is_wrong_with_a_face_is_said(
    scale: float, nose: float, at: float, expected: list[str]
) -> None:
    points = TEMPLATE * scale
    points[2, 0] += nose
    box = np.array([0, 0, 112, 112]) * scale + at
    found = _face(box, points + at, 1.0, 0, (400, 400, 3))
    assert list(found.warnings) == [WARNINGS[name] for name in expected]


def test_a_face_with_a_point_beyond_the_edge_is_cut_off() -> None:
    points = TEMPLATE.copy()
    points[3, 1] = 400
    assert CUT in _face(np.array([0.0, 0, 112, 112]), points, 1.0, 0, (400, 400, 3)).warnings


def test_in_a_turned_crowd_smaller_faces_are_looked_for_in_the_turned_photo() -> None:
    few = [((10, 10, 40, 40), 0.9999), ((60, 10, 90, 40), 0.9999)]
    one_more = [*few, ((120, 10, 140, 30), 0.9999)]

    def answer(pixels: np.ndarray, smallest: float) -> Found:
        if pixels.shape != (800, 400, 3):
            return []
        turned = [((y, 800 - x1, y1, 800 - x), p) for (x, y, x1, y1), p in one_more]
        return turned if smallest == 20 else turned[:2]

    found = scripted(answer)[0].detect(PHOTO)
    assert len(found) == 3 and {face.turn for face in found} == {1}


def test_a_profile_whose_eyes_are_near_each_other_is_turned_far() -> None:
    points = TEMPLATE.copy()
    points[:2, 0] = points[:2, 0].mean() + np.array([-10, 10])
    points[2, 0] = points[:2, 0].mean()
    found = _face(np.array([100.0, 100, 212, 212]), points + 100, 1.0, 0, (400, 400, 3))
    assert WARNINGS["side"] in found.warnings


def test_a_photo_is_shrunk_to_its_long_side_and_never_to_nothing() -> None:
    assert _shrunk(PHOTO, 200).shape == (100, 200, 3)
    assert _shrunk(PHOTO, 800) is PHOTO
    assert _shrunk(np.zeros((1, 4000, 3), np.uint8), 100).shape == (1, 100, 3)
