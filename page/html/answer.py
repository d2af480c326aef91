"""The verdict in words and numbers, and the pair's place among known pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from scipy.special import expit

from page.html import filled, share
from page.html.charts import points
from page.html.key import Key
from page.html.words import RULES
from xfv_core.confidence import Calibration
from xfv_core.confidence.conditional import Bars, evidence
from xfv_core.results import OWN, Verdict, percent
from xfv_core.weights.manifest import ModelCard

LOWEST = -0.4  # similarity at the left end of the axis; the right one is 1
WIDTH, BASE, HIGH = 560, 78, 58  # px: of the axis, its foot, its highest hill
TOLD = 0.02  # of similarity; a narrower band in which nothing is said cannot be seen
LEVEL = 1.5  # times likelier: less is as good as nothing
NEAR_END = 70  # px from an end where "this pair" would run out of the picture


def empty_answer(one_photo: bool = False) -> Markup:
    """The invitation, before there are two photos."""
    return filled(
        "answer",
        kind="empty",
        words="Now the second face." if one_photo else "Drop two faces, or try an example.",
        key=None,
        more="Upload, paste or take a photo on each side; the answer comes by itself.",
    )


def problem(message: str) -> Markup:
    """Why there is no answer; one sentence that says what to do."""
    return filled("answer", kind="problem", words=message, key=None)


def answer(
    verdict: Verdict,
    card: ModelCard,
    calibration: Calibration | None,
    key: Key | None = None,
    prior: float = 0.5,
) -> Markup:
    """The verdict in one sentence, what it rests on, and the pair's place among known pairs.

    ``key``: of the question that it answers, where another may follow. ``prior``: where the
    reader's slider stands, in (0,1).
    """
    n = calibration.n_genuine + calibration.n_impostor if calibration else 0
    return filled(
        "answer",
        kind="",
        key=key,
        verdict=verdict,
        card=card,
        calibration=calibration,
        n=n,
        p=percent(verdict.probability_same or 0),
        own=verdict.operating_point == OWN,
        prior=f"{100 * prior:g}",
        at_prior=percent(verdict.at_prior(prior) or 0),
        odds="The probability holds if, before looking, a match is as likely as not. Where "
        "strangers are more common than matches, the true probability is lower.",
        off=f"Expected calibration error: stated against observed frequency, {n:,} pairs, each "
        "judged by a curve that had not seen it.",
        source=card.indicative_threshold.source if card.indicative_threshold else "",
        rule=RULES.get(verdict.operating_point, "Indicative, from the literature"),
        conditional=calibration.conditional if calibration else None,
        bar=_bar(verdict),
        evidence=_evidence(verdict),
        rates=lambda rule: _rates(calibration, rule),
        axis=axis(verdict, calibration) if calibration else "",
    )


def _bar(verdict: Verdict) -> str:
    """Where the bar of this pair is, and what moved it most."""
    words = verdict.bar_words
    if not words:
        return ""
    first = verdict.moved[0].sentence
    return words[: words.index(first) + len(first)]


def _evidence(verdict: Verdict) -> str:
    """The likelihood ratio in words: which proposition it supports, and how many times."""
    log_lr, bound = verdict.log10_lr, verdict.lr_bound
    if log_lr is None or bound is None:
        return ""
    times = 10 ** abs(log_lr)
    side = "one person" if log_lr > 0 else "two people"
    if times > 0.99 * bound:
        return f"{bound:,.0f} : 1 or more for {side}"
    if times < LEVEL:
        return "as much for one person as for two"
    return f"{times:,.{0 if times >= 10 else 1}f} : 1 for {side}"


def _rates(calibration: Calibration | None, rule: str) -> str:
    """What a rule does, by population: how many strangers it takes for one person, what it misses.

    "" for a threshold of one's own, whose rates nobody measured.
    """
    curve = calibration.conditional if calibration else None
    known = curve.rates(rule) if curve else {}
    return "; ".join(
        f"of strangers {share(rates.fmr, 2)} for one person"
        + ("" if rates.fnmr is None else f" and misses {share(rates.fnmr, 2)} of same-person pairs")
        + f" ({population})"
        for population, rates in known.items()
    )


def axis(verdict: Verdict, calibration: Calibration) -> Markup:
    """SVG: where this pair lies among the calibration pairs' similarities."""
    here, theta = _x(verdict.similarity), _x(verdict.threshold)
    counts = calibration.histogram
    band = verdict.says_nothing
    return filled(
        "axis",
        width=WIDTH,
        base=BASE,
        high=HIGH,
        hills=[] if band else [
            ("impostor", _hill(counts.impostor)), ("genuine", _hill(counts.genuine)),
        ],
        curve=_probability(verdict) if band else "",
        band=[f"{_x(s):.1f}" for s in band] if band and band[1] - band[0] > TOLD else [],
        here=f"{here:.1f}",
        theta=f"{theta:.1f}",
        anchor="start" if here < NEAR_END else "end" if here > WIDTH - NEAR_END else "middle",
        title=f"Similarity {verdict.similarity:.2f}, threshold {verdict.threshold:.2f}; "
        + (
            "the line is P(same person) of two photos like these, by their similarity"
            if band
            else "strangers lie left, same-person pairs right"
        ),
    )  # fmt: skip


def _probability(verdict: Verdict) -> str:
    """P(same person) over the similarity, for photos with the measures of these two."""
    assert verdict.says_nothing is not None and verdict.slope is not None
    s = np.linspace(LOWEST, 1, 141, dtype=np.float64)
    lower, upper, slope = (np.full(len(s), x) for x in (*verdict.says_nothing, verdict.slope))
    p = expit(evidence(s, Bars(lower, upper, upper, slope)))
    return points([_x(each) for each in s], BASE - p * HIGH)


def _x(similarity: float) -> float:
    return float((np.clip(similarity, LOWEST, 1) - LOWEST) / (1 - LOWEST) * WIDTH)


def _hill(counts: Sequence[int]) -> str:
    """The outline of a histogram over similarities from -1 to 1, without what lies left of 0 px."""
    edges = np.linspace(-1, 1, len(counts) + 1)
    x = np.array([_x(centre) for centre in (edges[1:] + edges[:-1]) / 2])
    y = BASE - np.asarray(counts) / max(counts) * HIGH
    return points(x[x > 0], y[x > 0])
