"""Face parts as lines: what each adds, what its loudest channel saw in both photos."""

from __future__ import annotations

import json
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from page.html.pictures import data_url
from xfv_core.explain.parts import PartLine, PartsFound
from xfv_core.models.ecnet import FIRES
from xfv_core.results import CROP_SHOWN, Explanation, Side

THUMB = 48  # px
SEEN = 32 / 112  # of the crop's side: what a thumb shows around a channel's peak


def layer(found: PartsFound, side: Side) -> str:
    """SVG over one photo, where ``parts.js`` draws the map of the chosen channel."""
    grid = found.maps.shape[-1]
    return (
        f'<svg class="xfv-channel" viewBox="0 0 {grid} {grid}" aria-hidden="true">'
        f'<g data-channel-map="{side}"></g></svg>'
    )


def below(explanation: Explanation, found: PartsFound) -> str:
    """A line per part, the loudest first, hidden ones last and without a bar."""
    pictures = [portrait.sharp_crop(CROP_SHOWN) for portrait in explanation.portraits]
    peak = max((abs(x.adds) for x in found.lines if not any(x.hidden)), default=0.0) or 1.0
    lines = "".join(_line(found, line, pictures, peak) for line in found.lines)
    facts = {
        str(i): [[[round(float(v), 2) for v in row] for row in side] for side in found.maps[:, i]]
        for i in (example(found, line) for line in found.lines)
    }
    return (
        '<p class="xfv-match" aria-live="polite">Choose a part to see where its strongest channel '
        "fires in both photos.</p>"
        f'<ol class="xfv-parts" data-channels="{escape(json.dumps(facts))}">{lines}</ol>'
    )


def example(found: PartsFound, line: PartLine) -> int:
    """The loudest of a part's channels that fires in both photos; else the loudest."""
    peaks = found.maps.max((2, 3))  # (2, C)
    both = (i for i in line.channels if (peaks[:, i] >= FIRES).all())
    return next(both, line.channels[0])


def _line(found: PartsFound, line: PartLine, pictures: list[NDArray[np.uint8]], peak: float) -> str:
    channel = example(found, line)
    known = found.atlas.channels[channel]
    thumbs = "".join(
        _seen(
            pictures[i], found.maps[i, channel], f"what channel {channel} saw in the {which} photo"
        )
        for i, which in enumerate(("first", "second"))
    )
    if any(line.hidden):
        where = "both" if all(line.hidden) else "first" if line.hidden[0] else "second"
        said = f'<span class="track"></span><b>hidden in {where}</b>'
    else:
        kind, width = ("for", "against")[line.adds < 0], 50 * abs(line.adds) / peak
        said = (
            f'<span class="track"><i class="{kind}" style="width:{width:.1f}%"></i></span>'
            f"<b>{line.adds:+.3f}</b>"
        )
    title = f"channel {channel}, on its part in {known.purity:.0%} of faces"
    return (
        f'<li><button type="button" data-channel="{channel}" data-name="{escape(line.part)}" '
        f'aria-pressed="false" title="{title}">{thumbs}<span>{escape(line.part)}</span>{said}'
        "</button></li>"
    )


def _seen(picture: NDArray[np.uint8], channel: NDArray[np.float32], text: str) -> str:
    """The surroundings of a channel's peak, or an empty frame where it is silent."""
    if channel.max() < FIRES:
        return f'<span class="silent" role="img" aria-label="{text}: nothing"></span>'
    side = len(picture)
    y, x = np.unravel_index(int(np.argmax(channel)), channel.shape)
    half = SEEN * side / 2
    cell = side / len(channel)
    centre = np.clip((np.array([x, y]) + 0.5) * cell, half, side - half)
    box = (*(centre - half), *(centre + half))
    small = Image.fromarray(picture).resize((2 * THUMB, 2 * THUMB), box=box)
    source = data_url(np.asarray(small))
    return f'<img src="{source}" width="{THUMB}" height="{THUMB}" alt="{text}">'
