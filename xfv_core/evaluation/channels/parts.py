"""Does a channel detect a face part, wherever the face is, and because of that part?

The explainability metrics of a layer's channels, without hand labels: eight regions drawn from
five landmarks (``regions``), on faces moved, scaled and turned at random, because a channel that
fires at a fixed place is pure on centred faces. Every figure stands beside that baseline, a channel
that always fires at the same place. Docs: methods, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from xfv_core.confidence.scores import Interval
from xfv_core.faces import TEMPLATE, Crop, moved, similarity
from xfv_core.faces.regions import REGIONS, face_regions
from xfv_core.models.atlas import FIRES, Channel
from xfv_core.models.base import BATCH
from xfv_core.strict_json import STRICT

LIVE = 0.2  # share of faces on which it fires
PURE = 0.8
RESAMPLES = 200
EYES = float(np.hypot(*(TEMPLATE[1] - TEMPLATE[0])))  # px between the eyes of the template
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FaceRow:
    """Where C channels peak on a crop of ``side`` px, on maps of ``grid`` x ``grid`` cells.

    set : which faces it is of.      cover : what of it is covered, see ``covered``.
    landmarks : (5,2) px.            height : (C,) peak activations.
    xy, single : as in `Peaks`; empty where only the height is wanted.
    """

    set: str
    cover: str
    side: int
    grid: int
    landmarks: Sequence[tuple[float, float]]
    height: Sequence[float]
    xy: Sequence[tuple[float, float]]
    single: Sequence[bool]
    __pydantic_config__ = STRICT


@dataclass(frozen=True, eq=False)
class Peaks:
    """Where C channels peak on F crops.

    height : (F,C) peak activation.      xy : (F,C,2) its place in the crop, px.
    single : (F,C) no second peak of half the height or more.
    region : (F,C) index in ``REGIONS`` of that place.
    place : (F,C,2) that place on the template, so that faces can be compared.
    constant : (F,K) region of K fixed places, the cells of the map; ``grid``² = K.
    """

    height: Floats
    xy: Floats
    single: NDArray[np.bool_]
    region: NDArray[np.int8]
    place: Floats
    constant: NDArray[np.int8]
    constant_place: Floats


@dataclass(frozen=True)
class PartTable:
    """All channels on n faces; medians are over live channels, intervals over faces (bootstrap).

    ``covered``: parts with a live channel of purity >= 0.8. ``constant_*``: a channel that always
    fires at the cell nearest to each live channel's mean place in the crop.
    """

    n: int
    live: int
    purity: float
    purity_interval: Interval
    constant_purity: float
    above_constant: float
    spread: float
    spread_interval: Interval
    constant_spread: float
    single: float
    single_interval: Interval
    covered: tuple[str, ...]
    channels: tuple[Channel, ...]


def find_peaks(
    maps_of: Callable[[Tensor], Tensor],
    crops: Iterable[Crop],
    faces: str = "",
    cover: str = "",
    *,
    whole: bool = True,
) -> list[FaceRow]:
    """A row for each crop of a set; ``maps_of``: (B,3,S,S) in [0,1] -> (B,C,H,W), >= 0.

    Of a set that is not ``whole`` only the heights.
    """
    found = []
    for batch, maps in map_batches(maps_of, crops):
        height, cell, single = peak_of(maps)
        side, grid = len(batch[0].pixels), maps.shape[-1]
        xy = (cell + 0.5) * side / grid - 0.5  # (B,C,2)
        for i, crop in enumerate(batch):
            peaks = (xy[i].tolist(), single[i].tolist()) if whole else ([], [])
            marks = crop.landmarks.astype(float).tolist()
            found.append(FaceRow(faces, cover, side, grid, marks, height[i].tolist(), *peaks))
    return found


def peaks_of(rows: Iterable[FaceRow]) -> Peaks:
    """The peaks on the whole crops of ``rows``, by the parts that lie there."""
    found: list[tuple[NDArray[Any], ...]] = []
    for row in rows:
        landmarks, xy = np.array(row.landmarks), np.array(row.xy)
        grid = _cells(row.grid, row.side / row.grid)  # (K,2)
        to_template = similarity(landmarks, TEMPLATE)
        regions = face_regions(landmarks, (row.side, row.side))
        found.append(
            (
                np.array(row.height),
                xy,
                np.array(row.single),
                _at(regions, xy),
                moved(xy, to_template),
                _at(regions, grid),
                moved(grid, to_template),
            )
        )
    return Peaks(*(np.stack(column) for column in zip(*found, strict=True)))


def map_batches(
    maps_of: Callable[[Tensor], Tensor], crops: Iterable[Crop]
) -> Iterator[tuple[list[Crop], Tensor]]:
    """The crops a batch at a time, each with its maps (B,C,H,W)."""
    crops = iter(crops)
    while batch := list(islice(crops, BATCH)):
        x = torch.from_numpy(np.stack([crop.pixels for crop in batch]))  # (B, S, S, 3)
        with torch.inference_mode():
            maps = maps_of(x.permute(0, 3, 1, 2).float() / 255)
        yield batch, maps


def peak_of(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B,C,H,W) -> height (B,C), place in cells (x, y) (B,C,2), whether it is the only peak (B,C).

    The place is the centre of mass of the highest cell and its eight neighbours.
    """
    rows, columns = maps.shape[2:]
    height, at = maps.flatten(2).max(2)  # (B, C)
    row, column = at // columns, at % columns
    y, x = torch.arange(rows)[:, None], torch.arange(columns)
    near = ((y - row[..., None, None]).abs() <= 1) & ((x - column[..., None, None]).abs() <= 1)
    mass = maps * near
    total = mass.sum((2, 3)).clamp(min=1e-12)
    place = torch.stack([(mass * x).sum((2, 3)) / total, (mass * y).sum((2, 3)) / total], -1)
    summit = maps >= functional.max_pool2d(maps, 3, 1, 1)
    rivals = (summit & (maps >= 0.5 * height[..., None, None])).sum((2, 3))
    return height, place, (rivals == 1) & (height > 0)


def part_table(peaks: Peaks, *, seed: int = 0) -> PartTable:
    """The metrics of all channels."""
    rng = np.random.default_rng(seed)
    n = len(peaks.height)
    channels = describe_channels(peaks, np.arange(n))
    draws = [medians(describe_channels(peaks, rng.integers(0, n, n))) for _ in range(RESAMPLES)]
    low, high = np.quantile(np.array(draws), (0.025, 0.975), axis=0)
    purity, spread, single = medians(channels)
    live = [i for i, channel in enumerate(channels) if channel.live]
    constant = [_constant(peaks, i) for i in live]
    return PartTable(
        n=n,
        live=len(live),
        purity=purity,
        purity_interval=(float(low[0]), float(high[0])),
        constant_purity=float(np.median([c[0] for c in constant])),
        above_constant=float(
            np.mean([channels[i].purity > c[0] for i, c in zip(live, constant, strict=True)])
        ),
        spread=spread,
        spread_interval=(float(low[1]), float(high[1])),
        constant_spread=float(np.median([c[1] for c in constant])),
        single=single,
        single_interval=(float(low[2]), float(high[2])),
        covered=tuple(
            part
            for part in REGIONS[1:]
            if any(c.live and c.part == part and c.purity >= PURE for c in channels)
        ),
        channels=tuple(channels),
    )


def describe_channels(peaks: Peaks, faces: NDArray[np.intp]) -> list[Channel]:
    """Every channel on a choice of the faces."""
    return [_channel(peaks, i, faces) for i in range(peaks.height.shape[1])]


def medians(channels: Iterable[Channel]) -> tuple[float, float, float]:
    """Purity, spread and single-peak ratio, medians over live channels; NaN where none lives."""
    live = [c for c in channels if c.live]
    if not live:
        return np.nan, np.nan, np.nan
    rows = np.array([(c.purity, c.spread, c.single) for c in live])
    purity, spread, single = np.median(rows, axis=0)
    return float(purity), float(spread), float(single)


def _channel(peaks: Peaks, i: int, faces: NDArray[np.intp]) -> Channel:
    height = peaks.height[faces, i]
    level = float(np.quantile(height, 0.95))
    firing = faces[(height > 0) & (height >= FIRES * level)]
    if not len(firing):
        return Channel(REGIONS[0], False, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), level)
    part, purity = _majority(peaks.region[firing, i])
    places = peaks.place[firing, i]
    x, y = places.mean(0)
    return Channel(
        part=REGIONS[part],
        live=len(firing) / len(faces) >= LIVE,
        fires=len(firing) / len(faces),
        purity=purity,
        spread=_spread(places),
        single=float(peaks.single[firing, i].mean()),
        place=(round(float(x), 2), round(float(y), 2)),
        level=level,
    )


def _majority(regions: NDArray[np.int8]) -> tuple[int, float]:
    """The part most peaks lie in, and their share; the background is no part."""
    counts = np.bincount(regions, minlength=len(REGIONS))
    part = 1 + int(np.argmax(counts[1:]))
    return part, float(counts[part] / len(regions))


def _spread(places: Floats) -> float:
    """Root mean square distance from the mean place, over the distance between the eyes."""
    return float(np.sqrt(places.var(0).sum()) / EYES)


def _constant(peaks: Peaks, i: int) -> tuple[float, float]:
    """Purity and spread of the cell nearest to the channel's mean place in the crop."""
    side = round(np.sqrt(peaks.constant.shape[1]))
    cells = _cells(side, 112 / side)
    cell = int(np.argmin(np.linalg.norm(cells - peaks.xy[:, i].mean(0), axis=1)))
    return _majority(peaks.constant[:, cell])[1], _spread(peaks.constant_place[:, cell])


def _cells(side: int, scale: float) -> Floats:
    """(side²,2) the centres of a map's cells in crop pixels, in reading order."""
    y, x = np.divmod(np.arange(side * side), side)
    return (np.stack([x, y], 1) + 0.5) * scale - 0.5


def _at(regions: NDArray[np.int8], xy: Floats) -> NDArray[np.int8]:
    x, y = np.clip(np.rint(xy).astype(int), 0, len(regions) - 1).T
    return regions[y, x]
