"""The verdict in words and numbers, and the pair's place among known pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from page.html import filled
from page.html.charts import points
from page.html.key import Key
from page.html.words import POINTS
from xfv_core.confidence import Calibration
from xfv_core.results import Verdict, percent
from xfv_core.weights.manifest import ModelCard

LOWEST = -0.4  # similarity at the left end of the axis; the right one is 1
WIDTH, BASE, HIGH = 560, 78, 58  # px: of the axis, its foot, its highest hill
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
    verdict: Verdict, card: ModelCard, calibration: Calibration | None, key: Key | None = None
) -> Markup:
    """The verdict in one sentence, what it rests on, and the pair's place among known pairs.

    ``key``: of the question that it answers, where another may follow.
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
        odds="The probability holds if, before looking, a match is as likely as not. Where "
        "strangers are more common than matches, the true probability is lower.",
        off=f"Expected calibration error: stated against observed frequency, {n:,} pairs, each "
        "judged by a curve that had not seen it.",
        source=card.indicative_threshold.source if card.indicative_threshold else "",
        rule=POINTS.get(verdict.operating_point, "Indicative, from the literature"),
        axis=axis(verdict, calibration) if calibration else "",
    )


def axis(verdict: Verdict, calibration: Calibration) -> Markup:
    """SVG: where this pair lies among the calibration pairs' similarities."""
    here, theta = _x(verdict.similarity), _x(verdict.threshold)
    counts = calibration.histogram
    return filled(
        "axis",
        width=WIDTH,
        base=BASE,
        high=HIGH,
        hills=[("impostor", _hill(counts.impostor)), ("genuine", _hill(counts.genuine))],
        here=f"{here:.1f}",
        theta=f"{theta:.1f}",
        anchor="start" if here < NEAR_END else "end" if here > WIDTH - NEAR_END else "middle",
        title=f"Similarity {verdict.similarity:.2f}, threshold {verdict.threshold:.2f}; "
        "strangers lie left, same-person pairs right",
    )


def _x(similarity: float) -> float:
    return float((np.clip(similarity, LOWEST, 1) - LOWEST) / (1 - LOWEST) * WIDTH)


def _hill(counts: Sequence[int]) -> str:
    """The outline of a histogram over similarities from -1 to 1, without what lies left of 0 px."""
    edges = np.linspace(-1, 1, len(counts) + 1)
    x = np.array([_x(centre) for centre in (edges[1:] + edges[:-1]) / 2])
    y = BASE - np.asarray(counts) / max(counts) * HIGH
    return points(x[x > 0], y[x > 0])
