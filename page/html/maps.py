"""Both photos under their maps, what the maps show, how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from page.html import filled, macro, parts, patches
from page.html.charts import points
from page.html.key import Key
from page.html.legend import legend
from page.html.pictures import data_url
from xfv_core.explain import method_named
from xfv_core.explain.fidelity import RATIOS, Fidelity
from xfv_core.explain.parts import PartsFound
from xfv_core.explain.patches import PatchSum
from xfv_core.results import Explanation, Portrait, Side, Surface

THUMB = 40  # px, of the whole photo below its face
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


def waiting(message: str) -> Markup:
    """The reserved space of the maps, with a sentence instead."""
    return filled("waiting", message=message)


def maps(explanation: Explanation) -> Markup:
    """Both faces under their maps, the legend, what the maps show and how far to trust them, one
    below the other.

    The strength of the colours is the page's CSS variable ``--xfv-strength``: photo and overlay
    lie on top of each other, so that the slider needs no answer from the server.
    """
    return filled(
        "maps",
        pairs=[("crop", [picture(explanation, side, "crop") for side, _ in SIDES])],
        legend=legend(explanation.scale, explanation.maps.unit, explanation.maps.view),
        **_said(explanation),
    )


def face(explanation: Explanation, side: Side, key: Key) -> Markup:
    """One face under its map, large; once the map is final also the whole photo."""
    judged, final = explanation.fidelity is not None, explanation.maps.progress == 1
    surfaces: list[Surface] = ["crop", "photo"] if final else ["crop"]
    return _face(
        explanation.portraits[side == "b"], side, key,
        [(on, picture(explanation, side, on)) for on in surfaces],
        "judged" if judged else "fresh", explanation.maps.method, explanation.maps.model,
    )  # fmt: skip


def bare_face(portrait: Portrait, side: Side, key: Key) -> Markup:
    """One face before there is a map of it."""
    alone = Picture(dict(SIDES)[side], data_url(portrait.sharp_crop()), "", Markup())
    return _face(portrait, side, key.of_pair, [("crop", alone)], "waiting", "", "")


def _face(
    portrait: Portrait,
    side: Side,
    key: Key,
    pictures: list[tuple[Surface, Picture]],
    state: str,
    method: str,
    model: str,
) -> Markup:
    thumb = Image.fromarray(portrait.shown_photo()[0])
    thumb.thumbnail((2 * THUMB, 2 * THUMB))
    return filled(
        "face", side=side, which=dict(SIDES)[side], key=key, pictures=pictures, state=state,
        method=method, model=model, thumb=data_url(np.asarray(thumb)),
    )  # fmt: skip


def scale(explanation: Explanation, network: str, key: Key) -> Markup:
    """What the maps are of, and what their colours mean."""
    title = method_named(explanation.maps.method).title
    colours = legend(explanation.scale, explanation.maps.unit, explanation.maps.view)
    return macro("reasons", "scale", title, network, colours, key)


def reasons(explanation: Explanation, key: Key, waits: str = "") -> Markup:
    """What the maps show and how far to trust them, in words and figures; ``waits``: for what."""
    return filled("reasons_of", key=key, waits=waits, **_said(explanation))


def no_reasons(message: str = "") -> Markup:
    """Why there are none, or nothing."""
    return macro("reasons", "waiting", message) if message else Markup()


def _said(explanation: Explanation) -> dict[str, object]:
    """What ``maps.html`` and ``reasons_of.html`` have in common."""
    fidelity = explanation.fidelity
    return {
        "explanation": explanation,
        "fidelity": fidelity,
        "other_network": explanation.maps.reading is not None,
        "below": below(explanation),
        "done": round(100 * explanation.maps.progress),
        **(trust(explanation, fidelity) if fidelity else {}),
    }


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
        "turns": turns(explanation, fidelity),
        "beaten": "" if fidelity.empty else beaten,
        "agreement": [(_called(name), rho) for name, rho in explanation.agreement.items()],
        "rank": RANK,
        "curves": curves(fidelity),
        "cost": cost,
        "seconds": f"{cost.seconds:.1f}" if cost.seconds >= 1 else f"{cost.seconds:.2f}",
    }


def _called(name: str) -> str:
    """The title of another method, and of its network where that is another."""
    method, space, network = name.partition(" ")
    return method_named(method).title.lower() + space + network


def turns(explanation: Explanation, fidelity: Fidelity) -> str:
    """How much must be covered to turn the verdict: where the map says, and at random."""
    verdict = explanation.verdict
    if fidelity.empty or verdict.same != (fidelity.kind == "similar"):
        return ""
    here, chance = (
        _share_that_turns(curve, verdict.threshold, verdict.same)
        for curve in (fidelity.deletion, fidelity.chance)
    )
    if here is None:
        return "Covering the face in the order of this map does not turn the verdict."
    at_random = "never does" if chance is None else f"takes {100 * chance:.0f} %"
    return (
        f"Covering {100 * here:.0f} % of a face, where the map says, turns this verdict; at random "
        f"it {at_random}."
    )


def _share_that_turns(curve: NDArray[np.float64], threshold: float, same: bool) -> float | None:
    """The share of the face, in [0,1], at which a curve over RATIOS first crosses the threshold."""
    above = curve >= threshold
    crossed = np.flatnonzero(above != same)
    if not len(crossed) or crossed[0] == 0:
        return None
    i = int(crossed[0])
    step = (threshold - curve[i - 1]) / (curve[i] - curve[i - 1])
    return float(RATIOS[i - 1] + step * (RATIOS[i] - RATIOS[i - 1]))


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
