"""Does a channel fire because of its part? Cover the part and see; then cover the other parts.

The regions come from five landmarks, so they do not depend on what the channel does. The same
faces tell how little of a part may show before it counts as hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from torch import Tensor
from tqdm import tqdm

from xfv_core.confidence.scores import Interval, wilson
from xfv_core.evaluation.channels.parts import FaceRow, find_peaks, part_table, peaks_of
from xfv_core.evaluation.data.face_sets import Face, jittered, unmoved
from xfv_core.faces import Crop
from xfv_core.faces.regions import REGIONS, face_regions
from xfv_core.models.atlas import FIRES, Atlas, Channel

FALLS = 0.5  # of the activation on the whole face
GROWN = 4 / 112  # of the side, around a part: half a cell of the maps
FALSE_ALARMS = 0.02  # share of whole faces on which a part may be called hidden
PARTS = REGIONS[1:]
WAYS = ("nothing", *PARTS)  # what is covered, face by face
HELD_OUT = "held-out people, moved at random"


@dataclass(frozen=True)
class CauseTable:
    """Whether live channels fire because of their parts, on n faces.

    ``share``: channels that fall to less than half of their activation when their own part is
    covered, and do not, on average over the other seven parts, when another one is; with a 95 %
    Wilson interval over channels. ``falls``, ``stays``: the shares of either half of that.
    ``own``, ``elsewhere``: medians of what is kept.
    """

    n: int
    channels: int
    share: float
    share_interval: Interval
    falls: float
    stays: float
    own: float
    elsewhere: float


@dataclass(frozen=True)
class HiddenTable:
    """Per part: the visibility below which it is hidden, and how often that is said, on n faces."""

    n: int
    below: Mapping[str, float]
    found: Mapping[str, float]
    false_alarms: Mapping[str, float]


def measure_parts(
    maps_of: Callable[[Tensor], Tensor],
    size: int,
    people: Sequence[Face],
    others: Mapping[str, Sequence[Crop]],
    *,
    n_covered: int = 300,
    seed: int = 0,
) -> list[FaceRow]:
    """What a layer's channels do on sets of faces.

    ``people``: held-out ones, who name the channels and set what counts as hidden, moved at random
    for the former and as served for the latter; ``others``: further sets of crops. ``n_covered``
    faces of a set are covered part by part.
    """
    rng = np.random.default_rng(seed)
    rows = find_peaks(maps_of, [jittered(face, size, rng) for face in people], HELD_OUT)
    served = [unmoved(people[i], size) for i in rng.permutation(len(people))[:n_covered]]
    rows += under_cover(maps_of, served, HELD_OUT)
    for name, crops in others.items():
        rows += find_peaks(maps_of, crops, name)
        some = [crops[i] for i in rng.permutation(len(crops))[:n_covered]]
        rows += under_cover(maps_of, some, name)
    return rows


def summarise(rows: Sequence[FaceRow], seed: int = 0) -> tuple[Atlas, dict[str, Any]]:
    """What the channels find, and the figures of that by set of faces, as plain data."""
    sets: dict[str, Any] = {}
    channels: tuple[Channel, ...] = ()
    below: Mapping[str, float] | None = None
    for name in dict.fromkeys(row.set for row in rows):
        own = [row for row in rows if row.set == name]
        table = part_table(peaks_of(row for row in own if not row.cover))
        channels = channels or table.channels
        heights = heights_under_cover(own)
        hidden = hidden_table(heights, channels, below)
        below = below or hidden.below
        sets[name] = {
            "metrics": {key: value for key, value in asdict(table).items() if key != "channels"},
            "causes": asdict(cause_table(heights, channels)),
            "hidden": asdict(hidden),
        }
    n = sets[HELD_OUT]["metrics"]["n"]
    protocol = (
        f"named on {n} crops of held-out people, moved, scaled and turned at random; seed {seed}"
    )
    return Atlas(channels, below or {}), {"protocol": protocol, "sets": sets}


def cover(crop: Crop, part: str) -> Crop:
    """The crop with one part and a little around it in black, as the occlusion maps cover."""
    pixels = crop.pixels.copy()
    region = face_regions(crop.landmarks, pixels.shape[:2]) == REGIONS.index(part)
    pixels[binary_dilation(region, iterations=round(GROWN * len(pixels)))] = 0
    return replace(crop, pixels=pixels)


def under_cover(
    maps_of: Callable[[Tensor], Tensor], crops: Sequence[Crop], faces: str = ""
) -> list[FaceRow]:
    """The heights of a set's peaks: on the whole faces, then with each of the parts covered."""
    rows = []
    for way in tqdm(WAYS, desc="covered parts"):
        covered = crops if way == WAYS[0] else [cover(crop, way) for crop in crops]
        rows += find_peaks(maps_of, covered, faces, way, whole=False)
    return rows


def heights_under_cover(rows: Sequence[FaceRow]) -> NDArray[np.float64]:
    """(9,F,C) peak activations: of the whole faces, then with each of the eight parts covered."""
    return np.array([[row.height for row in rows if row.cover == way] for way in WAYS])


def cause_table(heights: NDArray[np.float64], channels: Sequence[Channel]) -> CauseTable:
    """Judge every live channel on the faces that it fires on, if there are any."""
    fires = (heights[0] >= FIRES * np.array([channel.level for channel in channels])).any(0)
    live = [i for i, channel in enumerate(channels) if channel.live and fires[i]]
    kept = np.array([_kept(heights[:, :, i], channels[i]) for i in live])  # (L, 2)
    falls, stays = kept[:, 0] < FALLS, kept[:, 1] >= FALLS
    both = int((falls & stays).sum())
    own, elsewhere = np.median(kept, axis=0)
    return CauseTable(
        n=heights.shape[1],
        channels=len(live),
        share=both / len(live),
        share_interval=wilson(both, len(live)),
        falls=float(falls.mean()),
        stays=float(stays.mean()),
        own=float(own),
        elsewhere=float(elsewhere),
    )


def _kept(heights: NDArray[np.float64], channel: Channel) -> tuple[float, float]:
    """Share of one channel's (9,F) activation kept under its own part's cover, and elsewhere."""
    firing = heights[0] >= FIRES * channel.level
    kept = heights[1:, firing].mean(1) / heights[0, firing].mean()
    own = PARTS.index(channel.part)
    return float(kept[own]), float(np.delete(kept, own).mean())


def hidden_table(
    heights: NDArray[np.float64],
    channels: Sequence[Channel],
    known: Mapping[str, float] | None = None,
) -> HiddenTable:
    """How often each part is found hidden, when it is covered and when it is not.

    Below the ``known`` visibilities, or else below what all but ``FALSE_ALARMS`` of these whole
    faces exceed.
    """
    atlas = Atlas(tuple(channels), {})
    tables: dict[str, dict[str, Any]] = {"below": {}, "found": {}, "false_alarms": {}}
    for i, part in enumerate(PARTS, start=1):
        if not atlas.named(part):
            continue
        whole, hidden = (
            np.array([atlas.visibility(part, face) for face in heights[way]]) for way in (0, i)
        )
        below = known[part] if known else _down(np.quantile(whole, FALSE_ALARMS))
        tables["below"][part] = below
        tables["found"][part] = float((hidden < below).mean())
        tables["false_alarms"][part] = float((whole < below).mean())
    return HiddenTable(n=heights.shape[1], **tables)


def _down(value: float) -> float:
    return float(np.floor(value * 1000) / 1000)
