"""Evaluate a model on labelled pairs: verification, and how honest its probability is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xfv_core.confidence import Calibration
from xfv_core.confidence.cohort import Cohort
from xfv_core.confidence.conditional import Bars, PairCurve
from xfv_core.confidence.curves import Floats
from xfv_core.confidence.measures import Measures, Table
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
from xfv_core.strict_json import STRICT

RULE = "balanced"


@dataclass(frozen=True)
class PairRow:
    """A pair whose two photos had a face; ``pair``: its place in the list.

    Of a calibrated model also P(same) at equal priors, the similarity from which the rule says
    "same person", and the ``score`` by which verdicts are ordered: the similarity or, where every
    pair has a bar of its own, the ln LR beyond it. ``a``, ``b``: measures of the photos, where they
    count, and ``plain``: P(same) by the curve that takes none. ``columns``: what else the list
    says of the pair.
    """

    pair: int
    genuine: bool
    similarity: float
    fold: int | None = None
    probability: float | None = None
    threshold: float | None = None
    score: float | None = None
    a: Measures | None = None
    b: Measures | None = None
    plain: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    __pydantic_config__ = STRICT


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
) -> tuple[list[PairRow], dict[str, Any]]:
    """Verification on photos in ``root``: the pairs, and what ``summarise`` says of them.

    Without ``crop_photo`` the photos are aligned crops already; ``path``: what its crops are
    called. Measures count where there is a ``cohort`` and, for whole photos, a ``look`` that cuts
    them. Pairs with a photo in which no face was found are left out and those photos named in
    ``lost``. For a model whose similarity is a sum, aligned crops also give ``additivity_error``.
    """
    if pairs.folds is None and calibration is None:
        raise PairsError(
            f"{pairs.name} has no folds to choose a threshold on and {model.name} is not "
            "calibrated: run the calibrate command first"
        )
    look = aligned if crop_photo is None else look
    if cohort and look and root and calibration and calibration.conditional:
        rows, lost = _with_measures(model, pairs, root, calibration, cohort, look, partial)
    else:
        rows, lost = _without(model, pairs, root, crop_photo, calibration, partial)
    if len({row.genuine for row in rows}) < 2:
        raise PairsError(f"{pairs.name}: no genuine or no impostor pair is left to evaluate")
    table = summarise(rows)
    if root and crop_photo is None and isinstance(model, SumsOverPatches):
        table["additivity_error"] = additivity_error(model, pairs, root)
    return rows, table | {
        "model": model.name,
        "pairs": pairs.name,
        "path": ALIGNED if crop_photo is None else path,
        "lost": list(lost),
    }


def summarise(rows: Sequence[PairRow]) -> dict[str, Any]:
    """Verification by the folds of the set, or else by the balanced rule, as plain data.

    With a probability also how honest it is, ``fmr`` and ``fnmr`` of the balanced rule, Tippett and
    DET curves, and ``slices`` by deciles of each measure and by the set's other columns; where
    measures count, ``alone`` is the same of the curve that takes none.
    """
    table: dict[str, Any] = asdict(_verified(rows))
    low, high = table["accuracy_interval"]
    if rows[0].probability is not None:
        same = _column(rows, "similarity") >= _column(rows, "threshold")
        columns = {key: [row.columns[key] for row in rows] for key in rows[0].columns}
        measured = [(row.a.table(), row.b.table()) for row in rows if row.a and row.b]
        if measured:
            a, b = (Table.joined(list(side)) for side in zip(*measured, strict=True))
            columns = measure_columns(a, b) | columns
        table |= {"rule": RULE, "measures": bool(measured)}
        p, scores = (_column(rows, key) for key in ("probability", "score"))
        y = _column(rows, "genuine").astype(bool)
        whole = report(p, same, scores, y, columns)
        table |= {key: value for key, value in whole.items() if key not in table}
        if rows[0].plain is not None:
            plain = _column(rows, "plain")
            table["alone"] = judged(plain, plain >= 0.5, y)  # the balanced rule
    return table | {
        "n": len(rows),
        "accuracy": {"mean": table["accuracy"], "low": low, "high": high},
    }


def _column(rows: Sequence[PairRow], key: str) -> Floats:
    return np.array([getattr(row, key) for row in rows], np.float64)


def _verified(rows: Sequence[PairRow]) -> Verification:
    """At the rule of the folds, or the calibrated one of each pair."""
    y = _column(rows, "genuine")
    if rows[0].fold is not None:
        folds = _column(rows, "fold").astype(np.intp)
        return verify(_column(rows, "similarity"), y, folds=folds)
    threshold = None if rows[0].a else rows[0].threshold
    judged = verify(_column(rows, "score"), y, threshold=threshold or 0.0)
    return replace(judged, threshold=threshold)


def _rows(
    pairs: PairSet, kept: NDArray[np.bool_], s: Floats, **found: Sequence[Any]
) -> list[PairRow]:
    """The ``kept`` pairs (N,) of a set, with what was found of those that are left."""
    return [
        PairRow(
            pair=int(i),
            genuine=bool(pairs.labels[i]),
            similarity=float(s[k]),
            fold=None if pairs.folds is None else int(pairs.folds[i]),
            columns={name: values[i] for name, values in pairs.columns.items()},
            **{name: values[k] for name, values in found.items()},
        )
        for k, i in enumerate(np.flatnonzero(kept))
    ]


def _without(
    model: FaceEmbedder,
    pairs: PairSet,
    root: Path | None,
    crop_photo: CropPhoto | None,
    calibration: Calibration | None,
    partial: bool,
) -> tuple[list[PairRow], tuple[str, ...]]:
    """By the similarity alone; the photos without a face."""
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
    known: dict[str, Sequence[Any]] = {}
    if calibration is not None:
        p = calibration.probabilities(s).tolist()
        thresholds = [calibration.point(RULE).threshold] * len(s)
        known = {"probability": p, "threshold": thresholds, "score": s.tolist()}
    return _rows(pairs, kept, s, **known), measured.lost


def _with_measures(
    model: FaceEmbedder,
    pairs: PairSet,
    root: Path,
    calibration: Calibration,
    cohort: Cohort,
    look: Look,
    partial: bool,
) -> tuple[list[PairRow], tuple[str, ...]]:
    """By the similarity and the measures of both photos; the photos without a face."""
    if not isinstance(model, HasRaw) or calibration.conditional is None:
        raise PairsError(f"{model.name} has no measures")
    found = measure_pairs(model, cohort, pairs, root, look, partial=partial)
    curve, s = calibration.conditional, found.similarities
    bars = curve.bars(found.a, found.b)
    told = told_of_pairs(found.a, found.b, s, curve, bars, calibration)
    threshold = curve.thresholds(bars, RULE).tolist()
    return _rows(pairs, found.kept, s, threshold=threshold, **told), found.lost


def told_of_pairs(
    a: Table, b: Table, s: Floats, curve: PairCurve, bars: Bars, alone: Calibration
) -> dict[str, list[Any]]:
    """What rows of N pairs hold because measures count; ``alone``: the curve that takes none."""
    return {
        "probability": curve.probabilities(s, bars).tolist(),
        "score": (bars.slope * (s - bars.upper)).tolist(),
        "a": [a.row(i) for i in range(len(s))],
        "b": [b.row(i) for i in range(len(s))],
        "plain": alone.probabilities(s).tolist(),
    }
