"""One pair under a conditional curve: the answer, what it rests on and what moved its bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from xfv_core.confidence.conditional import PairCurve, log_odds
from xfv_core.confidence.measures import MEASURES, Measures

Answer = Literal["same", "different", "cannot tell"]
UNSURE = (0.25, 0.75)  # between them odds are below three to one either way
TOLD = 0.005  # of similarity; smaller moves of the bar are not worth a sentence
COVERED = 0.5  # probability from which a cover is told


@dataclass(frozen=True)
class Move:
    """What one measure did to the bar of a pair.

    ``by``: in similarity, positive where likeness has to be greater. ``photo``: "first", "second"
    or "both". ``value`` is that photo's (of both, the one that counted), ``usual`` the median.
    """

    measure: str
    photo: str
    value: float
    usual: float
    by: float
    sentence: str


@dataclass(frozen=True)
class PairDecision:
    """``threshold`` is the bar of this pair under its rule, ``usual`` that of ordinary photos.

    ``lower``, ``upper``: between them likeness says nothing. ``slope``: ln LR per unit of
    similarity outside. ``confidence``: of ``same``, None where rule and probability contradict.
    """

    same: bool
    answer: Answer
    probability_same: float
    confidence: float | None
    threshold: float
    lower: float
    upper: float
    slope: float
    usual: float
    moved: tuple[Move, ...]
    notes: tuple[str, ...]


def decide_pair(
    curve: PairCurve,
    similarity: float,
    photos: tuple[Measures, Measures],
    rule: str = "balanced",
    threshold: float | None = None,
) -> PairDecision:
    """The verdict of one pair by a rule, or by a threshold of one's own.

    At ``balanced`` verdict and probability never contradict. ValueError for a similarity that is no
    number, CalibrationError for an unknown rule.
    """
    if not math.isfinite(similarity):
        raise ValueError(f"similarity is {similarity}")
    s = float(similarity)
    a, b = (photo.table() for photo in photos)
    bars = curve.bars(a, b)
    p = float(curve.probabilities(np.array([s]), bars)[0])
    at = float(curve.thresholds(bars, rule)[0]) if threshold is None else float(threshold)
    same = s >= at
    outside = tuple(curve.outside(photo) for photo in photos)
    return PairDecision(
        same=same,
        answer=_answer(p, same, any(outside), threshold is None and rule == "balanced"),
        probability_same=p,
        confidence=(p if same else 1 - p) if same == (p >= 0.5) else None,
        threshold=at,
        lower=float(bars.lower[0]),
        upper=float(bars.upper[0]),
        slope=float(bars.slope[0]),
        usual=curve.bar,
        moved=moves(curve, photos),
        notes=(*_covers(photos), *_beyond(outside)),
    )


def _answer(p: float, same: bool, outside: bool, balanced: bool) -> Answer:
    """The third answer belongs to the balanced rule; another is somebody's own choice."""
    if balanced and (outside or UNSURE[0] < p < UNSURE[1]):
        return "cannot tell"
    return "same" if same else "different"


def moves(curve: PairCurve, photos: tuple[Measures, Measures]) -> tuple[Move, ...]:
    """What moved the bar, the greatest first; a measure's two sides are one move."""
    a, b = (photo.table() for photo in photos)
    by: dict[str, float] = {}
    for term in curve.terms:
        value = float(np.clip(term.values(a, b), term.low, term.high)[0])
        by[term.measure] = by.get(term.measure, 0.0) + term.bar * (value - term.usual)
    found = [_move(curve, name, amount, photos) for name, amount in by.items()]
    up, _ = curve.gap.widths(a, b)
    bars = curve.bars(a, b)
    if (gap := float(up[0] / bars.slope[0])) >= TOLD:
        found.append(_gap_move(curve, gap, photos))
    told = [move for move in found if abs(move.by) >= TOLD]
    return tuple(sorted(told, key=lambda move: -abs(move.by)))


WORDS = {  # measure -> what a low value means, and a high one
    "norm": (
        "The network finds little of a face in {where}",
        "The network finds much of a face in {where}",
    ),
    "sharpness": ("There is little fine detail in {where}", "There is much fine detail in {where}"),
    "typicality": (
        "Few strangers come near what is seen in {where}",
        "Many strangers come near what is seen in {where}",
    ),
    "degradation": (
        "Nothing in {where} is like a blurred, coarse or covered photo",
        "Something in {where} is like a blurred, coarse or covered photo",
    ),
}


def _move(curve: PairCurve, name: str, by: float, photos: tuple[Measures, Measures]) -> Move:
    usual = next(term.usual for term in curve.terms if term.measure == name)
    values = [float(getattr(photo, name)) for photo in photos]
    away = [value - usual for value in values]
    first = abs(away[0]) >= abs(away[1])
    value = values[0] if first else values[1]
    alike = away[0] * away[1] > 0 and min(map(abs, away)) > 0.5 * max(map(abs, away))
    photo = "both" if alike else "first" if first else "second"
    where = "both photos" if alike else f"the {photo} photo"
    text = f"{WORDS[name][value > usual].format(where=where)} ({by:+.2f})."
    return Move(name, photo, value, usual, by, text)


def _gap_move(curve: PairCurve, by: float, photos: tuple[Measures, Measures]) -> Move:
    for name, hidden in (("eyes_covered", "The eyes seem"), ("mouth_covered", "The mouth seems")):
        value = min(getattr(photo, name) for photo in photos)
        if value >= COVERED:
            text = f"{hidden} to be covered in both photos ({by:+.2f})."
            return Move(name, "both", value, 0.0, by, text)
    gap, unsharp = curve.gap, max(photo.sharpness for photo in photos)
    if gap.unsharp and unsharp < gap.unsharp_from and max(p.norm for p in photos) > gap.poor_from:
        text = f"Strangers look alike in photos as blurred as both of these ({by:+.2f})."
        return Move("sharpness", "both", unsharp, gap.unsharp_from, by, text)
    text = f"Strangers look alike in photos as poor as both of these ({by:+.2f})."
    value = max(photo.norm for photo in photos)
    return Move("norm", "both", value, value, by, text)


def _covers(photos: tuple[Measures, Measures]) -> tuple[str, ...]:
    """A note for each photo in which something seems to cover the face."""
    notes = []
    for side, photo in zip(("First", "Second"), photos, strict=True):
        parts = [
            part
            for part, value in (("eyes", photo.eyes_covered), ("mouth", photo.mouth_covered))
            if value >= COVERED
        ]
        if parts:
            notes.append(f"{side} photo: the {' and the '.join(parts)} may be covered.")
    return tuple(notes)


def _beyond(outside: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    return tuple(
        f"{side} photo: poorer than any the probability was fitted to "
        f"({', '.join(MEASURES[name].title for name in names)})."
        for side, names in zip(("First", "Second"), outside, strict=True)
        if names
    )


def likelihood_ratio(probability: float) -> tuple[float, float]:
    """LR and log10 LR at a probability at equal priors."""
    odds = log_odds(probability)
    return math.exp(odds), odds / math.log(10)
