"""Both photos under their maps, what the maps show, how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
from numpy.typing import NDArray

from page.html import parts, patches
from page.html.pictures import data_url
from page.html.words import METHODS, tip
from xfv_core.explain.fidelity import RATIOS, Fidelity
from xfv_core.overlay import legend_html
from xfv_core.results import Explanation, Side, Surface


def waiting(message: str = "The maps appear here once two faces are compared.") -> str:
    """The reserved space of the maps, with a sentence instead."""
    frames = (
        f'<div class="xfv-view waiting">{escape(message)}</div><div class="xfv-view waiting"></div>'
    )
    return f'<div class="xfv xfv-maps"><div class="xfv-pair">{frames}</div></div>'


def maps(explanation: Explanation, *, whole_photo: bool = True) -> str:
    """Both photos under their maps, the legend, what the maps show and how far to trust them.

    ``whole_photo``: also on the photos that the faces were cut from, once the maps are final.

    The strength of the colours is the page's CSS variable ``--xfv-strength``: photo and overlay
    lie on top of each other, so that the slider needs no answer from the server.
    """
    final = explanation.fidelity is not None
    views = _pair(explanation, "crop")
    views += _pair(explanation, "photo") if final and whole_photo else ""
    legend = legend_html(explanation.scale, explanation.maps.unit)
    done = round(100 * explanation.maps.progress)
    said = escape(explanation.sentence)
    trust = (
        _trust(explanation)
        if final
        else f'<div class="xfv-bar"><i style="width:{done}%"></i></div>'
    )
    by, below = _by_network(explanation)
    return (
        f'<figure class="xfv xfv-maps" aria-busy="{str(not final).lower()}">{views}'
        f'<div class="xfv-legend">{legend}</div>{by}'
        f'<figcaption class="say">{said}</figcaption>{below}{trust}</figure>'
    )


def _by_network(explanation: Explanation) -> tuple[str, str]:
    """For a network that explains itself: its own verdict, and its patches or parts to choose."""
    match explanation.maps.details:
        case {"patches": found}:
            below = patches.below(explanation, found)
        case {"parts": found}:
            below = parts.below(explanation, found)
        case _:
            return "", ""
    said = escape(explanation.verdict.sentence)
    return f'<p class="xfv-by">By this network: <b>{said}</b></p>', below


def _layer(explanation: Explanation, side: Side) -> str:
    """What lies over one photo to be picked or drawn on."""
    match explanation.maps.details:
        case {"patches": found}:
            return patches.layer(found, side, len(explanation.maps.a))
        case {"parts": found}:
            return parts.layer(found, side)
    return ""


def _pair(explanation: Explanation, on: Surface) -> str:
    sides: tuple[Side, Side] = ("a", "b")
    views = "".join(_view(explanation, side, on) for side in sides)
    return f'<div class="xfv-pair on-{on}">{views}</div>'


def _view(explanation: Explanation, side: Side, on: Surface) -> str:
    plain = data_url(explanation.overlay(side, on=on, strength=0))
    coloured = data_url(explanation.overlay(side, on=on, strength=1))
    which = "First" if side == "a" else "Second"
    layer = _layer(explanation, side) if on == "crop" else ""
    return (
        f'<div class="xfv-view"><img src="{plain}" alt="{which} photo">'
        f'<img class="over" src="{coloured}" alt="Map over the {which.lower()} photo">{layer}</div>'
    )


def _trust(explanation: Explanation) -> str:
    fidelity, cost = explanation.fidelity, explanation.maps.cost
    assert fidelity is not None
    digits = ".1f" if cost.seconds >= 1 else ".2f"
    beaten = round(fidelity.deletion_beaten * fidelity.n_random)
    chance = tip(
        "chance",
        f"{fidelity.n_random} random smooth maps. Gain: area between the curves when 0 to 100 % of "
        "the face is blackened, in the order of the map; ± is the spread of the random maps.",
    )
    said = escape(fidelity.sentence).replace("chance", chance)
    than_random = (
        "" if fidelity.empty else f" It beats {beaten} of {fidelity.n_random} random maps."
    )
    return (
        f'<div class="trust">{said}{than_random}{_agreement(explanation.agreement)}'
        f"<details><summary>Show the curves</summary>{curves(fidelity)}</details></div>"
        f'<p class="cost">{cost.passes:,} network passes, {cost.seconds:{digits}} s</p>'
    )


def _agreement(with_others: Mapping[str, float]) -> str:
    """How far the methods that were asked about this pair put the same places first."""
    if not with_others:
        return ""
    rank = tip(
        "Agreement",
        "Rank correlation of the two maps' pixels: 1 the same order, 0 unrelated, -1 reversed. "
        "Methods ask different questions; little agreement is a reason to look twice.",
    )
    named = ", ".join(
        f"{escape(METHODS.get(name, name))} <b>{rho:.2f}</b>" for name, rho in with_others.items()
    )
    return f" {rank} with {named}."


def curves(fidelity: Fidelity) -> str:
    """SVG: the similarity while more and more of the face is hidden, by this map and by chance."""
    width, height = 400, 150
    low = min(0.0, float(fidelity.deletion.min()), float(fidelity.chance.min()))
    high = max(float(fidelity.deletion.max()), float(fidelity.chance.max()), low + 0.1)

    def line(values: NDArray[np.float64], style: str) -> str:
        points = " ".join(
            f"{x * width:.1f},{(high - y) / (high - low) * height:.1f}"
            for x, y in zip(RATIOS, values, strict=True)
        )
        return f'<polyline points="{points}" fill="none" {style}/>'

    return (
        f'<svg class="xfv-curve" viewBox="0 -14 {width} {height + 36}" role="img" '
        f'aria-label="Deletion curves">'
        + line(fidelity.chance, 'stroke="var(--soft)" stroke-width="2" stroke-dasharray="5 4"')
        + line(fidelity.deletion, 'stroke="var(--accent)" stroke-width="2.5"')
        + f'<path d="M0 {height}H{width}" stroke="var(--line)"/>'
        f'<text x="0" y="-4">similarity {high:.2f}</text>'
        f'<text x="{width}" y="-4" text-anchor="end">this map: solid · chance: dashed</text>'
        f'<text x="0" y="{height + 16}">nothing hidden</text>'
        f'<text x="{width}" y="{height + 16}" text-anchor="end">everything hidden</text></svg>'
    )
