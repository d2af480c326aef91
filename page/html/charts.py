"""Small charts as SVG in the page's own colours: reliability, ROC, distributions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from scipy.special import logit

from page.html import filled
from xfv_core.confidence.scores import ReliabilityBin, error_rates, wilson

SIDE = 200  # px of a chart's inside
LEAST_FMR = 1e-4
LEAST_P = 1e-4  # at the ends of an axis of log odds
BINS = 50

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Axis:
    """Words at both ends of an axis, and what it shows."""

    first: str
    last: str
    title: str


@dataclass(frozen=True)
class Dot:
    """A place in px, and what is said about it."""

    x: str
    y: str
    said: str


@dataclass(frozen=True)
class Line:
    """A line in px: ``kind`` curve, mark or diagonal."""

    points: str
    kind: str = "curve"


@dataclass(frozen=True)
class Hill:
    """The outline of a histogram in px, and the colour of what it counts."""

    points: str
    colour: str


@dataclass(frozen=True)
class Chart:
    """What one chart holds."""

    name: str
    label: str
    x: Axis
    y: Axis
    dots: Sequence[Dot] = ()
    lines: Sequence[Line] = ()
    hills: Sequence[Hill] = ()

    @property
    def svg(self) -> Markup:
        return filled("charts", chart=self, side=SIDE)


def reliability(bins: Sequence[ReliabilityBin]) -> Markup:
    """Observed share of same-person pairs against the stated probability, a dot per bin and a bar
    for its 95 % interval; both on axes of log odds, because bins of equal size lie near 0 and 1."""
    spans = [wilson(round(b.genuine * b.n), b.n) for b in bins]
    dots = [
        Dot(
            f"{_log_odds(b.mean_p) * SIDE:.1f}",
            f"{(1 - _log_odds(b.genuine)) * SIDE:.1f}",
            f"{b.n:,} pairs: stated {b.mean_p:.2%}, observed {b.genuine:.2%} "
            f"({low:.2%} to {high:.2%})",
        )
        for b, (low, high) in zip(bins, spans, strict=True)
    ]
    bars = [
        Line(points([float(dot.x)] * 2, [(1 - _log_odds(end)) * SIDE for end in span]), "span")
        for dot, span in zip(dots, spans, strict=True)
    ]
    label = (
        f"Reliability: {len(bins)} bins of equal size on axes of log odds, with 95 % intervals; "
        "the closer to the diagonal, the better the stated probability"
    )
    ends = (f"{LEAST_P:.2%}", f"{1 - LEAST_P:.2%}")
    x, y = Axis(*ends, "stated P(same person), log odds"), Axis(*ends, "observed")
    diagonal = Line(f"0,{SIDE} {SIDE},0", "diagonal")
    return Chart("xfv-reliability", label, x, y, dots=dots, lines=[diagonal, *bars]).svg


def _log_odds(p: float) -> float:
    """Where a probability lies on an axis of log odds, in [0,1]; the ends hold what is beyond."""
    return float((logit(np.clip(p, LEAST_P, 1 - LEAST_P)) / logit(1 - LEAST_P) + 1) / 2)


def roc(similarity: Floats, genuine: Flags) -> Markup:
    """Genuine pairs accepted against impostor pairs accepted, the latter on a log scale."""
    rates = error_rates(similarity, genuine)
    fmr, accepted = np.maximum(rates.fmr, LEAST_FMR), 1 - rates.fnmr
    lowest = min(0.9, np.floor(accepted[rates.fmr <= 0.1].max(initial=0.0) * 10 - 1) / 10)
    low = max(0.0, float(lowest))
    x = (1 - np.log10(fmr) / np.log10(LEAST_FMR)) * SIDE
    y = (1 - (np.clip(accepted, low, 1) - low) / (1 - low)) * SIDE
    return Chart(
        "xfv-roc",
        "Share of genuine pairs accepted against the share of impostor pairs accepted",
        Axis(f"1 in {1 / LEAST_FMR:,.0f}", "all", "impostors accepted"),
        Axis(f"{low:.0%}", "100%", "genuine accepted"),
        lines=[Line(points(x, y))],
    ).svg


def distributions(similarity: Floats, genuine: Flags, threshold: float) -> Markup:
    """How similar the genuine and the impostor pairs are, and where the line is drawn."""
    edges = np.linspace(min(-0.4, float(similarity.min())), 1, BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2

    def x(values: Floats | float) -> Floats:
        return (np.asarray(values) - edges[0]) / (1 - edges[0]) * SIDE

    def hill(kind: Flags, colour: str) -> Hill:
        counts = np.histogram(similarity[kind], edges)[0]
        heights = (1 - counts / max(1, counts.max()) * 0.92) * SIDE
        return Hill(points(x(centres), heights), colour)

    at = float(x(threshold))
    return Chart(
        "xfv-hills",
        "Similarities of impostor pairs, left, and genuine pairs, right, and the threshold",
        Axis(f"{edges[0]:.1f}", "1", "similarity"),
        Axis("", "", "pairs"),
        hills=[hill(~genuine, "impostor"), hill(genuine, "genuine")],
        lines=[Line(f"{at:.1f},0 {at:.1f},{SIDE}", "mark")],
    ).svg


def points(x: Iterable[float], y: Iterable[float]) -> str:
    """Places in px as SVG lists them."""
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
