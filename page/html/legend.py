"""The colour scale of a map, its ends in numbers and words."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup

from page.html import filled
from xfv_core.explain.views import View
from xfv_core.overlay import ENDS, legend_colours, two_figures


def legend(scale: float, unit: str, view: View = "evidence") -> Markup:
    """``scale``: the value of the full colour, in ``unit``; ``view``: what zero is."""
    end, (below, above) = two_figures(scale), ENDS[view]
    spoken = f"Colour scale from −{end}, {below}, through 0 to +{end}, {above}"
    return filled(
        "legend", end=end, unit=unit, below=below, above=above, colours=_colours(),
        spoken=f"{spoken}, {unit}" if unit else spoken,
    )  # fmt: skip


@cache
def _colours() -> str:
    return ",".join(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in legend_colours())
