"""Build a cohort: centres of photos by k-means, and what tells a covered face from an open one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from xfv_core.confidence.cohort import Cohort
from xfv_core.confidence.measures import Floats, Pixels, eye_features, mouth_features
from xfv_core.evaluation.data.degrade import COVERS, Setting

Rows = NDArray[np.float32]
FACES = 900  # centres looked for among ordinary photos, PER_KIND among those degraded alike
PER_KIND = 24
BYTES = 1_900_000  # of a file, at two a number
FEWEST = 3  # photos of a centre
ROUNDS = 8
BLOCK = 4096
RIDGE = 1e-3  # on the weights of standardised features


def centres(unit: Rows, k: int, seed: int = 0) -> Rows:
    """At most ``k`` unit centres of (N,D) unit rows, each the mean of ``FEWEST`` or more."""
    rng = np.random.default_rng(seed)
    found = unit[rng.permutation(len(unit))[:k]]
    for _ in range(ROUNDS):
        found = _means(unit, found, 1)
    return _means(unit, found, FEWEST)


def build_cohort(
    faces: Rows, degraded: Rows, settings: Sequence[Setting], crops: Pixels, worse: Pixels
) -> Cohort:
    """From unit embeddings and template crops of ordinary photos and of degraded ones.

    ``settings``: how each of the degraded was; every kind and strength gets centres of its own.
    """
    keys = np.array([f"{setting.kind} {setting.value}" for setting in settings])
    kinds = [degraded[keys == key] for key in np.unique(keys)]
    room = BYTES // (2 * faces.shape[1])  # centres of an embedding of this length
    each = min(PER_KIND, max(1, room // 3 // len(kinds)))
    alike = [centres(rows, min(each, len(rows) // (2 * FEWEST))) for rows in kinds]
    labels = np.array([""] * len(crops) + [setting.kind for setting in settings])
    seen = labels != "mosaic"  # coarse squares say nothing about what lies under them
    both = np.concatenate([crops, worse])[seen]
    return Cohort(
        centres(faces, min(FACES, room - each * len(kinds))).astype(np.float16).astype(np.float32),
        np.concatenate(alike).astype(np.float16).astype(np.float32),
        eyes=logistic(eye_features(both), np.isin(labels[seen], COVERS["eyes"])),
        mouth=logistic(mouth_features(both), np.isin(labels[seen], COVERS["mouth"])),
    )


def logistic(features: Floats, labels: NDArray[np.bool_]) -> Rows:
    """Weights (M+1,), the intercept last, of a logistic regression with a small ridge."""
    centre, spread = features.mean(0), features.std(0)
    z = np.column_stack([(features - centre) / spread, np.ones(len(features))])

    def loss(w: Floats) -> tuple[float, Floats]:
        x = z @ w
        ridge = np.append(RIDGE * w[:-1], 0)
        return (
            float((np.logaddexp(0, x) - labels * x).mean() + ridge @ w / 2),
            np.asarray(z.T @ (expit(x) - labels) / len(z) + ridge),
        )

    w = minimize(loss, np.zeros(z.shape[1]), jac=True, method="L-BFGS-B").x
    slopes = w[:-1] / spread
    return np.append(slopes, w[-1] - slopes @ centre).astype(np.float32)


def _means(unit: Rows, found: Rows, fewest: int) -> Rows:
    """The unit means of what is nearest to each centre, where it is enough."""
    nearest = np.concatenate(
        [np.argmax(unit[i : i + BLOCK] @ found.T, axis=1) for i in range(0, len(unit), BLOCK)]
    )
    sums = np.zeros_like(found)
    np.add.at(sums, nearest, unit)
    kept = sums[np.bincount(nearest, minlength=len(found)) >= fewest]
    return np.asarray(kept / np.linalg.norm(kept, axis=1, keepdims=True))
