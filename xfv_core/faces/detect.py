"""Faces in a photo, by several looks of MTCNN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xfv_core.errors import XfvError
from xfv_core.faces.face import (
    CUT,
    NEARLY_CERTAIN,
    POSSIBLE,
    SURE,
    Face,
    area,
    certainty,
    once_each,
    overlap,
)

if TYPE_CHECKING:
    import torch

_SMALLEST = 20  # px, what MTCNN was trained down to
_SHARE = 0.06  # of the long side that a face must have to be looked for at once
_LARGE = 0.2  # of the long side, what the second look is for
_CROWD = 0.12  # of the long side: where several faces are smaller, there may be smaller ones yet
_CLEARLY = 8  # times less doubt
_GREY = 128  # zero to the network: of six ways to pad, the one that found most tight crops


class NoFaceError(XfvError):
    """No face in a photo."""


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

        The photo is shrunk to ``long_side`` px (320 suits a live camera), where faces from 6 % of
        it upwards are looked for; and, unless not ``thorough``, at a quarter of that with a border,
        for large faces which the first look passes over. Only where these leave a doubt: finer,
        for small ones; turned by 90, 180 and 270 degrees.
        """
        if thorough:
            found = self._thorough(pixels, long_side)
        else:
            found = once_each(self._look(pixels, long_side))
        if not found:
            raise NoFaceError(
                "No face was found; use a photo in which the face is larger, upright and well lit."
            )
        sure = [face for face in found if face.probability >= SURE]
        faces = self._with_room(sure, pixels, long_side) if sure else found
        return tuple(sorted(faces, key=area, reverse=True))

    def _thorough(self, pixels: NDArray[np.uint8], side: int) -> list[Face]:
        found = self._twice(pixels, side) or self._look(pixels, 2 * side, share=0)
        if certainty(found) < NEARLY_CERTAIN:
            found = self._best_turn(found, pixels, side)
        turn = found[0].turn if found else 0
        for finer in _finer(found, side, max(pixels.shape)):
            found = once_each(found, self._look(pixels, finer, share=0, turn=turn))
        return found

    def _twice(self, pixels: NDArray[np.uint8], side: int, turn: int = 0) -> list[Face]:
        """As a whole, and coarsely with a border for the faces that are large."""
        coarse = self._look(pixels, side // 4, share=_LARGE, border=0.25, turn=turn)
        return once_each(self._look(pixels, side, turn=turn), coarse)

    def _best_turn(self, upright: list[Face], pixels: NDArray[np.uint8], side: int) -> list[Face]:
        """Upside down a face looks like one too, but less so.

        Photos are upright mostly: what is found in a turned one has to be clearly more certain.
        """
        turned = max((self._twice(pixels, side, turn) for turn in (1, 3, 2)), key=certainty)
        doubt, turned_doubt = 1 - certainty(upright), 1 - certainty(turned)
        return turned if turned_doubt * _CLEARLY < doubt else upright

    def _with_room(self, faces: list[Face], pixels: NDArray[np.uint8], side: int) -> list[Face]:
        """Faces cut off by the edge as they are found with a border round the photo.

        There the landmarks beyond the edge are inferred from the face; without the border they are
        squeezed inwards or thrown far out, and the alignment with them.
        """
        if not any(CUT in face.warnings for face in faces):
            return faces
        turn = faces[0].turn
        wide = self._look(pixels, side, share=2 * _SHARE, border=0.5, turn=turn)
        roomy = [face for face in wide if face.probability >= SURE]
        return [
            max((f for f in roomy if overlap(f, face) > 0.3), key=area, default=face)
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
        border: float = 0,
        turn: int = 0,
    ) -> list[Face]:
        """Faces from ``share`` of the long side upwards; ``border`` in long sides."""
        copy = np.rot90(_shrunk(pixels, side), turn)
        scale = max(copy.shape) / max(pixels.shape)
        around = int(border * max(copy.shape))
        padding = ((around, around), (around, around), (0, 0))
        framed = np.pad(copy, padding, constant_values=_GREY)
        faces = []
        for row, points in self._mtcnn(framed, max(_SMALLEST, share * max(copy.shape))):
            corners = _turned_back(row[:4].reshape(2, 2) - around - 0.5, copy.shape, turn)
            landmarks = _turned_back(points - around, copy.shape, turn)
            box = np.sort((corners + 0.5) / scale, axis=0).reshape(4)
            landmarks = (landmarks + 0.5) / scale - 0.5
            faces.append(_face(box, landmarks, float(row[4]), turn, pixels.shape))
        return [face for face in faces if face.probability >= POSSIBLE]

    def _mtcnn(
        self, pixels: NDArray[np.uint8], smallest: float
    ) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """-> [(x0, y0, x1, y1, probability), (5,2) landmarks] of each face."""
        rows, points = self._networks.detect(pixels, smallest)
        return list(zip(rows.astype(float), points.astype(float), strict=True))


def _finer(found: list[Face], side: int, long_side: int) -> list[int]:
    """The sides at which to look for smaller faces, none where there is no reason to."""
    if certainty(found) < SURE:
        return sorted({min(side, long_side), min(2 * side, long_side)})
    largest = max(np.ptp(face.box.reshape(2, 2), axis=0).max() for face in found)
    return [side] if len(found) > 1 and largest < _CROWD * long_side else []


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
        "The detector is not sure that this is a face.": probability < SURE,
        "The face is turned far to the side.": sideways > 0.4
        or between < 0.6 * np.linalg.norm(mouth - middle),
    }
    return tuple(reason for reason, holds in reasons.items() if holds)
