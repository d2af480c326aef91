"""A similarity as the sum it is: patches to pick on both photos, the strongest ones as bars."""

from __future__ import annotations

import json
from html import escape

import numpy as np
from numpy.typing import NDArray

from page.html.pictures import data_url
from xfv_core.explain.patches import PatchSum
from xfv_core.faces.regions import REGIONS, face_regions
from xfv_core.results import CROP_SHOWN, Explanation, Portrait, Side

STRONGEST = 4  # bars for and against, each
THUMB = 44  # px
SIDES: tuple[tuple[Side, str], ...] = (("a", "First photo"), ("b", "Second photo"))


def layer(found: PatchSum, side: Side, crop: int) -> str:
    """SVG over one photo: a cell per patch, the nearest to its centre, and room for what
    ``page.js`` draws when one is picked."""
    edges = [0, *(_centre(found, i) + found.stride / 2 for i in range(found.grid - 1)), crop]
    cells = "".join(
        f'<rect data-side="{side}" data-patch="{row * found.grid + column}" x="{edges[column]:g}" '
        f'y="{edges[row]:g}" width="{edges[column + 1] - edges[column]:g}" '
        f'height="{edges[row + 1] - edges[row]:g}"/>'
        for row in range(found.grid)
        for column in range(found.grid)
    )
    return (
        f'<svg class="xfv-patches" viewBox="0 0 {crop} {crop}" aria-hidden="true">'
        f'<g class="cells">{cells}</g><g class="marks" data-marks="{side}"></g></svg>'
    )


def below(explanation: Explanation, found: PatchSum) -> str:
    """The strongest patches as bars, and what a picked one met."""
    peak = max(float(np.abs(values).max()) for values in found.shown) or 1.0
    names = [_places(found, portrait) for portrait in explanation.portraits]
    lists = "".join(
        _bars(found, explanation.portraits[i], values, side, title, names[i], peak)
        for i, ((side, title), values) in enumerate(zip(SIDES, found.shown, strict=True))
    )
    unit = float(np.abs(found.k).max()) / 9999 or 1.0
    facts = {
        "size": found.size, "stride": found.stride, "grid": found.grid, "unit": unit,
        "k": np.rint(found.k / unit).astype(int).ravel().tolist(),
        "a": [round(float(v), 5) for v in found.a], "b": [round(float(v), 5) for v in found.b],
        "places": {"a": names[0], "b": names[1]},
    }  # fmt: skip
    return (
        f'<p class="xfv-match" role="status">Select a patch, in a photo or in the lists, to see '
        f"which patches of the other photo it met.</p>"
        f'<div class="xfv-bars" data-facts="{escape(json.dumps(facts, separators=(",", ":")))}">'
        f"{lists}</div>"
    )


def _bars(
    found: PatchSum,
    portrait: Portrait,
    values: NDArray[np.float32],
    side: Side,
    title: str,
    names: list[str],
    peak: float,
) -> str:
    face = portrait.sharp_crop()
    rows = "".join(
        _bar(found, face, side, i, float(values[i]), names[i], peak)
        for i in strongest(values, found)
    )
    return f"<section><h3>{title}</h3><ol>{rows}</ol></section>"


def _bar(
    found: PatchSum,
    face: NDArray[np.uint8],
    side: Side,
    i: int,
    value: float,
    name: str,
    peak: float,
) -> str:
    zoom = CROP_SHOWN / (found.size + found.stride * (found.grid - 1))
    top, left = (round(found.stride * k * zoom) for k in divmod(i, found.grid))
    size = round(found.size * zoom)
    small = face[top : top + size, left : left + size][:: size // THUMB, :: size // THUMB]
    picture = data_url(np.ascontiguousarray(small))
    kind, width = ("for" if value >= 0 else "against"), 50 * abs(value) / peak
    return (
        f'<li><button type="button" data-side="{side}" data-patch="{i}">'
        f'<img src="{picture}" alt="" width="{THUMB}" height="{THUMB}">'
        f'<span class="place">{name}</span><span class="track"><i class="{kind}" '
        f'style="width:{width:.0f}%"></i></span><b>{value:+.3f}</b></button></li>'
    )


def strongest(values: NDArray[np.float32], found: PatchSum, count: int = STRONGEST) -> list[int]:
    """Up to ``count`` patches for and as many against, by value, none within half a patch of a
    stronger one: neighbours overlap and would all say the same."""
    chosen: list[int] = []
    for sign in (1, -1):
        kept: list[int] = []
        for i in np.argsort(-sign * values, kind="stable"):
            if len(kept) == count or sign * values[i] <= 0:
                break
            if all(_apart(int(i), j, found) for j in kept):
                kept.append(int(i))
        chosen += kept
    return sorted(chosen, key=lambda i: -values[i])


def _apart(i: int, j: int, found: PatchSum) -> bool:
    steps = np.abs(np.subtract(divmod(i, found.grid), divmod(j, found.grid)))
    return bool(steps.max() * found.stride >= found.size / 2)


def _centre(found: PatchSum, i: int) -> float:
    return i * found.stride + found.size / 2


def _places(found: PatchSum, portrait: Portrait) -> list[str]:
    """The region of the face at the centre of each patch, in words."""
    regions = face_regions(portrait.crop.landmarks, portrait.crop.pixels.shape[:2])
    at = [int(_centre(found, i)) for i in range(found.grid)]
    return [REGIONS[regions[y, x]].replace("background", "edge") for y in at for x in at]
