"""Faces in a photo, by several looks of MTCNN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xfv_core.errors import XfvError

if TYPE_CHECKING:
    import torch

_SURE, _POSSIBLE = 0.98, 0.85  # nearly every face of LFW is above the first, none below the second
_SMALLEST = 20  # px, what MTCNN was trained down to
_SHARE = 0.06  # of the long side that a face must have to be looked for at once
_GREY = 128  # zero to the network: of six ways to pad, the one that found most tight crops


CUT = "The face is cut off by the edge of the photo."


class NoFaceError(XfvError):
    """No face in a photo."""


@dataclass(frozen=True, eq=False)
class Face:
    """A detected face, in the coordinates of the photo it was found in.

    box : (4,) float32 edges x0, y0, x1, y1; may reach beyond the photo.
    landmarks : (5,2) float32 left eye, right eye, nose, left and right mouth corner, left and
        right as seen in the picture.
    probability : the detector's, in [0, 1].
    warnings : why results on this face are less certain, a sentence each.
    turn : quarter turns that bring the face upright, as in ``np.rot90(pixels, turn)``.
    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    probability: float
    warnings: tuple[str, ...] = ()
    turn: int = 0


class FaceDetector:
    """MTCNN on a bounded copy of the photo.

    Its state is read only after construction: one detector may serve several threads at once.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        """Load the networks; raises `DetectorError` where their files were changed."""
        from xfv_core.faces.mtcnn import MTCNN  # and torch with it

        self._networks = MTCNN(device)

    def detect(
        self, pixels: NDArray[np.uint8], *, long_side: int = 800, thorough: bool = True
    ) -> tuple[Face, ...]:
        """(H,W,3) uint8 RGB -> faces, largest first; raises `NoFaceError`.

        The photo is shrunk to ``long_side`` px first (320 suits a live camera), where faces from
        6 % of it upwards are found. Only if that gives none: padded, for faces that fill the
        photo; finer, for small ones; turned by 90, 270 and 180 degrees; not so unless ``thorough``.
        """
        doubtful: list[Face] = []
        for found in islice(self._attempts(pixels, long_side), None if thorough else 1):
            sure = [face for face in found if face.probability >= _SURE]
            if sure:
                sure = self._with_room(sure, pixels, long_side)
                return tuple(sorted(sure, key=_area, reverse=True))
            doubtful = doubtful or found
        if not doubtful:
            raise NoFaceError(
                "No face was found; use a photo in which the face is larger, upright and well lit."
            )
        return tuple(sorted(doubtful, key=_area, reverse=True))

    def _attempts(self, pixels: NDArray[np.uint8], side: int) -> Iterator[list[Face]]:
        yield self._look(pixels, side)
        yield self._look(pixels, side // 2, padded=True)
        yield self._look(pixels, 2 * side, share=0)
        turned = [self._look(pixels, side, turn=turn) for turn in (1, 2, 3)]
        yield max(turned, key=_certainty)  # an upside-down face looks like one, but less so

    def _with_room(self, faces: list[Face], pixels: NDArray[np.uint8], side: int) -> list[Face]:
        """Faces cut off by the edge as they are found with a border round the photo.

        There the landmarks beyond the edge are inferred from the face; without the border they are
        squeezed inwards or thrown far out, and the alignment with them.
        """
        if not any(CUT in face.warnings for face in faces):
            return faces
        roomy = [f for f in self._look(pixels, side, padded=True) if f.probability >= _SURE]
        return [
            max((f for f in roomy if _overlap(f, face) > 0.3), key=_area, default=face)
            if CUT in face.warnings
            else face
            for face in faces
        ]

    def _look(
        self,
        pixels: NDArray[np.uint8],
        side: int,
        *,
        share: float = _SHARE,
        padded: bool = False,
        turn: int = 0,
    ) -> list[Face]:
        copy = np.rot90(_shrunk(pixels, side), turn)
        scale = max(copy.shape) / max(pixels.shape)
        border = max(copy.shape) // 2 if padded else 0
        padding = ((border, border), (border, border), (0, 0))
        framed = np.pad(copy, padding, constant_values=_GREY)
        faces = []
        for row, points in self._mtcnn(framed, max(_SMALLEST, share * max(framed.shape))):
            corners = _turned_back(row[:4].reshape(2, 2) - border - 0.5, copy.shape, turn)
            landmarks = _turned_back(points - border, copy.shape, turn)
            box = np.sort((corners + 0.5) / scale, axis=0).reshape(4)
            landmarks = (landmarks + 0.5) / scale - 0.5
            faces.append(_face(box, landmarks, float(row[4]), turn, pixels.shape))
        return [face for face in faces if face.probability >= _POSSIBLE]

    def _mtcnn(
        self, pixels: NDArray[np.uint8], smallest: float
    ) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """-> [(x0, y0, x1, y1, probability), (5,2) landmarks] of each face."""
        rows, points = self._networks.detect(pixels, smallest)
        return list(zip(rows.astype(float), points.astype(float), strict=True))


def pick_central(faces: Sequence[Face], shape: tuple[int, ...]) -> int:
    """Index of the face nearest to the middle of a photo of shape (H,W,...), for data sets."""
    middle = np.array([shape[1], shape[0]]) / 2
    centres = [face.box.reshape(2, 2).mean(axis=0) for face in faces]
    return int(np.argmin([np.linalg.norm(centre - middle) for centre in centres]))


def _shrunk(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = Image.fromarray(pixels)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))


def _turned_back(
    points: NDArray[np.float64], shape: tuple[int, ...], turn: int
) -> NDArray[np.float64]:
    """Points (N,2) in a copy of this shape, made by ``np.rot90(_, turn)`` -> before that."""
    height, width = shape[:2]
    for _ in range(turn):
        points = np.column_stack([height - 1 - points[:, 1], points[:, 0]])
        height, width = width, height
    return points


def _face(
    box: NDArray[np.float64],
    landmarks: NDArray[np.float64],
    probability: float,
    turn: int,
    shape: tuple[int, ...],
) -> Face:
    warnings = _warnings(box, landmarks, probability, shape)
    if turn:
        warnings += ("The photo is not upright and was turned to find the face.",)
    return Face(box.astype(np.float32), landmarks.astype(np.float32), probability, warnings, turn)


def _warnings(
    box: NDArray[np.float64],
    landmarks: NDArray[np.float64],
    probability: float,
    shape: tuple[int, ...],
) -> tuple[str, ...]:
    eyes, size = landmarks[1] - landmarks[0], box[2:] - box[:2]
    between = float(np.linalg.norm(eyes))
    middle, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    sideways = abs((landmarks[2] - middle) @ eyes) / max(between, 1e-6) ** 2
    beyond = np.concatenate([-box[:2], box[2:] - (shape[1], shape[0])]) / np.tile(size, 2)
    outside = (landmarks < 0).any() or (landmarks > (shape[1] - 1, shape[0] - 1)).any()
    reasons = {
        f"The face is small, its eyes are {between:.0f} pixels apart.": between < 20,
        CUT: outside or beyond.max() > 0.1,
        "The detector is not sure that this is a face.": probability < _SURE,
        "The face is turned far to the side.": sideways > 0.4
        or between < 0.6 * np.linalg.norm(mouth - middle),
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def _certainty(faces: Sequence[Face]) -> float:
    return max((face.probability for face in faces), default=0.0)


def _area(face: Face) -> float:
    return float(np.prod(face.box[2:] - face.box[:2]))


def _overlap(one: Face, other: Face) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(one.box[:2], other.box[:2]), np.minimum(one.box[2:], other.box[2:])
    common = float(np.prod(np.maximum(high - low, 0)))
    return common / (_area(one) + _area(other) - common)
