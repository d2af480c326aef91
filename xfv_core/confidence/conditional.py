"""P(same person) of a pair, given its similarity s and the measures z of both photos.

    logit P = κ (s - θ),    θ = bar + Σ_j bar_j (z_j - usual_j),
                            κ = exp(slope + Σ_j slope_j (z_j - usual_j))

z_j is the lower or the higher of the two photos' values of a measure, clipped to the range that was
fitted; ``usual_j`` that of sharp, uncovered photos. κ > 0, so P rises with s whatever the measures;
θ is linear in them, so every measure moves the bar by an amount of its own that can be told.

Where little of a face is seen, likeness and difference must weigh more than LR = exp(gap) to be an
answer at all: P lies just below 0.5 between the two bars θ - gap/κ and θ + gap/κ, and outside them
the evidence counts from there on. P >= 0.5 exactly where s >= the upper bar, which is the pair's
threshold. P never leaves [1 - cap, cap].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from xfv_core.confidence.curves import CalibrationError
from xfv_core.confidence.measures import MEASURES, Floats, Measures, Table
from xfv_core.confidence.scores import Interval
from xfv_core.strict_json import STRICT

Side = Literal["lower", "higher"]
BELOW_HALF = float(np.nextafter(0.5, 0.0))
STEEPEST = 6.0  # |ln κ| beyond which nothing was fitted


@dataclass(frozen=True)
class Term:
    """One z_j: a measure, of the photo where it is ``side``, within [``low``, ``high``].

    ``usual``: its median on ordinary photos; ``bar`` and ``slope``: what one unit adds to θ, ln κ.
    """

    measure: str
    side: Side
    low: float
    high: float
    usual: float
    bar: float
    slope: float

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise CalibrationError(f"there is no measure {self.measure!r}")
        if not self.low <= self.usual <= self.high:
            raise CalibrationError(f"{self.measure}: its usual value lies outside its range")

    def values(self, a: Table, b: Table) -> Floats:
        """z_j of N pairs, not clipped."""
        pick = np.minimum if self.side == "lower" else np.maximum
        return np.asarray(pick(getattr(a, self.measure), getattr(b, self.measure)))


@dataclass(frozen=True)
class Gap:
    """How much evidence an answer needs beyond even odds, in ln LR.

    ``poor_from``, ``poor_to``: the norm below which a photo begins to be poor, and is it wholly.
    ``same``: for likeness where both photos are poor; ``covered``: where the same part of both is
    covered; ``different``: for a difference where one photo is poor; ``unsharp``: for likeness
    where both are, wholly at the sharpness ``unsharp_to`` and not at all at ``unsharp_from``.
    """

    poor_from: float
    poor_to: float
    same: float
    covered: float
    different: float
    unsharp: float = 0.0
    unsharp_from: float = 1.0
    unsharp_to: float = 0.0

    def __post_init__(self) -> None:
        turned = self.poor_to >= self.poor_from or self.unsharp_to >= self.unsharp_from
        if turned or min(self.same, self.covered, self.different, self.unsharp) < 0:
            raise CalibrationError("the gap of a calibration is turned round")

    def widths(self, a: Table, b: Table) -> tuple[Floats, Floats]:
        """What likeness and difference have to outweigh for N pairs, both >= 0."""
        best, worst = np.maximum(a.norm, b.norm), np.minimum(a.norm, b.norm)
        covered = np.maximum(
            np.minimum(a.eyes_covered, b.eyes_covered),
            np.minimum(a.mouth_covered, b.mouth_covered),
        )
        unsharp = self._unsharp(np.maximum(a.sharpness, b.sharpness))
        up = np.maximum(self.same * self._poor(best), self.covered * covered)
        return np.maximum(up, self.unsharp * unsharp), self.different * self._poor(worst)

    def _unsharp(self, sharpness: Floats) -> Floats:
        wide = self.unsharp_from - self.unsharp_to
        return np.clip((self.unsharp_from - sharpness) / wide, 0, 1)

    def _poor(self, norm: Floats) -> Floats:
        """From 0, a good photo, to 1."""
        return np.clip((self.poor_from - norm) / (self.poor_from - self.poor_to), 0, 1)


@dataclass(frozen=True)
class Rates:
    """Error rates of one rule on one population, with 95 % intervals; ``fnmr`` None without names.

    ``n_impostor`` and ``n_genuine`` are pairs.
    """

    n_impostor: int
    n_genuine: int
    fmr: float
    fmr_interval: Interval
    fnmr: float | None
    fnmr_interval: Interval | None


@dataclass(frozen=True)
class PairRule:
    """An operating point: same person iff the ln LR left after the gap is at least ``evidence``.

    ``rates``: population -> what it does there.
    """

    name: str
    evidence: float
    rates: Mapping[str, Rates]


class Bars(NamedTuple):
    """Of N pairs: below ``lower`` speaks for two people, from ``upper`` on for one; ``middle`` θ,
    ``slope`` κ. All (N,)."""

    lower: Floats
    middle: Floats
    upper: Floats
    slope: Floats


@dataclass(frozen=True)
class PairCurve:
    """The fitted curve, how it was fitted, and the rules measured with it.

    ``bar``, ``slope``: θ and ln κ of a pair of usual photos. ``n_genuine``, ``n_impostor``: pairs
    the cap rests on.
    """

    bar: float
    slope: float
    terms: tuple[Term, ...]
    gap: Gap
    cap: float
    n_genuine: int
    n_impostor: int
    protocol: str
    rules: tuple[PairRule, ...]
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if not 0.5 < self.cap <= 1 - 1 / (min(self.n_genuine, self.n_impostor) + 2):
            raise CalibrationError(f"a cap of {self.cap} claims more than its pairs allow")

    def bars(self, a: Table, b: Table) -> Bars:
        """Where N pairs of photos have their bars."""
        middle, log_slope = np.full(len(a), self.bar), np.full(len(a), self.slope)
        for term in self.terms:
            away = np.clip(term.values(a, b), term.low, term.high) - term.usual
            middle += term.bar * away
            log_slope += term.slope * away
        slope = np.exp(np.clip(log_slope, -STEEPEST, STEEPEST))
        up, down = self.gap.widths(a, b)
        return Bars(middle - down / slope, middle, middle + up / slope, slope)

    def probabilities(self, similarities: ArrayLike, bars: Bars) -> Floats:
        """P(same) at equal priors of N pairs, >= 0.5 exactly where s >= the upper bar."""
        s = np.asarray(similarities, np.float64)
        p = np.clip(expit(evidence(s, bars)), 1 - self.cap, self.cap)
        return np.where(s >= bars.upper, np.maximum(p, 0.5), np.minimum(p, BELOW_HALF))

    def thresholds(self, bars: Bars, rule: str) -> Floats:
        """The similarity from which on a rule says "same person", (N,)."""
        wanted = self.rule(rule).evidence
        start = bars.upper if wanted >= 0 else bars.lower
        return np.asarray(start + wanted / bars.slope)

    def rule(self, name: str) -> PairRule:
        """The rule ``name``; CalibrationError if there is none."""
        for rule in self.rules:
            if rule.name == name:
                return rule
        known = ", ".join(rule.name for rule in self.rules)
        raise CalibrationError(f"no operating point {name!r}: choose one of {known}")

    def rates(self, name: str) -> Mapping[str, Rates]:
        """What a rule does, by population; nothing for a threshold of one's own."""
        return next((rule.rates for rule in self.rules if rule.name == name), {})

    def outside(self, photo: Measures) -> tuple[str, ...]:
        """The measures of a photo that are poorer than anything that was fitted."""
        found = []
        for term in self.terms:
            value, low_is_poor = getattr(photo, term.measure), MEASURES[term.measure].poor == "low"
            beyond = value < term.low if low_is_poor else value > term.high
            if beyond and term.side == ("lower" if low_is_poor else "higher"):
                found.append(term.measure)
        return tuple(found)


def evidence(similarities: Floats, bars: Bars) -> Floats:
    """ln LR left after the gap: 0 between the bars, (N,)."""
    return bars.slope * (similarities - np.clip(similarities, bars.lower, bars.upper))


def log_odds(probability: float) -> float:
    """ln(P / (1 - P)), which is ln LR at equal priors."""
    return float(logit(probability))
