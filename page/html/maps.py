"""Both photos under their maps, what the maps show, how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from page.html import filled, parts, patches
from page.html.charts import points
from page.html.legend import legend
from page.html.pictures import data_url
from xfv_core.explain.fidelity import RATIOS, Fidelity
from xfv_core.explain.parts import PartsFound
from xfv_core.explain.patches import PatchSum
from xfv_core.results import Explanation, Side, Surface

WIDTH, HEIGHT = 400, 150  # px of the curves
LEAST_RISE = 0.1  # of similarity that the curves' height stands for, so that noise stays flat
SIDES: tuple[tuple[Side, str], ...] = (("a", "First"), ("b", "Second"))
RANK = (
    "Rank correlation of the two maps' pixels: 1 the same order, 0 unrelated, -1 reversed. "
    "Methods ask different questions; little agreement is a reason to look twice."
)


@dataclass(frozen=True)
class Picture:
    """One photo: as it is, under its map, and what lies over it to be picked or drawn on."""

    which: str
    plain: str
    coloured: str
    layer: Markup


def waiting(message: str = "The maps appear here once two faces are compared.") -> Markup:
    """The reserved space of the maps, with a sentence instead."""
    return filled("waiting", message=message)


def maps(explanation: Explanation, *, whole_photo: bool = True) -> Markup:
    """Both photos under their maps, the legend, what the maps show and how far to trust them.

    ``whole_photo``: also on the photos that the faces were cut from, once the maps are final.

    The strength of the colours is the page's CSS variable ``--xfv-strength``: photo and overlay
    lie on top of each other, so that the slider needs no answer from the server.
    """
    fidelity = explanation.fidelity
    surfaces: list[Surface] = ["crop", "photo"] if fidelity and whole_photo else ["crop"]
    return filled(
        "maps",
        explanation=explanation,
        fidelity=fidelity,
        pairs=[(on, [picture(explanation, side, on) for side, _ in SIDES]) for on in surfaces],
        legend=legend(explanation.scale, explanation.maps.unit),
        below=below(explanation),
        done=round(100 * explanation.maps.progress),
        **(trust(explanation, fidelity) if fidelity else {}),
    )


def picture(explanation: Explanation, side: Side, on: Surface) -> Picture:
    """One photo and its map, on the crop or on the whole photo."""
    return Picture(
        which=dict(SIDES)[side],
        plain=data_url(explanation.overlay(side, on=on, strength=0)),
        coloured=data_url(explanation.overlay(side, on=on, strength=1)),
        layer=_layer(explanation, side) if on == "crop" else Markup(),
    )


def below(explanation: Explanation) -> Markup:
    """For a network that explains itself: its patches or parts to choose from."""
    match explanation.maps.reading:
        case PatchSum() as found:
            return patches.below(explanation, found)
        case PartsFound() as found:
            return parts.below(explanation, found)
    return Markup()


def _layer(explanation: Explanation, side: Side) -> Markup:
    match explanation.maps.reading:
        case PatchSum() as found:
            return patches.layer(found, side, len(explanation.maps.a))
        case PartsFound() as found:
            return parts.layer(found, side)
    return Markup()


def trust(explanation: Explanation, fidelity: Fidelity) -> dict[str, object]:
    """What ``fidelity.html`` says: gain over chance, agreement with other methods, cost."""
    cost, n = explanation.maps.cost, fidelity.n_random
    beaten = f"It beats {round(fidelity.deletion_beaten * n)} of {n} random maps."
    return {
        "sentence": fidelity.sentence.split("chance"),
        "chance": f"{n} random smooth maps. Gain: area between the curves when 0 to 100 % of the "
        "face is blackened, in the order of the map; ± is the spread of the random maps.",
        "beaten": "" if fidelity.empty else beaten,
        "agreement": list(explanation.agreement.items()),
        "rank": RANK,
        "curves": curves(fidelity),
        "cost": cost,
        "seconds": f"{cost.seconds:.1f}" if cost.seconds >= 1 else f"{cost.seconds:.2f}",
    }


def curves(fidelity: Fidelity) -> Markup:
    """SVG: the similarity while more and more of the face is hidden, by this map and by chance."""
    low = min(0.0, float(fidelity.deletion.min()), float(fidelity.chance.min()))
    high = max(float(fidelity.deletion.max()), float(fidelity.chance.max()), low + LEAST_RISE)

    def line(values: NDArray[np.float64]) -> str:
        return points(np.asarray(RATIOS) * WIDTH, (high - values) / (high - low) * HEIGHT)

    return filled(
        "curves", width=WIDTH, height=HEIGHT, top=high,
        chance=line(fidelity.chance), this=line(fidelity.deletion),
    )  # fmt: skip
