"""A similarity as the sum it is: patches to pick on both photos, the strongest ones as bars."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from page.html import macro
from page.html.pictures import data_url
from xfv_core.explain.patches import PatchSum
from xfv_core.faces.regions import REGIONS, face_regions
from xfv_core.results import CROP_SHOWN, Explanation, Portrait, Side

STRONGEST = 4  # bars for and against, each
THUMB = 44  # px
TITLES: tuple[tuple[Side, str], ...] = (("a", "First photo"), ("b", "Second photo"))


@dataclass(frozen=True)
class Cell:
    """Where a patch is picked, in px of the crop."""

    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True)
class Bar:
    """One patch: its number, a picture of it, where in the face it lies, what it adds."""

    patch: int
    picture: str
    place: str
    value: float
    width: str


@dataclass(frozen=True)
class Bars:
    """The strongest patches of one photo."""

    side: Side
    title: str
    bars: list[Bar]


def layer(found: PatchSum, side: Side, crop: int) -> Markup:
    """SVG over one photo: a cell per patch, the nearest to its centre, and room for what
    ``patches.js`` draws when one is picked."""
    edges = [0, *(_centre(found, i) + found.stride / 2 for i in range(found.grid - 1)), crop]
    sizes = np.diff(edges)
    cells = [
        Cell(f"{edges[x]:g}", f"{edges[y]:g}", f"{sizes[x]:g}", f"{sizes[y]:g}")
        for y in range(found.grid)
        for x in range(found.grid)
    ]
    return macro("patches", "layer", cells, side, crop)


def below(explanation: Explanation, found: PatchSum) -> Markup:
    """The strongest patches as bars, and what a picked one met."""
    peak = max(float(np.abs(values).max()) for values in found.shown) or 1.0
    names = [_places(found, portrait) for portrait in explanation.portraits]
    lists = []
    for i, (side, title) in enumerate(TITLES):
        face, values = explanation.portraits[i].sharp_crop(), found.shown[i]
        bars = [
            _bar(found, face, k, values[k], names[i][k], peak) for k in strongest(values, found)
        ]
        lists.append(Bars(side, title, bars))
    return macro("patches", "bars", lists, _facts(found, names), THUMB)


def _facts(found: PatchSum, names: list[list[str]]) -> str:
    """What ``patches.js`` needs to show what a patch met; K in steps of ``unit``."""
    unit = float(np.abs(found.k).max()) / 9999 or 1.0
    facts = {
        "size": found.size, "stride": found.stride, "grid": found.grid, "unit": unit,
        "k": np.rint(found.k / unit).astype(int).ravel().tolist(),
        "a": [round(float(v), 5) for v in found.a], "b": [round(float(v), 5) for v in found.b],
        "places": {"a": names[0], "b": names[1]},
    }  # fmt: skip
    return json.dumps(facts, separators=(",", ":"))


def _bar(
    found: PatchSum, face: NDArray[np.uint8], i: int, value: float, place: str, peak: float
) -> Bar:
    crop = found.size + found.stride * (found.grid - 1)
    zoom = CROP_SHOWN / crop
    top, left = (found.stride * k * zoom for k in divmod(i, found.grid))
    box = (left, top, left + found.size * zoom, top + found.size * zoom)
    small = Image.fromarray(face).resize((THUMB, THUMB), Image.Resampling.BOX, box=box)
    width = f"{50 * abs(value) / peak:.0f}"
    return Bar(i, data_url(np.asarray(small)), place, float(value), width)


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
