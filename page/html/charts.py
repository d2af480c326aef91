"""Small charts as SVG in the page's own colours: reliability, ROC, distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xfv_core.confidence.scores import ReliabilityBin, error_rates

SIDE = 200  # px of a chart's inside
LEAST_FMR = 1e-4
BINS = 50

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def reliability(bins: Sequence[ReliabilityBin]) -> str:
    """Observed share of same-person pairs against the stated probability, a dot per bin."""
    dots = "".join(
        f'<circle cx="{b.mean_p * SIDE:.1f}" cy="{(1 - b.genuine) * SIDE:.1f}" r="4">'
        f"<title>{b.n:,} pairs: stated {b.mean_p:.2%}, observed {b.genuine:.2%}</title></circle>"
        for b in bins
    )
    label = (
        f"Reliability: {len(bins)} bins of equal size; the closer to the diagonal, the better the "
        "stated probability"
    )
    diagonal = f'<path d="M0 {SIDE}L{SIDE} 0" stroke="var(--soft)" stroke-dasharray="4 3"/>'
    return _chart(
        "xfv-reliability", label, diagonal + dots, ("0", "1"), ("0", "1"),
        "stated P(same person)", "observed",
    )  # fmt: skip


def roc(similarity: Floats, genuine: Flags) -> str:
    """Genuine pairs accepted against impostor pairs accepted, the latter on a log scale."""
    rates = error_rates(similarity, genuine)
    fmr, accepted = np.maximum(rates.fmr, LEAST_FMR), 1 - rates.fnmr
    lowest = min(0.9, np.floor(accepted[rates.fmr <= 0.1].max(initial=0.0) * 10 - 1) / 10)
    low = max(0.0, float(lowest))
    x = (1 - np.log10(fmr) / np.log10(LEAST_FMR)) * SIDE
    y = (1 - (np.clip(accepted, low, 1) - low) / (1 - low)) * SIDE
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    line = f'<polyline points="{points}" fill="none" stroke="var(--accent)" stroke-width="2.5"/>'
    label = "Share of genuine pairs accepted against the share of impostor pairs accepted"
    return _chart(
        "xfv-roc", label, line, (f"1 in {1 / LEAST_FMR:,.0f}", "all"), (f"{low:.0%}", "100%"),
        "impostors accepted", "genuine accepted",
    )  # fmt: skip


def distributions(similarity: Floats, genuine: Flags, threshold: float) -> str:
    """How similar the genuine and the impostor pairs are, and where the line is drawn."""
    edges = np.linspace(min(-0.4, float(similarity.min())), 1, BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2

    def x(values: Floats | float) -> Floats:
        return (np.asarray(values) - edges[0]) / (1 - edges[0]) * SIDE

    def hill(kind: Flags, colour: str) -> str:
        counts = np.histogram(similarity[kind], edges)[0]
        heights = (1 - counts / max(1, counts.max()) * 0.92) * SIDE
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x(centres), heights, strict=True))
        return (
            f'<polygon points="0,{SIDE} {points} {SIDE},{SIDE}" fill="var(--{colour})" '
            'opacity=".55"/>'
        )

    at = float(x(threshold))
    line = f'<path d="M{at:.1f} 0V{SIDE}" stroke="var(--accent)" stroke-width="1.5"/>'
    label = "Similarities of impostor pairs, left, and genuine pairs, right, and the threshold"
    inside = hill(~genuine, "impostor") + hill(genuine, "genuine") + line
    return _chart(
        "xfv-hills", label, inside, (f"{edges[0]:.1f}", "1"), ("", ""), "similarity", "pairs"
    )


def _chart(
    name: str,
    label: str,
    inside: str,
    x_ends: tuple[str, str],
    y_ends: tuple[str, str],
    x_title: str,
    y_title: str,
) -> str:
    return (
        f'<svg class="xfv-chart {name}" viewBox="-40 -8 {SIDE + 50} {SIDE + 50}" role="img" '
        f'aria-label="{label}">'
        f'<path d="M0 0V{SIDE}H{SIDE}" fill="none" stroke="var(--line)"/>{inside}'
        f'<text x="0" y="{SIDE + 16}">{x_ends[0]}</text>'
        f'<text x="{SIDE}" y="{SIDE + 16}" text-anchor="end">{x_ends[1]}</text>'
        f'<text x="-6" y="{SIDE}" text-anchor="end">{y_ends[0]}</text>'
        f'<text x="-6" y="8" text-anchor="end">{y_ends[1]}</text>'
        f'<text x="{SIDE / 2}" y="{SIDE + 34}" text-anchor="middle">{x_title}</text>'
        f'<text transform="rotate(-90)" x="{-SIDE / 2}" y="-16" text-anchor="middle">'
        f"{y_title}</text></svg>"
    )
