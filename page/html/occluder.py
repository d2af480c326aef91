"""The patch that visitors drag: its switch, the pair it lies on, what is said beside it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from page.html import macro
from page.html.key import Key
from xfv_core.occluder import Covered
from xfv_core.results import percent


def switch() -> Markup:
    """The button that puts the patch on, and the place of what is read out."""
    return macro("occluder", "switch")


def opened(token: str, key: Key) -> Markup:
    """The secret of a pair, for ``occluder.js`` to find, and the question that it belongs to."""
    return macro("occluder", "opened", token, key)


def not_opened(message: str) -> Markup:
    """Why there can be no patch."""
    return macro("occluder", "problem", message)


def covered_says(covered: Covered) -> dict[str, Any]:
    """``label`` stands beside the patch, ``spoken`` is read out."""
    verdict, moved = covered.verdict, covered.verdict.similarity - covered.before
    p = verdict.probability_same
    chance = f"P {percent(p)}" if p is not None else "not calibrated"
    label = f"{verdict.similarity:.2f} ({signed(moved)}) · {chance}"
    return {
        "label": label,
        "verdict": verdict.words,
        "spoken": f"On {covered.region}: {verdict.words}, similarity {verdict.similarity:.2f}, "
        f"moved by {signed(moved)}, {chance}.",
    }


def signed(value: float) -> str:
    """With its sign, a typographer's minus."""
    return f"{value:+.2f}".replace("-", "−")
