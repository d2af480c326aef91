"""The atlas of a layer: each channel's mean activation on the aligned face, as one picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from xfv_core.evaluation.channels.parts import map_batches
from xfv_core.faces import TEMPLATE, Crop, moved, similarity
from xfv_core.models.atlas import ATLAS_COLUMNS as COLUMNS

SIDE = 28  # px of one channel's tile; the template's 112 px in steps of four


def mean_maps(maps_of: Callable[[Tensor], Tensor], crops: Sequence[Crop]) -> NDArray[np.float32]:
    """(C,28,28): the mean map of each channel, every face brought to the template first."""
    total: Tensor | None = None
    y, x = np.indices((SIDE, SIDE))
    places = (np.stack([x, y], -1) + 0.5) * 112 / SIDE - 0.5  # (28, 28, 2) on the template
    for batch, maps in map_batches(maps_of, crops):
        grids = np.stack([_in_crop(places, crop) for crop in batch])
        there = functional.grid_sample(
            maps.float().cpu(), torch.from_numpy(grids).float(), align_corners=False
        ).sum(0)
        total = there if total is None else total + there
    if total is None:
        raise ValueError("an atlas needs at least one crop")
    return (total / len(crops)).numpy()


def sheet(maps: NDArray[np.float32]) -> bytes:
    """(C,28,28) -> PNG, twelve tiles to a row, each from 0 (black) to its own peak (white)."""
    rows = -(-len(maps) // COLUMNS)
    canvas = np.zeros((rows * SIDE, COLUMNS * SIDE), np.uint8)
    for i, tile in enumerate(maps):
        top, left = SIDE * (i // COLUMNS), SIDE * (i % COLUMNS)
        scaled = 255 * tile / max(float(tile.max()), 1e-9)
        canvas[top : top + SIDE, left : left + SIDE] = np.rint(scaled)
    memory = io.BytesIO()
    Image.fromarray(canvas).save(memory, "PNG", optimize=True)
    return memory.getvalue()


def _in_crop(places: NDArray[np.float64], crop: Crop) -> NDArray[np.float64]:
    """Places on the template (...,2) -> the same places in a crop, as grid_sample counts them."""
    matrix = similarity(TEMPLATE, crop.landmarks.astype(float))
    return np.asarray((moved(places, matrix) + 0.5) * 2 / len(crop.pixels) - 1)
