"""Measures of one photo: what changes the meaning of a similarity, computed once per photo.

The names of ISO/IEC 29794-5 (face image quality) stand in ``Measure.component`` where a measure
plays the part of one of its components. Two are of the embedding before it is normalised or of its
place among other faces, three of the pixels of the crop on the five-point template.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]
TEMPLATE_SIDE = 112  # px; the boxes below lie on this crop
GREY = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Measure:
    """What a measure is called, what it counts and what it means to somebody who reads a verdict.

    ``poor``: the end of its range that speaks against the photo. ``component``: in ISO/IEC 29794-5,
    "" where that standard has none.
    """

    title: str
    unit: str
    range: tuple[float, float | None]
    poor: str
    component: str
    sentence: str


MEASURES = {
    "norm": Measure(
        "embedding norm", "length", (0, None), "low", "UnifiedQualityScore",
        "How much of a face the network found: the length of the embedding before it is made 1.",
    ),
    "sharpness": Measure(
        "sharpness", "ln of grey levels", (-7, 7), "low", "Sharpness",
        "How much fine detail the crop has: the spread of its Laplacian, as a logarithm.",
    ),
    "typicality": Measure(
        "typicality", "cosine", (-1, 1), "high", "",
        "How near strangers come to this face: its mean similarity to the nearest of many faces.",
    ),
    "degradation": Measure(
        "likeness to degraded photos", "cosine", (-1, 1), "high", "",
        "How near the photo comes to blurred, coarse, dark and covered faces of strangers.",
    ),
    "eyes_covered": Measure(
        "eyes covered", "probability", (0, 1), "high", "EyesVisible",
        "Whether dark glasses or something else seem to cover the eyes.",
    ),
    "mouth_covered": Measure(
        "mouth covered", "probability", (0, 1), "high", "MouthOcclusion",
        "Whether a mask or something else seems to cover the mouth.",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """The measures of one photo under one network; ranges and units in ``MEASURES``."""

    norm: float
    sharpness: float
    typicality: float
    degradation: float
    eyes_covered: float
    mouth_covered: float

    def table(self) -> Table:
        """As a table of one row."""
        return Table(**{name: np.array([value]) for name, value in asdict(self).items()})


@dataclass(frozen=True, eq=False)
class Table:
    """The measures of N photos, one (N,) array each."""

    norm: Floats
    sharpness: Floats
    typicality: Floats
    degradation: Floats
    eyes_covered: Floats
    mouth_covered: Floats

    def __len__(self) -> int:
        return len(self.norm)

    def __getitem__(self, rows: Any) -> Table:
        """The photos of ``rows``: an index array, a mask or a slice."""
        return Table(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def row(self, i: int) -> Measures:
        """One photo."""
        return Measures(**{f.name: float(getattr(self, f.name)[i]) for f in fields(self)})

    @classmethod
    def joined(cls, tables: list[Table]) -> Table:
        """The photos of several tables, one after the other."""
        return cls(
            **{f.name: np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(cls)}
        )


def sharpness(crops: Pixels) -> Floats:
    """ln of the standard deviation of the Laplacian of the grey (N,112,112,3) crops -> (N,)."""
    grey = crops @ GREY  # (N, 112, 112)
    inner = grey[:, 1:-1, 1:-1]
    beside = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return np.log((beside - 4 * inner).std((1, 2)) + 1e-3)


def eye_features(crops: Pixels) -> Floats:
    """What tells covered eyes: (N,112,112,3) template crops -> (N,5), logarithms.

    Mean, spread, brightest tenth and vertical detail of the eyes, and the mean of the cheeks, each
    against the brighter of forehead and bridge of the nose.
    """
    grey = crops @ GREY
    eyes = np.concatenate([_box(grey, x, 52.5, 9, 5) for x in (38.3, 73.5)], axis=2)
    cheeks = np.concatenate([_box(grey, x, 75, 5, 5) for x in (33, 79)], axis=2)
    level = _level(grey)
    return np.stack(
        [
            np.log(_mean(eyes) + 4) - np.log(level),
            np.log(eyes.std((1, 2)) + 1) - np.log(level),
            np.log(np.quantile(eyes, 0.9, axis=(1, 2)) + 4) - np.log(level),
            _detail(eyes) - np.log(level),
            np.log(_mean(cheeks) + 4) - np.log(level),
        ],
        axis=1,
    )


def mouth_features(crops: Pixels) -> Floats:
    """What tells a covered mouth: (N,112,112,3) template crops -> (N,6).

    Mean, spread and vertical detail of the mouth, and its difference in colour from the bridge of
    the nose, against the brighter of forehead and bridge.
    """
    grey = crops @ GREY
    red, blue = crops[..., 0] - grey, crops[..., 2] - grey
    mouth, level = _box(grey, 56, 92, 13, 6), _level(grey)
    wide = [_box(plane, 56, 92, 13, 8) for plane in (grey, red, blue)]
    redder, bluer = (
        (_mean(part) - _mean(_box(plane, 56, 60, 4, 6))) / level
        for part, plane in zip(wide[1:], (red, blue), strict=True)
    )
    return np.stack(
        [
            np.log(_mean(mouth) + 4) - np.log(level),
            np.log(mouth.std((1, 2)) + 1) - np.log(level),
            np.abs(redder),
            np.abs(bluer),
            redder,
            _detail(wide[0]) - np.log(level),
        ],
        axis=1,
    )


def _box(plane: Floats, x: float, y: float, width: float, height: float) -> Floats:
    """The pixels around (x, y): (N,112,112) -> (N,h,w)."""
    rows = slice(round(y - height), round(y + height) + 1)
    return plane[:, rows, round(x - width) : round(x + width) + 1]


def _level(grey: Floats) -> Floats:
    """How bright the upper face is, (N,)."""
    forehead = np.concatenate([_box(grey, x, 36, 6, 4) for x in (42, 70)], axis=2)
    return np.maximum(_mean(forehead), _mean(_box(grey, 56, 60, 4, 6))) + 4


def _mean(part: Floats) -> Floats:
    return np.asarray(part.mean((1, 2)))


def _detail(part: Floats) -> Floats:
    """ln of the mean step from row to row, (N,)."""
    return np.log(np.abs(np.diff(part, axis=1)).mean((1, 2)) + 0.3)
