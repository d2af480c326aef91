"""What several photos of one person say together, each of them alone, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from page.html import filled
from page.html.key import Key
from page.html.legend import legend
from page.html.maps import Picture
from page.html.pictures import data_url
from xfv_core.overlay import overlay_crop
from xfv_core.references import Referenced, ReferenceMaps
from xfv_core.results import Portrait, Verdict

SIDE = 224  # px


@dataclass(frozen=True)
class Row:
    """One reference: its face, what it says alone, whether it is the most alike."""

    picture: Picture
    verdict: Verdict
    best: bool


def no_references(message: str) -> Markup:
    """Why there is no answer."""
    return filled("references", trouble=message, key=None)


def references(
    found: Referenced, portraits: Sequence[Portrait], key: Key, maps: ReferenceMaps | None = None
) -> Markup:
    """``portraits``: the faces of the references, in their order; ``maps``: None while they are
    made."""
    best = max(range(len(found.each)), key=lambda i: found.each[i].similarity)
    values = maps.fused if maps else [None] * len(portraits)
    scale = maps.scale if maps else 1.0
    rows = [
        Row(_picture(portrait, of, scale), verdict, i == best)
        for i, (portrait, of, verdict) in enumerate(
            zip(portraits, values, found.each, strict=False)
        )
    ]
    return filled(
        "references", trouble="", key=key, fused=found.fused, notes=found.notes, rows=rows,
        others=_others(maps) if maps else [],
        legend=legend(scale, maps.against_best.maps.unit) if maps else "",
    )  # fmt: skip


def _others(maps: ReferenceMaps) -> list[tuple[str, Picture]]:
    """The other photo against all references, and against the one that is most alike."""
    face, best = maps.portraits[-1], maps.against_best
    return [
        ("against all of them together", _picture(face, maps.fused[-1], maps.scale)),
        (f"against photo {maps.best + 1} alone", _picture(face, best.shown.b, maps.scale)),
    ]


def _picture(portrait: Portrait, values: NDArray[np.float32] | None, scale: float) -> Picture:
    crop = portrait.sharp_crop(SIDE)
    coloured = "" if values is None else data_url(overlay_crop(crop, values, scale, 1, SIDE))
    return Picture("", data_url(crop), coloured, Markup())
