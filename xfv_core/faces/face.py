"""A face that was found, and the rule by which several looks at one photo are united."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Upright, LFW has a face above SURE in nearly every photo and none below POSSIBLE; upside down or
# lying, none is NEARLY_CERTAIN.
NEARLY_CERTAIN, SURE, POSSIBLE = 0.999, 0.98, 0.85
CUT = "The face is cut off by the edge of the photo."


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


def certainty(faces: Sequence[Face]) -> float:
    """The highest probability among ``faces``, 0 where there are none."""
    return max((face.probability for face in faces), default=0.0)


def area(face: Face) -> float:
    """Of the box, in pixels."""
    return float(np.prod(face.box[2:] - face.box[:2]))


def common(one: Face, other: Face) -> float:
    """Area of the intersection of two boxes, in pixels."""
    low, high = np.maximum(one.box[:2], other.box[:2]), np.minimum(one.box[2:], other.box[2:])
    return float(np.prod(np.maximum(high - low, 0)))


def overlap(one: Face, other: Face) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    both = common(one, other)
    return both / (area(one) + area(other) - both)


def once_each(*looks: Sequence[Face]) -> list[Face]:
    """The faces of several looks at one photo, each once.

    Of two boxes of one face the earlier look's stays, unless that one is doubtful and the later
    less so. What lies inside a larger face is a part of it, an eye mostly, unless the larger one
    is doubtful and the part nearly certain: then the larger one goes.
    """
    faces: list[Face] = []
    for face in (face for look in looks for face in look):
        double = next((i for i, known in enumerate(faces) if overlap(known, face) > 0.3), None)
        if double is None:
            faces.append(face)
        elif faces[double].probability < min(SURE, face.probability):
            faces[double] = face
    around = [face for face in faces if not _disproved(face, faces)]
    return [face for face in around if not any(_inside(face, other) for other in around)]


def _disproved(face: Face, faces: Sequence[Face]) -> bool:
    return face.probability < SURE and any(
        part.probability >= NEARLY_CERTAIN and _inside(part, face) for part in faces
    )


def _inside(part: Face, whole: Face) -> bool:
    """Whether most of a smaller box lies in a larger one."""
    return area(part) < area(whole) and common(part, whole) > 0.6 * area(part)
