"""What speaks for and against by region of the face, methods side by side."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from page.html import filled
from xfv_core.explain import method_named
from xfv_core.overlay.regions import GROUPS
from xfv_core.results import Explanation


def regions(explanations: Sequence[Explanation]) -> Markup:
    """A table: a row per region, a column per method, the mean of both photos; nothing without
    explanations."""
    found = [explanation.regions for explanation in explanations]
    return filled(
        "regions",
        titles=[method_named(each.maps.method).title for each in explanations],
        rows=[(name, [_percent(sum(each[name]) / 2) for each in found]) for name in GROUPS],
    )


def _percent(share: float) -> str:
    """+12 %, −3 %, 0 %."""
    whole = round(100 * share)
    return f"{'+' if whole > 0 else '−' if whole < 0 else ''}{abs(whole)} %"
