"""Face parts as lines: what each adds, what its loudest channel saw in both photos."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from page.html import macro
from page.html.pictures import data_url
from xfv_core.explain.parts import PartLine, PartsFound
from xfv_core.models.atlas import FIRES
from xfv_core.results import CROP_SHOWN, Explanation, Side

THUMB = 48  # px
SEEN = 32 / 112  # of the crop's side: what a thumb shows around a channel's peak
WHICH = {(True, True): "both", (True, False): "first", (False, True): "second"}


@dataclass(frozen=True)
class Seen:
    """What a channel saw in one photo: a picture, or "" where it is silent; and in words."""

    picture: str
    said: str


@dataclass(frozen=True)
class Row:
    """One part; ``hidden``: in which photo it is not found, or ""."""

    part: str
    channel: int
    title: str
    seen: list[Seen]
    hidden: str
    adds: float
    width: str


def layer(found: PartsFound, side: Side) -> Markup:
    """SVG over one photo, where ``parts.js`` draws the map of the chosen channel."""
    return macro("parts", "layer", found.maps.shape[-1], side)


def below(explanation: Explanation, found: PartsFound) -> Markup:
    """A line per part, the loudest first, those not found last and without a bar."""
    pictures = [portrait.sharp_crop(CROP_SHOWN) for portrait in explanation.portraits]
    peak = max((abs(x.value) for x in found.lines if not any(x.hidden)), default=0.0) or 1.0
    rows = [_row(found, line, pictures, peak) for line in found.lines]
    channels = {
        str(i): [[[round(float(v), 2) for v in row] for row in side] for side in found.maps[:, i]]
        for i in (example(found, line) for line in found.lines)
    }
    return macro("parts", "lines", rows, json.dumps(channels), THUMB)


def example(found: PartsFound, line: PartLine) -> int:
    """The loudest of a part's channels that fires in both photos; else the loudest."""
    peaks = found.maps.max((2, 3))  # (2, C)
    both = (i for i in line.channels if (peaks[:, i] >= FIRES).all())
    return next(both, line.channels[0])


def _row(found: PartsFound, line: PartLine, pictures: list[NDArray[np.uint8]], peak: float) -> Row:
    channel = example(found, line)
    return Row(
        part=line.part,
        channel=channel,
        title=f"channel {channel}, on its part in {found.atlas.channels[channel].purity:.0%} of "
        "faces",
        seen=[
            Seen(
                _around_peak(pictures[i], found.maps[i, channel]),
                f"what channel {channel} saw in the {which} photo",
            )
            for i, which in enumerate(("first", "second"))
        ],
        hidden=WHICH.get(line.hidden, ""),
        adds=line.value,
        width=f"{50 * abs(line.value) / peak:.1f}",
    )


def _around_peak(picture: NDArray[np.uint8], channel: NDArray[np.float32]) -> str:
    """The surroundings of a channel's peak as a data URL, "" where it is silent."""
    if channel.max() < FIRES:
        return ""
    side = len(picture)
    y, x = np.unravel_index(int(np.argmax(channel)), channel.shape)
    half = SEEN * side / 2
    cell = side / len(channel)
    centre = np.clip((np.array([x, y]) + 0.5) * cell, half, side - half)
    box = (*(centre - half), *(centre + half))
    small = Image.fromarray(picture).resize((2 * THUMB, 2 * THUMB), box=box)
    return data_url(np.asarray(small))
