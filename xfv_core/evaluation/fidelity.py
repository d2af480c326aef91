"""Fidelity over many pairs: how often does a method's map beat chance, and by how much?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from xfv_core.confidence.scores import Interval, wilson
from xfv_core.explain.base import Explainer, Maps
from xfv_core.fidelity import FIELDS, Fidelity, Kind, against_chance, map_curves, random_curves
from xfv_core.models.base import FaceModel


@dataclass(frozen=True)
class PairFidelity:
    """One method on one pair: how it did, and what its maps cost."""

    fidelity: Fidelity
    passes: int
    seconds: float


@dataclass(frozen=True)
class FidelityTable:
    """One method over n pairs; gains are areas between cosine curves, empty maps count as 0.

    ``deletion_share``, ``insertion_share``: pairs whose map beat the mean random field, the first
    with its 95 % Wilson interval. ``*_sd``: over pairs.
    """

    n_pairs: int
    n_empty: int
    n_random: int
    kind: Kind
    deletion_share: float
    deletion_share_interval: Interval
    deletion_gain: float
    deletion_gain_sd: float
    insertion_share: float
    insertion_gain: float
    insertion_gain_sd: float
    passes_per_pair: float
    seconds_per_pair: float


def fidelity_over_pairs(
    model: FaceModel,
    pairs: Iterable[tuple[Tensor, Tensor]],
    explainers: Mapping[str, Explainer],
    *,
    threshold: float,
    kind: Kind = "similar",
    seed: int = 0,
    n_random: int = FIELDS,
    steps: Callable[[int], None] | None = None,
) -> dict[str, FidelityTable]:
    """Every method on the same pairs of (3,S,S) crops, against the same random fields.

    Pair i draws its fields with ``seed + i``; ``steps`` hears how many pairs are done.
    """
    rows: dict[str, list[PairFidelity]] = {name: [] for name in explainers}
    judged = fidelity_by_pair(
        model, pairs, explainers, threshold=threshold, kind=kind, seed=seed, n_random=n_random
    )
    for done, results in enumerate(judged, start=1):
        for name, result in results.items():
            rows[name].append(result)
        if steps:
            steps(done)
    return {name: summarise(results) for name, results in rows.items()}


def fidelity_by_pair(
    model: FaceModel,
    pairs: Iterable[tuple[Tensor, Tensor]],
    explainers: Mapping[str, Explainer],
    *,
    threshold: float,
    kind: Kind = "similar",
    seed: int = 0,
    n_random: int = FIELDS,
) -> Iterator[dict[str, PairFidelity]]:
    """The same, pair by pair; what several processes gather."""
    for index, (a, b) in enumerate(pairs, start=seed):
        chance = random_curves(model, a, b, seed=index, n=n_random)
        results = {}
        for name, explainer in explainers.items():
            maps = _final(explainer(model, a, b, threshold=threshold))
            curves = map_curves(model, a, b, maps, seed=index)
            judged = against_chance(curves, chance, kind)
            results[name] = PairFidelity(judged, maps.cost.passes, maps.cost.seconds)
        yield results


def summarise(results: Sequence[PairFidelity]) -> FidelityTable:
    """One method's table; raises ValueError for no pairs at all."""
    if not results:
        raise ValueError("no pairs, no table")
    judged = [result.fidelity for result in results]
    deletion = np.array([f.deletion_gain for f in judged])
    insertion = np.array([f.insertion_gain for f in judged])
    return FidelityTable(
        n_pairs=len(judged),
        n_empty=sum(f.empty for f in judged),
        n_random=judged[0].n_random,
        kind=judged[0].kind,
        deletion_share=float((deletion > 0).mean()),
        deletion_share_interval=wilson(int((deletion > 0).sum()), len(judged)),
        deletion_gain=float(deletion.mean()),
        deletion_gain_sd=float(deletion.std()),
        insertion_share=float((insertion > 0).mean()),
        insertion_gain=float(insertion.mean()),
        insertion_gain_sd=float(insertion.std()),
        passes_per_pair=float(np.mean([r.passes for r in results])),
        seconds_per_pair=float(np.mean([r.seconds for r in results])),
    )


def _final(stream: Iterator[Maps]) -> Maps:
    *_, last = stream
    return last
