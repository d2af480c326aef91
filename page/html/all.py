"""Every method's maps of one pair side by side, and how far they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from page.html import filled
from page.html.key import Key
from page.html.maps import RANK, SIDES, Picture
from page.html.pictures import data_url
from page.html.regions import regions
from xfv_core.explain import method_named
from xfv_core.explain.fidelity import agreement
from xfv_core.overlay import overlay_crop
from xfv_core.results import Explanation

SMALL = 132  # px
CONTRADICT = 0.2  # rank correlation below which two methods point to different places


@dataclass(frozen=True)
class Row:
    """One method: both faces small under their maps, and what is said about them."""

    method: str
    title: str
    network: str
    pictures: list[Picture]
    sentence: str
    fidelity: str
    cost: str


def all_methods(
    found: Sequence[tuple[Explanation, str]],
    key: Key,
    missing: Sequence[tuple[str, str]] = (),
    busy: str = "",
) -> Markup:
    """``found``: explanations and the titles of their networks; ``missing``: titles of methods and
    why they are not there; ``busy``: what is still to come, in words."""
    explanations = [explanation for explanation, _ in found]
    titles = [title_of(explanation) for explanation in explanations]
    rho = [[agreed(x, y) for y in explanations] for x in explanations]
    matrix = [
        (title, ["" if r is None else f"{r:.2f}" for r in row])
        for title, row in zip(titles, rho, strict=True)
    ]
    return filled(
        "all",
        rows=[_row(explanation, network) for explanation, network in found],
        titles=titles,
        matrix=matrix if len(found) > 1 else [],
        contradictions=contradictions(titles, rho),
        regions=regions(explanations),
        missing=missing,
        busy=busy,
        key=key,
        rank=RANK,
    )


def contradictions(titles: Sequence[str], rho: Sequence[Sequence[float | None]]) -> list[str]:
    """A sentence for each two methods that put different places first."""
    return [
        f"{titles[i]} and {titles[j]} point to different places (rank correlation {r:.2f}): do not "
        "rely on one of them alone."
        for i, row in enumerate(rho)
        for j, r in enumerate(row)
        if i < j and r is not None and r < CONTRADICT
    ]


def agreed(x: Explanation, y: Explanation) -> float | None:
    """Rank correlation of two methods' maps; None where they are of different crops."""
    crops = zip(x.portraits, y.portraits, strict=True)
    if x is y or not all(np.array_equal(a.crop.pixels, b.crop.pixels) for a, b in crops):
        return None
    return agreement(x.shown, y.shown)


def title_of(explanation: Explanation) -> str:
    """The method's title."""
    return method_named(explanation.maps.method).title


def _row(explanation: Explanation, network: str) -> Row:
    cost, fidelity = explanation.maps.cost, explanation.fidelity
    return Row(
        method=explanation.maps.method,
        title=title_of(explanation),
        network=network,
        pictures=[_small(explanation, i) for i in (0, 1)],
        sentence=explanation.sentence,
        fidelity=fidelity.sentence if fidelity else "",
        cost=f"{cost.passes:,} passes, {cost.seconds:.1f} s",
    )


def _small(explanation: Explanation, i: int) -> Picture:
    face = explanation.portraits[i].sharp_crop(SMALL)
    values = (explanation.shown.a, explanation.shown.b)[i]
    over = overlay_crop(face, values, explanation.scale, 1, SMALL)
    return Picture(SIDES[i][1], data_url(face), data_url(over), Markup())
