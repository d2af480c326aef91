"""Pairs drawn from labelled photos, and the blocks of them that a curve is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xfv_core.confidence.curves import Floats, Labels
from xfv_core.evaluation.data.degrade import SETTINGS, Setting
from xfv_core.evaluation.data.pairs import PairsError
from xfv_core.evaluation.verdicts.pair_fit import Block
from xfv_core.evaluation.verdicts.photos import Photos

ALIKE_PAIRS = 120  # impostor pairs of a setting
MILD = 2.0  # a mild degradation weighs as much as so many others
MASS = {"lfw": 1.3, "lfw, one degraded": 0.6, "lfw, degraded alike": 0.4, "hard": 1.0,
        "hard, one degraded": 0.5, "hard, degraded alike": 0.5, "strangers": 0.1}  # fmt: skip
TRIES = 20  # draws per genuine pair before it is given up


class Pairs(NamedTuple):
    """Index of either photo, and whether they show one person; (N,) each."""

    a: NDArray[np.intp]
    b: NDArray[np.intp]
    labels: Labels


def draw_pairs(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    n: int,
    rng: np.random.Generator,
    ids_a: NDArray[np.intp],
    ids_b: NDArray[np.intp],
) -> Pairs:
    """``n`` genuine pairs, or as many as there are, and ``n`` impostor pairs.

    Of a photo of ``a`` and one of ``b`` (labels (N,) and (M,)), none of a photo with itself, no
    genuine pair twice; people count by the root of their photos. PairsError where all show one
    person.
    """
    if len(np.union1d(a, b)) < 2:
        raise PairsError("photos of one person make no impostor pairs")
    people = np.unique(b)
    rows_a, rows_b = ([np.flatnonzero(x == p) for p in people] for x in (a, b))
    size = np.array([min(len(x), len(y)) if len(x) > 1 else 0
                     for x, y in zip(rows_a, rows_b, strict=True)])  # fmt: skip
    genuine: dict[tuple[int, ...], tuple[int, int]] = {}
    for person in rng.choice(len(people), TRIES * n, p=size**0.5 / (size**0.5).sum()):
        i, j = int(rng.choice(rows_a[person])), int(rng.choice(rows_b[person]))
        if ids_a[i] != ids_b[j]:
            genuine.setdefault(tuple(sorted((int(ids_a[i]), int(ids_b[j])))), (i, j))
        if len(genuine) == n:
            break
    drawn = list(genuine.values())
    while len(drawn) < len(genuine) + n:
        i, j = int(rng.integers(len(a))), int(rng.integers(len(b)))
        if a[i] != b[j]:
            drawn.append((i, j))
    rows = np.array(drawn, np.intp)
    return Pairs(rows[:, 0], rows[:, 1], np.arange(len(rows)) < len(genuine))


def alike_pairs(
    settings: Sequence[Setting], labels: NDArray[np.int64], rng: np.random.Generator
) -> Pairs:
    """All genuine pairs of photos degraded alike, and ``ALIKE_PAIRS`` impostor pairs a setting."""
    which = np.array([SETTINGS.index(setting) for setting in settings])
    found = []
    for setting in np.unique(which):
        rows = np.flatnonzero(which == setting)
        pairs = np.column_stack(np.triu_indices(len(rows), 1))
        same = labels[rows[pairs[:, 0]]] == labels[rows[pairs[:, 1]]]
        impostors = rng.permutation(np.flatnonzero(~same))[:ALIKE_PAIRS]
        found.append(rows[pairs[np.concatenate([np.flatnonzero(same), impostors])]])
    a, b = np.concatenate(found).T
    return Pairs(a, b, labels[a] == labels[b])


def block(name: str, first: Photos, second: Photos, pairs: Pairs) -> Block:
    """Pairs of a photo of ``first`` and one of ``second``."""
    a, b, labels = pairs
    kinds = [(first.settings[i], second.settings[j]) for i, j in zip(a, b, strict=True)]
    weights: Floats = np.array([MILD if any(k and k.mild for k in pair) else 1 for pair in kinds])
    return Block(
        name,
        (first.unit[a] * second.unit[b]).sum(1).astype(np.float64),
        first.table[a],
        second.table[b],
        labels,
        MASS[name],
        weights,
        np.array([one.kind if one and one == other else "" for one, other in kinds]),
    )
