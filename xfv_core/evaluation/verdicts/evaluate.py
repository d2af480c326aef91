"""Evaluate a model on labelled pairs: verification, and how honest its probability is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xfv_core.confidence import Calibration
from xfv_core.confidence.cohort import Cohort
from xfv_core.confidence.curves import Floats, Labels
from xfv_core.evaluation.data.pairs import PairsError, PairSet
from xfv_core.evaluation.verdicts.calibration import ALIGNED, SERVED, CropPhoto, measure
from xfv_core.evaluation.verdicts.measured import (
    Look,
    aligned,
    judged,
    measure_columns,
    measure_pairs,
    report,
)
from xfv_core.evaluation.verdicts.verification import Verification, additivity_error, verify
from xfv_core.models.base import FaceEmbedder, HasRaw, SumsOverPatches

RULE = "balanced"


class _Found(NamedTuple):
    """What there is of the pairs that are left: similarities, which they are, lost photos.

    Where the model is calibrated also P(same), verdicts, what decides them, the threshold on that
    (None where every pair has a bar of its own and the score is the ln LR beyond it), and columns
    of measures; ``alone``: how the curve does that takes none.
    """

    similarities: Floats
    kept: NDArray[np.bool_]
    lost: tuple[str, ...]
    p: Floats | None = None
    same: Labels | None = None
    scores: Floats | None = None
    threshold: float | None = None
    columns: Mapping[str, Sequence[str]] = {}
    alone: Mapping[str, Any] = {}


def evaluate_model(
    model: FaceEmbedder,
    pairs: PairSet,
    root: Path | None,
    *,
    crop_photo: CropPhoto | None = None,
    calibration: Calibration | None = None,
    cohort: Cohort | None = None,
    look: Look | None = None,
    partial: bool = False,
    path: str = SERVED,
) -> dict[str, Any]:
    """Verification on photos in ``root``, as plain data: by the folds of the set, or else by the
    balanced rule of ``calibration``. Without ``crop_photo`` the photos are aligned crops already;
    ``path``: what its crops are called.

    With a calibration also ``probability``, ``fmr`` and ``fnmr`` of the balanced rule, Tippett and
    DET curves and ``slices`` by deciles of each measure and by the set's other columns. Measures
    count where there is a ``cohort`` and, for whole photos, a ``look`` that cuts them; ``alone`` is
    then how the curve does that takes none.
    Pairs with a photo in which no face was found are left out and those photos named in ``lost``.
    For a model whose similarity is a sum, aligned crops also give ``additivity_error``.
    """
    if pairs.folds is None and calibration is None:
        raise PairsError(
            f"{pairs.name} has no folds to choose a threshold on and {model.name} is not "
            "calibrated: run the calibrate command first"
        )
    look = aligned if crop_photo is None else look
    if cohort and look and root and calibration and calibration.conditional:
        found = _with_measures(model, pairs, root, calibration, cohort, look, partial)
    else:
        found = _without(model, pairs, root, crop_photo, calibration, partial)
    y = pairs.labels[found.kept]
    if len(set(y)) < 2:
        raise PairsError(f"{pairs.name}: no genuine or no impostor pair is left to evaluate")
    table: dict[str, Any] = asdict(_verified(found, pairs, y))
    if root and crop_photo is None and isinstance(model, SumsOverPatches):
        table["additivity_error"] = additivity_error(model, pairs, root)
    low, high = table["accuracy_interval"]
    if found.p is not None and found.same is not None and found.scores is not None:
        kept = {name: np.array(v)[found.kept].tolist() for name, v in pairs.columns.items()}
        table |= {"rule": RULE, "measures": bool(found.columns), "alone": found.alone}
        whole = report(found.p, found.same, found.scores, y, {**found.columns, **kept})
        table |= {key: value for key, value in whole.items() if key not in table}
    return table | {
        "model": model.name,
        "pairs": pairs.name,
        "path": ALIGNED if crop_photo is None else path,
        "lost": list(found.lost),
        "n": len(y),
        "accuracy": {"mean": table["accuracy"], "low": low, "high": high},
    }


def _verified(found: _Found, pairs: PairSet, y: Labels) -> Verification:
    """At the rule of the folds, or the calibrated one of each pair."""
    if pairs.folds is not None:
        return verify(found.similarities, y, folds=pairs.folds[found.kept])
    assert found.scores is not None  # no folds: calibrated
    judged = verify(found.scores, y, threshold=found.threshold or 0.0)
    return replace(judged, threshold=found.threshold)


def _without(
    model: FaceEmbedder,
    pairs: PairSet,
    root: Path | None,
    crop_photo: CropPhoto | None,
    calibration: Calibration | None,
    partial: bool,
) -> _Found:
    """By the similarity alone."""
    measured = measure(
        model,
        pairs,
        images=root if crop_photo is None else None,
        photos=root,
        crop_photo=crop_photo,
        partial=partial,
        degraded_copies=False,
    )
    s = measured.paths[ALIGNED if crop_photo is None else SERVED]
    kept = np.isfinite(s)
    s = s[kept]
    if calibration is None:
        return _Found(s, kept, measured.lost)
    threshold = calibration.point(RULE).threshold
    p = calibration.probabilities(s)
    return _Found(s, kept, measured.lost, p, s >= threshold, s, threshold)


def _with_measures(
    model: FaceEmbedder,
    pairs: PairSet,
    root: Path,
    calibration: Calibration,
    cohort: Cohort,
    look: Look,
    partial: bool,
) -> _Found:
    """By the similarity and the measures of both photos."""
    if not isinstance(model, HasRaw) or calibration.conditional is None:
        raise PairsError(f"{model.name} has no measures")
    found = measure_pairs(model, cohort, pairs, root, look, partial=partial)
    curve, s = calibration.conditional, found.similarities
    bars = curve.bars(found.a, found.b)
    same = s >= curve.thresholds(bars, RULE)
    scores = bars.slope * (s - bars.upper)
    p = curve.probabilities(s, bars)
    plain = calibration.probabilities(s), s >= calibration.point(RULE).threshold
    alone = judged(*plain, found.labels)
    return _Found(s, found.kept, found.lost, p, same, scores, None, measure_columns(found), alone)
