"""The page's fixed words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from page.html import filled, macro, share
from xfv_core.explain import Method
from xfv_core.results import OWN
from xfv_core.weights.manifest import ModelCard

POINTS = {
    "balanced": "Equal odds (verdict and probability agree)",
    "best_accuracy": "Fewest errors on the calibration pairs",
    "eer": "As many false matches as false non-matches",
    "fmr_1e-2": "1 false match in 100 strangers",
    "fmr_1e-3": "1 false match in 1,000 strangers",
}
RULES = {**POINTS, OWN: "A threshold of your own"}  # what one may decide at
NOT_BY_GROUP = (
    "Face networks err more often for women, for children and for people under-represented in "
    "their training data; how much has not been measured here."
)


def header() -> Markup:
    """Name and question."""
    return macro("words", "header")


def look_first() -> Markup:
    """Why one may want to look before reading the verdict."""
    return macro("words", "look_first")


def keys(methods: int) -> Markup:
    """The keys of ``keys.js``."""
    named = [(f"1 – {methods}", "method"), ("A", "all"), ("S", "swap"), ("C", "cover a place")]
    return filled("keys", keys=named)


def about(method: type[Method]) -> str:
    """What a method does, in a few sentences, and whose it is."""
    return f"{method.about} After {method.paper}." if method.paper else method.about


def about_line(method: type[Method]) -> Markup:
    """``about`` as a paragraph."""
    return macro("words", "about", about(method))


def limits(card: ModelCard) -> Markup:
    """What nobody may expect; with what was measured of false matches by group."""
    groups = card.figures.groups
    said = _by_group(card.title, groups) if groups else NOT_BY_GROUP
    return macro("words", "limits", said)


def _by_group(title: str, groups: Mapping[str, Any]) -> str:
    mixed, *cells = sorted(groups["cells"], key=lambda cell: "mixed" not in cell["name"])
    least, *_, most = sorted(cells, key=lambda cell: float(cell["fmr"]["balanced"]))
    shares = [share(cell["fmr"]["balanced"], 1) for cell in (mixed, least, most)]
    return (
        f"On other photos it errs more: {title} takes {shares[0]} of strangers in small web photos "
        f"of all ages (UTKFace) for one person, from {shares[1]} ({least['name']}) to "
        f"{shares[2]} ({most['name']}) of those alike in age or origin. "
        "It was not fitted to children."
    )


def link(query: str) -> Markup:
    """A button that copies the address of this view."""
    return macro("words", "link", query)
