"""Photos measured in bulk: raw embeddings, measures, degraded copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from xfv_core.confidence.cohort import Cohort
from xfv_core.confidence.measures import Pixels, Table
from xfv_core.evaluation.data.degrade import Setting, degraded
from xfv_core.models.base import HasRaw, raw_all

CHUNK = 256
SIDE = 112
SQUARE_BELOW = 8  # px under the template crop at which the detector's square lies, in the mean


@dataclass(frozen=True, eq=False)
class Photos:
    """N measured photos: unit embeddings, measures, and how each was degraded."""

    unit: NDArray[np.float32]
    table: Table
    settings: Sequence[Setting | None]


def measure_photos(
    network: HasRaw,
    cohort: Cohort,
    crops: Pixels,
    settings: Sequence[Setting | None],
    seed: int = 0,
    seen: Pixels | None = None,
) -> Photos:
    """Embeddings and measures of crops (N,112+M,112,3), degraded first where they are to be.

    The first 112 rows are the template crop, the last 112 what the network sees, unless it is
    ``seen`` (N,S,S,3).
    """
    raws, tables = [], []
    for i in tqdm(range(0, len(crops), CHUNK), desc="photos", unit="batch"):
        part = _worse(crops[i : i + CHUNK], settings[i : i + CHUNK], seed + i)
        raws.append(raw_rows(network, part[:, -SIDE:] if seen is None else seen[i : i + CHUNK]))
        tables.append(cohort.measure(raws[-1], part[:, :SIDE]))
    raw = np.concatenate(raws)
    return Photos(raw / np.linalg.norm(raw, axis=1, keepdims=True), Table.joined(tables), settings)


def raw_rows(network: HasRaw, crops: Pixels, *, fast: bool = True) -> NDArray[np.float32]:
    """Raw embeddings (N,D) of crops (N,S,S,3)."""
    x = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255
    x = x.contiguous(memory_format=torch.channels_last)
    return np.asarray(raw_all(network, x, fast=fast).cpu().numpy())


def _worse(crops: Pixels, settings: Sequence[Setting | None], seed: int) -> Pixels:
    there = [setting for setting in settings if setting is not None]
    if not there:
        return crops
    assert len(there) == len(crops)
    return degraded(crops, there, seed)
