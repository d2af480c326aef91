"""A cohort: faces of strangers that a photo is compared with, to know how near strangers come.

Adaptive score normalisation, as speaker verification has used it (Matejka et al., Interspeech
2017), with the mean of the nearest as a measure of the photo. Every row is a centre, the mean of
at least three different photos, so that no person's template is shipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from scipy.special import expit

from xfv_core.confidence.curves import CalibrationError
from xfv_core.confidence.measures import (
    Floats,
    Pixels,
    Table,
    eye_features,
    mouth_features,
    sharpness,
)

NEAREST = 10  # centres whose mean similarity counts
SIZES = {"eyes": 6, "mouth": 7}


@dataclass(frozen=True, eq=False)
class Cohort:
    """What the measures of a network need.

    Attributes
    ----------
    faces, degraded : (K,D) and (L,D) unit centres of ordinary photos and of degraded ones.
    eyes, mouth : (6,) and (7,) weights of ``eye_features`` and ``mouth_features`` and, last, the
        intercept, whose logistic function is the probability that something covers them.
    """

    faces: NDArray[np.float32]
    degraded: NDArray[np.float32]
    eyes: NDArray[np.float32]
    mouth: NDArray[np.float32]

    def __post_init__(self) -> None:
        centres = self.faces, self.degraded
        if any(c.ndim != 2 or len(c) < NEAREST for c in centres):
            raise CalibrationError(f"a cohort needs {NEAREST} centres of either kind or more")
        if self.faces.shape[1] != self.degraded.shape[1]:
            raise CalibrationError("the two kinds of centres differ in length")
        for name, size in SIZES.items():
            if getattr(self, name).shape != (size,):
                raise CalibrationError(f"the cohort's {name} need {size} weights")

    def measure(self, raw: NDArray[np.float32], crops: Pixels) -> Table:
        """The measures of N photos: raw embeddings (N,D), template crops (N,112,112,3)."""
        norm = np.linalg.norm(raw, axis=1)  # (N,)
        unit = raw / np.maximum(norm, 1e-9)[:, None]
        return Table(
            norm=norm.astype(np.float64),
            sharpness=sharpness(crops),
            typicality=nearest(unit, self.faces),
            degradation=nearest(unit, self.degraded),
            eyes_covered=_logistic(eye_features(crops), self.eyes),
            mouth_covered=_logistic(mouth_features(crops), self.mouth),
        )

    def to_bytes(self) -> bytes:
        """A safetensors file; the centres in half precision."""
        halves = {"faces": self.faces, "degraded": self.degraded}
        tensors = {name: rows.astype(np.float16) for name, rows in halves.items()}
        return save(tensors | {"eyes": self.eyes, "mouth": self.mouth})

    @classmethod
    def from_bytes(cls, data: bytes) -> Cohort:
        """Inverse of ``to_bytes``; CalibrationError for anything else."""
        try:
            tensors = load(data)
            return cls(**{name: rows.astype(np.float32) for name, rows in tensors.items()})
        except (SafetensorError, TypeError, ValueError) as error:
            raise CalibrationError(f"this is no cohort: {error}") from error


def nearest(unit: NDArray[np.float32], centres: NDArray[np.float32]) -> Floats:
    """The mean of each photo's ``NEAREST`` largest cosines to the centres, (N,D) -> (N,)."""
    cosines = unit @ centres.T  # (N, K)
    return np.asarray(np.partition(cosines, -NEAREST, axis=1)[:, -NEAREST:].mean(1), np.float64)


def _logistic(features: Floats, weights: NDArray[np.float32]) -> Floats:
    return np.asarray(expit(features @ weights[:-1] + weights[-1]), np.float64)
