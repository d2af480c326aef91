"""Labelled pairs with the measures of their photos, and how a conditional curve does on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from xfv_core.confidence.cohort import Cohort
from xfv_core.confidence.curves import Floats, Labels
from xfv_core.confidence.likelihood import det, probability, tippett
from xfv_core.confidence.measures import MEASURES, Pixels, Table
from xfv_core.confidence.scores import wilson
from xfv_core.errors import XfvError
from xfv_core.evaluation.data.pairs import PairsError, PairSet, PhotoStore
from xfv_core.evaluation.verdicts.calibration import decode
from xfv_core.evaluation.verdicts.pair_rules import rates_of
from xfv_core.evaluation.verdicts.photos import raw_rows
from xfv_core.models.base import BATCH, HasRaw

Look = Callable[[bytes], tuple[Pixels, Pixels]]  # a photo -> the network's crop, the template crop
FEWEST = 40  # pairs of a slice, of each class a quarter
DECILES = 10


@dataclass(frozen=True, eq=False)
class MeasuredPairs:
    """N pairs of a set whose photos both had a face: similarities, measures, labels; ``kept``:
    which of the set's pairs they are; ``lost``: photos without a face."""

    similarities: Floats
    a: Table
    b: Table
    labels: Labels
    kept: NDArray[np.bool_]
    lost: tuple[str, ...] = ()


def measure_pairs(
    network: HasRaw,
    cohort: Cohort,
    pairs: PairSet,
    root: Path,
    look: Look,
    *,
    partial: bool = False,
) -> MeasuredPairs:
    """Embed and measure every photo of ``pairs`` once, in fp32 as verdicts do.

    ``partial`` allows photos to be absent; else PairsError names the first one.
    """
    with PhotoStore(root) as store:
        names = [name for name in pairs.photos if not partial or name in store]
        place: dict[str, int] = {}
        units, tables, lost = [], [], []
        for start in tqdm(range(0, len(names), BATCH), desc="photos", unit="batch"):
            found = []
            for name in names[start : start + BATCH]:
                try:
                    found.append((name, *look(store.read(name))))
                except PairsError:
                    raise
                except XfvError:
                    lost.append(name)
            if found:
                place |= {name: len(place) + i for i, (name, _, _) in enumerate(found)}
                raw = raw_rows(network, np.stack([crop for _, crop, _ in found]), fast=False)
                units.append(raw / np.linalg.norm(raw, axis=1, keepdims=True))
                tables.append(cohort.measure(raw, np.stack([crop for _, _, crop in found])))
    if not place:
        raise PairsError(f"{pairs.name}: no photo with a face is left to measure")
    unit, table = np.concatenate(units), Table.joined(tables)
    a, b = (np.array([place.get(name, -1) for name in x]) for x in (pairs.paths_a, pairs.paths_b))
    kept = (a >= 0) & (b >= 0)
    a, b = a[kept], b[kept]
    s = (unit[a] * unit[b]).sum(1).astype(np.float64)
    return MeasuredPairs(s, table[a], table[b], pairs.labels[kept], kept, tuple(lost))


def aligned(data: bytes) -> tuple[Pixels, Pixels]:
    """``Look`` for files that are template crops of 112 px already."""
    crop = decode(data)
    return crop, crop


def report(
    p: Floats, same: Labels, scores: Floats, y: Labels, columns: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """What ``evaluate`` reports of probabilities (N,) and verdicts at a rule: the whole, Tippett
    and DET curves by ``scores``, and every slice of the columns that is large enough."""
    found = _judged(p, same, y)
    return {
        **found,
        "tippett": tippett(p, y),
        "det": det(scores, y),
        "slices": {
            name: {
                value: _judged(p[rows], same[rows], y[rows])
                for value, rows in _slices(values).items()
                if min(int(y[rows].sum()), int((~y[rows]).sum())) >= FEWEST // 4
                and int(rows.sum()) >= FEWEST
            }
            for name, values in columns.items()
        },
    }


def measure_columns(a: Table, b: Table) -> dict[str, list[str]]:
    """Which decile each pair falls into, by the poorer photo's measure of every kind."""
    columns = {}
    for field in fields(Table):
        pick = np.minimum if MEASURES[field.name].poor == "low" else np.maximum
        values = pick(getattr(a, field.name), getattr(b, field.name))
        edges = np.quantile(values, np.arange(1, DECILES) / DECILES)
        which = np.searchsorted(np.unique(edges), values, side="right")
        spans = {int(k): values[which == k] for k in np.unique(which)}
        names = {k: f"{v.min():.3g} to {v.max():.3g}" for k, v in spans.items()}
        columns[field.name] = [names[int(k)] for k in which]
    return columns


def _judged(p: Floats, same: Labels, y: Labels) -> dict[str, Any]:
    rates = rates_of(same, y)
    right = int((same == y).sum())
    return {
        "probability": probability(p, y).to_dict(),
        "accuracy": right / len(y),
        "accuracy_interval": wilson(right, len(y)),
        "fmr": rates.fmr,
        "fmr_interval": rates.fmr_interval,
        "fnmr": rates.fnmr,
        "fnmr_interval": rates.fnmr_interval,
        "n_genuine": rates.n_genuine,
        "n_impostor": rates.n_impostor,
    }


def _slices(values: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    column = np.array(values)
    return {str(value): column == value for value in np.unique(column)}
