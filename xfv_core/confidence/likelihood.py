"""How good likelihood ratios are: C_llr and its parts, Tippett and DET curves.

    C_llr = ½ (mean over genuine pairs of log2(1 + 1/LR) + mean over impostors of log2(1 + LR))

(Brümmer and du Preez, 2006), in bits; 1 for a system that always says LR = 1. Its minimum is that
of the best monotone map of the same scores (pool adjacent violators); what is above the minimum is
lost by calibration, the minimum by discrimination. ``p`` are probabilities at equal priors, where
LR = p/(1-p), so on as many genuine as impostor pairs C_llr is NLL / ln 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import xlogy

from xfv_core.confidence.curves import Floats, Labels
from xfv_core.confidence.scores import Interval, Scores, error_rates, score, wilson

SURE = {"above_99": 0.99, "above_99_9": 0.999}
TIPPETT_STEPS = np.linspace(-4, 4, 81)  # of log10 LR
DET_POINTS = 60
RULE_OF_THREE = 3.0  # no error in n trials: below 3/n with 95 % confidence


def cllr(p: Floats, labels: Labels) -> float:
    """C_llr in bits; infinite where a probability of 0 or 1 is wrong."""
    genuine, impostor = xlogy(1, p[labels]).mean(), xlogy(1, 1 - p[~labels]).mean()
    return float(-(genuine + impostor) / 2 / np.log(2))


def cllr_min(p: Floats, labels: Labels) -> float:
    """C_llr after the best monotone map of ``p``, at equal class weights."""
    _, tied = np.unique(p, return_inverse=True)
    weight = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    mass = np.bincount(tied, weight)
    genuine = np.bincount(tied, weight * labels)
    best = isotonic_regression(genuine / mass, weights=mass).x
    return max(0.0, cllr(np.clip(best[tied], 0, 1), labels))


@dataclass(frozen=True)
class Sure:
    """Pairs whose more probable answer is above a limit.

    ``share`` of all pairs; ``right``: how many of them are, with its interval, None where none is.
    """

    n: int
    share: float
    right: float | None
    right_interval: Interval | None


def sure(p: Floats, labels: Labels, limit: float) -> Sure:
    """What becomes of the answers that claim more than ``limit``."""
    there = np.maximum(p, 1 - p) > limit
    n, right = int(there.sum()), int(((p >= 0.5) == labels)[there].sum())
    if not n:
        return Sure(0, 0.0, None, None)
    return Sure(n, n / len(p), right / n, wilson(right, n))


@dataclass(frozen=True)
class Probability:
    """Everything that says how honest and how useful a probability is on ``n`` pairs.

    ``scores`` are at the set's own share of genuine pairs, C_llr at equal priors.
    """

    scores: Scores
    cllr: float
    cllr_min: float
    sure: dict[str, Sure]

    @property
    def cllr_cal(self) -> float:
        """What calibration loses of C_llr."""
        return self.cllr - self.cllr_min

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        s = self.scores
        plain = {name: vars(found) for name, found in self.sure.items()}
        return {"n": s.n, "ece": s.ece, "ece_band": s.ece_band, "nll": s.nll, "brier": s.brier,
                "cllr": self.cllr, "cllr_min": self.cllr_min, "cllr_cal": self.cllr_cal,
                **plain}  # fmt: skip


def probability(p: Floats, labels: Labels, seed: int = 0) -> Probability:
    """Judge (N,) probabilities at equal priors against labels of both kinds."""
    found = {name: sure(p, labels, limit) for name, limit in SURE.items()}
    return Probability(score(p, labels, seed), cllr(p, labels), cllr_min(p, labels), found)


def tippett(p: Floats, labels: Labels) -> list[dict[str, Any]]:
    """For steps of log10 LR: the shares of genuine and of impostor pairs at or above it, each with
    its 95 % interval."""
    log_lr = np.log10(p) - np.log10(1 - p)
    sides = {"genuine": log_lr[labels], "impostor": log_lr[~labels]}
    rows: list[dict[str, Any]] = []
    for step in TIPPETT_STEPS.tolist():
        row: dict[str, Any] = {"log10_lr": step}
        for name, found in sides.items():
            k = int((found >= step).sum())
            row |= {name: k / len(found), f"{name}_interval": wilson(k, len(found))}
        rows.append(row)
    return rows


def det(scores: Floats, labels: Labels) -> dict[str, Any]:
    """FMR and FNMR with 95 % intervals over thresholds, and the lowest rates the sample can carry.

    ``scores``: (N,) greater where one person is more likely.
    """
    rates = error_rates(scores, labels)
    n_genuine, n_impostor = int(labels.sum()), int((~labels).sum())
    target = np.geomspace(1 / n_impostor, 1, DET_POINTS)
    rows = sorted({int(np.argmax(rates.fmr <= most + 1e-12)) for most in target})
    points = []
    for i in rows:
        fmr, fnmr = float(rates.fmr[i]), float(rates.fnmr[i])
        points.append(
            {
                "threshold": float(rates.thresholds[i]),
                "fmr": fmr,
                "fmr_interval": wilson(round(fmr * n_impostor), n_impostor),
                "fnmr": fnmr,
                "fnmr_interval": wilson(round(fnmr * n_genuine), n_genuine),
            }
        )
    return {
        "points": points,
        "lowest_fmr": RULE_OF_THREE / n_impostor,
        "lowest_fnmr": RULE_OF_THREE / n_genuine,
    }
