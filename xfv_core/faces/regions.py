"""Eight face regions and the background, derived from five landmarks alone.

The regions are those of the part metrics: eyes, brows and forehead, nose, cheeks, mouth, chin.
Nobody labelled them; they are fixed shapes in a frame that the landmarks span, so they turn,
shrink and shift with the face.  Left and right are those of the picture, not of the person.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

REGIONS = (
    "background",
    "left eye",
    "right eye",
    "brows and forehead",
    "nose",
    "left cheek",
    "right cheek",
    "mouth",
    "chin",
)
_EYES_TO_MOUTH_OF_TEMPLATE = 40.68 / 35.24  # the aligned template: eye line to mouth / eye to eye


def face_regions(landmarks: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Label every pixel of an (H,W) crop with the index of its region in ``REGIONS``.

    ``landmarks`` is (5,2): xy in pixels, (0,0) the centre of the first pixel, in the detector's
    order (left eye, right eye, nose tip, left and right mouth corner, as in an upright picture).
    A landmark may lie outside the crop.  Raises ValueError if they do not span a face.
    """
    landmarks = np.asarray(landmarks, dtype=np.float64)
    if landmarks.shape != (5, 2):
        raise ValueError(f"expected five xy landmarks, got an array of shape {landmarks.shape}")
    rows, columns = np.indices(shape, dtype=np.float64)
    across, down = _to_face(np.stack([columns, rows], axis=-1), landmarks)
    return _paint(across, down, _to_face(landmarks, landmarks))


def _to_face(
    points: NDArray[np.float64], landmarks: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """xy (...,2) -> (across, down): ``down`` is 0 on the eye line and 1 on the mouth line.

    ``across`` is in the same unit on a frontal face; on a face turned up or down, whose eyes and
    mouth come closer, it is measured by the distance between the eyes instead.
    """
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    axis = mouth - eyes
    length = float(np.hypot(*axis))
    if length < 1e-6:
        raise ValueError("the landmarks' eyes and mouth coincide")
    axis = axis / length
    side = np.array([axis[1], -axis[0]])  # a quarter turn of the axis
    between = float((landmarks[1] - landmarks[0]) @ side)
    side = side if between >= 0 else -side  # a face in a mirror that was also turned over
    width = max(length, abs(between) * _EYES_TO_MOUTH_OF_TEMPLATE)
    offset = points - eyes
    return offset @ side / width, offset @ axis / length


def _paint(
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    marks: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.int8]:
    """Paint the regions from the largest to the smallest, later ones over earlier ones."""
    (left_eye, right_eye, nose, *corners), (left_down, right_down, nose_down, *_) = marks
    tip = float(np.clip(nose_down, 0.25, 0.75))
    middle = np.interp(down, (0.0, tip, 1.0), (0.0, nose, float(np.mean(corners))))
    aside = np.abs(across - middle)
    half_mouth = float(np.clip(np.ptp(corners) / 2, 0.2, 0.5))

    turned = float(np.clip(-0.7 * nose, -0.25, 0.25))  # a face shows more of the side it leaves
    face = _ellipse(across, down, (turned, 0.2), (0.97, 1.38), power=2.5)
    labels = np.where(across < middle, 5, 6).astype(np.int8)
    labels[down < -0.18] = 3
    labels[(down > 1) & (aside < 0.55)] = 8
    nose_end = tip + 0.17
    lip = np.interp(down, (nose_end, 1.0), (0.3, half_mouth + 0.1))
    labels[(down >= nose_end) & (down <= 1) & (aside < lip)] = 7
    wings = np.interp(down, (-0.18, 0.0, tip), (0.3, 0.1, 0.3))  # half the width, root to tip
    labels[(down > -0.18) & (down < nose_end) & (aside < wings)] = 4
    labels[_ellipse(across, down, (middle, 1.0), (half_mouth + 0.1, 0.22))] = 7
    labels[_ellipse(across, down, (left_eye, left_down), (0.33, 0.2))] = 1
    labels[_ellipse(across, down, (right_eye, right_down), (0.33, 0.2))] = 2
    labels[~face] = 0
    return labels


def _ellipse(
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    centre: tuple[float | NDArray[np.float64], float],
    radii: tuple[float, float],
    power: float = 2.0,
) -> NDArray[np.bool_]:
    """True inside; a power above 2 makes the ellipse fuller in its four corners."""
    horizontal = np.abs(across - centre[0]) / radii[0]
    vertical = np.abs(down - centre[1]) / radii[1]
    return np.asarray(horizontal**power + vertical**power <= 1)
