"""How good a probability or a threshold is: ECE, Brier, NLL, reliability, error rates.

Error rates at threshold θ (same iff s >= θ): FMR = share of impostor pairs accepted, FNMR = share
of genuine pairs rejected. ECE uses equal-mass bins (Nguyen and O'Connor 2015). A pair set need not
be balanced: probabilities at equal priors are moved to the set's own prior before they are scored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from xfv_core.confidence.curves import CalibrationError, Floats, Labels

Interval = tuple[float, float]

ECE_BINS, UNCERTAIN_BINS = 15, 5
UNCERTAIN = (0.05, 0.95)
FEWEST_UNCERTAIN = 20  # four to a bin; fewer say nothing
COARSE_BELOW = 10  # expected errors
FMR_TARGETS = {"fmr_1e-2": 1e-2, "fmr_1e-3": 1e-3}


def nll(p: Floats, labels: Labels) -> float:
    """Mean negative log-likelihood in nats."""
    return float(-np.mean(np.where(labels, xlogy(1, p), xlogy(1, 1 - p))))


def brier(p: Floats, labels: Labels) -> float:
    """Mean squared error of the probability."""
    return float(np.mean((p - labels) ** 2))


def ece(p: Floats, labels: Labels, bins: int = ECE_BINS) -> float:
    """Expected calibration error: mass-weighted |mean p - share of genuine|, equal-mass bins."""
    order, starts = np.argsort(p, kind="stable"), _bin_starts(len(p), bins)
    return float(np.abs(np.add.reduceat((p - labels)[order], starts)).sum() / len(p))


def chance_band(p: Floats, bins: int = ECE_BINS, n_sim: int = 2000, seed: int = 0) -> Interval:
    """The 95 % band of the ECE that these ``p`` would show if every one of them were right."""
    rng = np.random.default_rng(seed)
    p = np.sort(p)
    starts = _bin_starts(len(p), bins)
    draws = [
        np.abs(np.add.reduceat(p - (rng.random(len(p)) < p), starts)).sum() / len(p)
        for _ in range(n_sim)
    ]
    low, high = np.quantile(draws, (0.025, 0.975)).tolist()
    return low, high


@dataclass(frozen=True)
class ReliabilityBin:
    """One point of the reliability diagram: mean p against the share of genuine pairs."""

    n: int
    mean_p: float
    genuine: float


def reliability(p: Floats, labels: Labels, bins: int = ECE_BINS) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram over equal-mass bins, from the lowest p to the highest."""
    order = np.argsort(p, kind="stable")
    parts = np.split(order, _bin_starts(len(p), bins)[1:])
    return tuple(ReliabilityBin(len(i), float(p[i].mean()), float(labels[i].mean())) for i in parts)


def _bin_starts(n: int, bins: int) -> NDArray[np.intp]:
    bins = min(bins, n)
    return np.arange(bins) * n // bins


@dataclass(frozen=True)
class Scores:
    """A probability measured on ``n`` pairs.

    ``*_band`` is the 95 % band of that ECE for a perfectly calibrated model; the ``uncertain``
    figures are over the pairs with 0.05 < p < 0.95 and None where those are too few to tell.
    """

    n: int
    ece: float
    ece_band: Interval
    nll: float
    brier: float
    n_uncertain: int
    ece_uncertain: float | None
    ece_uncertain_band: Interval | None


def score(p: Floats, labels: Labels, seed: int = 0) -> Scores:
    """Score probabilities (equal priors, strictly inside (0,1)) against boolean labels."""
    p = at_prior(p, float(labels.mean()))
    unsure = (p > UNCERTAIN[0]) & (p < UNCERTAIN[1])
    enough = unsure.sum() >= FEWEST_UNCERTAIN
    return Scores(
        n=len(p),
        ece=ece(p, labels),
        ece_band=chance_band(p, seed=seed),
        nll=nll(p, labels),
        brier=brier(p, labels),
        n_uncertain=int(unsure.sum()),
        ece_uncertain=ece(p[unsure], labels[unsure], UNCERTAIN_BINS) if enough else None,
        ece_uncertain_band=chance_band(p[unsure], UNCERTAIN_BINS, seed=seed) if enough else None,
    )


P = TypeVar("P", float, Floats)


def at_prior(p: P, prior: float) -> P:
    """A probability at equal priors, moved to ``prior`` = P(same) before the photos are seen."""
    return p * prior / (p * prior + (1 - p) * (1 - prior))


class ErrorRates(NamedTuple):
    """Every distinct decision rule on a pair set, by rising threshold; three (K,) arrays."""

    thresholds: Floats
    fmr: Floats
    fnmr: Floats


def error_rates(similarities: Floats, labels: Labels) -> ErrorRates:
    """FMR and FNMR at thresholds halfway between neighbouring scores, from all accepted to none."""
    scores = np.unique(similarities)
    between = scores[:-1] + (scores[1:] - scores[:-1]) / 2
    between = np.where(between > scores[:-1], between, scores[1:])  # neighbouring floats
    thresholds = np.concatenate([scores[:1], between, [np.nextafter(scores[-1], np.inf)]])
    genuine, impostor = np.sort(similarities[labels]), np.sort(similarities[~labels])
    fnmr = np.searchsorted(genuine, thresholds) / len(genuine)
    fmr = (len(impostor) - np.searchsorted(impostor, thresholds)) / len(impostor)
    return ErrorRates(thresholds, fmr, fnmr)


def best_threshold(rates: ErrorRates) -> float:
    """The threshold of best accuracy at equal priors; of several, the middle one."""
    total = rates.fmr + rates.fnmr
    best = np.flatnonzero(total <= total.min() + 1e-12)
    return float(rates.thresholds[best[len(best) // 2]])


def eer_threshold(rates: ErrorRates) -> float:
    """The threshold where FMR and FNMR are nearest to each other."""
    return float(rates.thresholds[np.argmin(np.abs(rates.fmr - rates.fnmr))])


def fmr_threshold(rates: ErrorRates, target: float) -> float:
    """The lowest threshold whose FMR is at most ``target``."""
    return float(rates.thresholds[np.argmax(rates.fmr <= target + 1e-12)])


def wilson(errors: int, n: int) -> Interval:
    """The 95 % Wilson interval of a rate of ``errors`` in ``n``."""
    from scipy.stats import binomtest  # slow to import, and no verdict needs it

    interval = binomtest(errors, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


@dataclass(frozen=True)
class OperatingPoint:
    """A decision rule: same person iff similarity >= ``threshold``.

    ``fmr`` and ``fnmr`` in [0,1] with 95 % Wilson intervals, on the pairs it was fitted to;
    ``coarse`` where it rests on fewer than ten expected errors.
    """

    name: str
    threshold: float
    fmr: float
    fnmr: float
    fmr_interval: Interval
    fnmr_interval: Interval
    coarse: bool

    def __post_init__(self) -> None:
        rates = (self.fmr, self.fnmr, *self.fmr_interval, *self.fnmr_interval)
        if not math.isfinite(self.threshold) or not all(0 <= rate <= 1 for rate in rates):
            raise CalibrationError(f"operating point {self.name}: rates lie outside [0,1]")


def operating_points(
    similarities: Floats, labels: Labels, balanced: float
) -> tuple[OperatingPoint, ...]:
    """The five rules; ``balanced`` is the similarity at which p = 0.5."""
    rates = error_rates(similarities, labels)
    thresholds = {
        "balanced": balanced,
        "best_accuracy": best_threshold(rates),
        "eer": eer_threshold(rates),
        **{name: fmr_threshold(rates, target) for name, target in FMR_TARGETS.items()},
    }
    return tuple(operating_point(similarities, labels, *item) for item in thresholds.items())


def operating_point(
    similarities: Floats, labels: Labels, name: str, threshold: float
) -> OperatingPoint:
    """Measure the rule ``threshold``; ``name`` may be one of ``FMR_TARGETS``."""
    accepted = similarities >= threshold
    n_impostor, n_genuine = int((~labels).sum()), int(labels.sum())
    false_matches, misses = int((accepted & ~labels).sum()), int((~accepted & labels).sum())
    target = FMR_TARGETS.get(name)
    expected = false_matches + misses if target is None else target * n_impostor
    return OperatingPoint(
        name=name,
        threshold=threshold,
        fmr=false_matches / n_impostor,
        fnmr=misses / n_genuine,
        fmr_interval=wilson(false_matches, n_impostor),
        fnmr_interval=wilson(misses, n_genuine),
        coarse=expected < COARSE_BELOW,
    )
