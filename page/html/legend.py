"""The colour scale of a map, its ends in numbers and words."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup

from page.html import filled
from xfv_core.overlay import GREEN_WORDS, PINK_WORDS, legend_colours, two_figures


def legend(scale: float, unit: str) -> Markup:
    """``scale``: the value of the full colour, in ``unit``."""
    end = two_figures(scale)
    spoken = f"Colour scale from −{end}, {PINK_WORDS}, through 0 to +{end}, {GREEN_WORDS}"
    return filled(
        "legend", end=end, unit=unit, below=PINK_WORDS, above=GREEN_WORDS, colours=_colours(),
        spoken=f"{spoken}, {unit}" if unit else spoken,
    )  # fmt: skip


@cache
def _colours() -> str:
    return ",".join(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in legend_colours())
