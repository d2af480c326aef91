"""How well a model tells people apart, from similarities and labels.

LFW's protocol (Huang et al., 2007): the threshold of best accuracy on nine folds is scored on the
tenth. Without folds, the accuracy at a threshold that was fixed beforehand. Intervals are 95 %:
Wilson for counts, the percentile bootstrap over pairs (resampled within each class) for EER and
AUC; pairs that share a photo are counted as independent, as everywhere in the literature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from tqdm import tqdm

from xfv_core.confidence.curves import Floats, Labels
from xfv_core.confidence.scores import (
    FMR_TARGETS,
    ErrorRates,
    Interval,
    OperatingPoint,
    best_threshold,
    eer_threshold,
    error_rates,
    fmr_threshold,
    operating_point,
    wilson,
)
from xfv_core.evaluation.data.pairs import PairSet, PhotoStore
from xfv_core.evaluation.verdicts.calibration import read_crop
from xfv_core.models.base import BATCH, FaceEmbedder

RESAMPLES = 500
PROTOCOL = (
    "Every pair decided at the threshold of best accuracy on the other folds, or, without folds, "
    "at the calibrated one. 95 % intervals: Wilson for rates, the bootstrap over pairs, within "
    f"each class, {RESAMPLES} times, for EER and AUC."
)
ROC_FMRS = np.concatenate([[0.0], np.logspace(-4, 0, 81)])


@dataclass(frozen=True)
class Verification:
    """``accuracy`` is held out (``threshold`` None, ``fold_accuracies`` per fold) or taken at the
    given ``threshold``; ``best_accuracy`` is its optimistic bound, fitted on the pairs it scores.
    ``roc``: (FMR, TMR) at FMRs spaced evenly on a log scale. All rates in [0,1]."""

    n_genuine: int
    n_impostor: int
    accuracy: float
    accuracy_interval: Interval
    accuracy_std: float | None
    fold_accuracies: tuple[float, ...]
    fold_thresholds: tuple[float, ...]
    threshold: float | None
    best_accuracy: float
    best_threshold: float
    eer: float
    eer_interval: Interval
    auc: float
    auc_interval: Interval
    fnmr_at_fmr: tuple[OperatingPoint, ...]
    roc: tuple[tuple[float, float], ...]


def verify(
    similarities: ArrayLike,
    labels: ArrayLike,
    *,
    folds: NDArray[np.intp] | None = None,
    threshold: float | None = None,
    seed: int = 0,
) -> Verification:
    """Measure (N,) similarities against (N,) labels, by ``folds`` or at a fixed ``threshold``.

    Raises ValueError unless exactly one of the two is given.
    """
    s, y = np.asarray(similarities, np.float64), np.asarray(labels, bool)
    thresholds: tuple[float, ...] = ()
    per_fold: tuple[float, ...] = ()
    if folds is not None and threshold is None:
        thresholds, decided = held_out_verdicts(s, y, folds)
        per_fold = tuple(float((decided == y)[folds == f].mean()) for f in np.unique(folds))
    elif folds is None and threshold is not None:
        decided = s >= threshold
    else:
        raise ValueError("give either folds or a threshold")
    rates = error_rates(s, y)
    best = best_threshold(rates)
    right = int((decided == y).sum())
    eer_interval, auc_interval = bootstrap((eer, auc), s, y, seed=seed)
    return Verification(
        n_genuine=int(y.sum()),
        n_impostor=int((~y).sum()),
        accuracy=right / len(y),
        accuracy_interval=wilson(right, len(y)),
        accuracy_std=float(np.std(per_fold)) if per_fold else None,
        fold_accuracies=per_fold,
        fold_thresholds=thresholds,
        threshold=threshold,
        best_accuracy=float(((s >= best) == y).mean()),
        best_threshold=best,
        eer=eer(s, y),
        eer_interval=eer_interval,
        auc=auc(s, y),
        auc_interval=auc_interval,
        fnmr_at_fmr=tuple(
            operating_point(s, y, name, fmr_threshold(rates, target))
            for name, target in FMR_TARGETS.items()
        ),
        roc=roc(rates),
    )


def additivity_error(model: FaceEmbedder, pairs: PairSet, images: Path) -> float:
    """The largest |Σ patch scores - cosine| over the pairs, for the sums over either photo's
    patches and over all matches; ``images`` holds aligned crops, the model adds up."""
    network: Any = model
    worst = 0.0
    with PhotoStore(images) as store, torch.inference_mode():
        pairs = pairs.having(store)
        for start in tqdm(range(0, len(pairs), BATCH), desc="additivity", unit="batch"):
            rows = slice(start, start + BATCH)
            a, b = (
                torch.stack([read_crop(store, name) for name in names[rows]]).to(model.device)
                for names in (pairs.paths_a, pairs.paths_b)
            )  # (B,3,S,S) each
            cosines = (model.embed(a) * model.embed(b)).sum(1)
            scores = network.contributions(a, b)
            for total in (scores.a.sum(-1), scores.b.sum(-1), scores.k.sum((-1, -2))):
                worst = max(worst, float((total - cosines).abs().max()))
    return worst


def held_out_verdicts(
    s: Floats, y: Labels, folds: NDArray[np.intp]
) -> tuple[tuple[float, ...], Labels]:
    """The threshold of best accuracy without each fold, and each pair's verdict under it."""
    same = np.empty(len(y), bool)
    thresholds: list[float] = []
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        thresholds.append(best_threshold(error_rates(s[train], y[train])))
        same[test] = s[test] >= thresholds[-1]
    return tuple(thresholds), same


def eer(s: Floats, y: Labels) -> float:
    """The equal error rate: the mean of FMR and FNMR where they are nearest."""
    threshold = eer_threshold(error_rates(s, y))
    return float(((s[~y] >= threshold).mean() + (s[y] < threshold).mean()) / 2)


def auc(s: Floats, y: Labels) -> float:
    """Area under the ROC: how often a genuine pair outscores an impostor pair, ties half."""
    n = int(y.sum())
    return float((rankdata(s)[y].sum() - n * (n + 1) / 2) / (n * (len(y) - n)))


def roc(rates: ErrorRates) -> tuple[tuple[float, float], ...]:
    """(FMR, TMR) at the best threshold for each of ``ROC_FMRS``."""
    at = [int(np.argmax(rates.fmr <= most + 1e-12)) for most in ROC_FMRS]
    return tuple((float(rates.fmr[i]), float(1 - rates.fnmr[i])) for i in dict.fromkeys(at))


def bootstrap(
    statistics: tuple[Callable[[Floats, Labels], float], ...], s: Floats, y: Labels, seed: int = 0
) -> list[Interval]:
    """95 % percentile interval of each statistic over pairs resampled within each class."""
    rng = np.random.default_rng(seed)
    genuine, impostor = np.flatnonzero(y), np.flatnonzero(~y)
    resampled = np.empty((RESAMPLES, len(statistics)))
    for row in resampled:
        i = np.concatenate([rng.choice(side, len(side)) for side in (genuine, impostor)])
        row[:] = [statistic(s[i], y[i]) for statistic in statistics]
    low, high = np.quantile(resampled, (0.025, 0.975), axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))
