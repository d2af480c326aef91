"""Fidelity over many pairs: do methods' maps beat chance, change decisions, and agree?

Two measures from the same curves. *Gain*: the area by which the cosine moves further than under
random fields, pair by pair. *Deletion* and *insertion* of the data set (Lu et al., arXiv
2403.04549, in the protocol of the docs): the area under accuracy over the share of hidden or shown
cells, in %, one photo changed at a time, decided at the EER threshold of the whole photos. Lower
deletion and higher insertion are better: of similar maps on genuine, of dissimilar ones on
impostor pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from xfv_core.confidence.scores import Interval
from xfv_core.evaluation.data.pairs import PhotoStore
from xfv_core.evaluation.maps.rows import settings_of
from xfv_core.evaluation.maps.study import (
    Steps,
    Study,
    finished_rows,
    head,
    mean_interval,
    methods_of,
    share_interval,
    work_through,
)
from xfv_core.explain import Maps, Method
from xfv_core.explain.fidelity import (
    CELLS,
    FIELDS,
    Array,
    Kind,
    MapCurves,
    against_chance,
    agreement,
    area,
    map_curves,
    random_curves,
)
from xfv_core.models.base import FaceEmbedder
from xfv_core.strict_json import STRICT

AREAS, PERCENT = ("deletion", "insertion"), (0.0, 100.0)
PROTOCOL = (
    "0, 10, ... 100 % of {0} x {0} cells of either photo, one photo at a time, ranked by the "
    "map, are set to black (deletion) or are all that is shown (insertion); decided at the "
    "EER threshold; area under accuracy over the share of cells, in %, with a normal 95 % interval "
    "over pairs. Random: "
    f"{FIELDS} smooth fields per pair, ranked on the same cells."
)


@dataclass(frozen=True)
class Judged:
    """One method on one pair: gains against chance, decisions, and what its maps cost.

    ``deletion``, ``insertion`` (11,): share of both photos still accepted after hiding, showing
    ``RATIOS`` of the cells.
    """

    empty: bool
    deletion_gain: float
    insertion_gain: float
    deletion: Sequence[float]
    insertion: Sequence[float]
    passes: int
    seconds: float


@dataclass(frozen=True)
class PairRow:
    """All methods on one pair.

    ``chance`` (11,): share of both photos and all random fields accepted, in the order of deletion;
    ``agreement``: rank correlation of the maps of each two methods.
    """

    pair: int
    genuine: bool
    chance: Sequence[float]
    methods: Mapping[str, Judged]
    agreement: Mapping[str, float | None] = field(default_factory=dict)
    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class FidelityTable:
    """One method over n pairs; gains are areas between cosine curves, empty maps count as 0.

    ``deletion``, ``insertion``: area under the accuracy, in %, with a 95 % interval over pairs;
    ``*_curve`` (11,): mean accuracy over ``RATIOS``.
    ``*_gain``: mean over pairs, with a normal 95 % interval.
    ``*_share``: pairs whose map beat the mean random field, with a 95 % Wilson interval.
    """

    n_pairs: int
    n_empty: int
    deletion: float
    deletion_interval: Interval
    deletion_curve: Sequence[float]
    insertion: float
    insertion_interval: Interval
    insertion_curve: Sequence[float]
    deletion_share: float
    deletion_share_interval: Interval
    deletion_gain: float
    deletion_gain_interval: Interval
    insertion_share: float
    insertion_share_interval: Interval
    insertion_gain: float
    insertion_gain_interval: Interval
    passes_per_pair: float
    seconds_per_pair: float


def measure_fidelity(
    study: Study,
    out: Path,
    *,
    kind: Kind = "similar",
    cells: int = CELLS,
    process: tuple[int, int] = (0, 1),
    steps: Steps | None = None,
) -> None:
    """``work_through`` a study; pair i draws its random fields with seed i."""
    finer = {} if cells == CELLS else {"cells": cells}
    study = replace(study, more={"kind": kind, **finer})

    def judge(store: PhotoStore, i: int, explainers: Mapping[str, Method]) -> PairRow:
        return judge_pair(
            study.model, *study.crops(store, i), explainers, threshold=study.threshold,
            decide_at=study.decide_at, genuine=bool(study.pairs.labels[i]), kind=kind, pair=i,
            cells=cells,
        )  # fmt: skip

    work_through(study, out, judge, process, steps)


def judge_pair(
    model: FaceEmbedder,
    a: Tensor,
    b: Tensor,
    explainers: Mapping[str, Method],
    *,
    threshold: float,
    decide_at: float,
    genuine: bool,
    kind: Kind = "similar",
    pair: int = 0,
    cells: int = CELLS,
) -> PairRow:
    """Every method on one pair of (3,S,S) crops, against the same random fields (seed ``pair``)."""
    chance = random_curves(model, a, b, seed=pair, cells=cells)
    judged: dict[str, Judged] = {}
    shown: dict[str, Maps] = {}
    for name, explainer in explainers.items():
        *_, maps = explainer(model, a, b, threshold=threshold)
        curves = map_curves(model, a, b, maps, seed=pair, cells=cells)
        fidelity = against_chance(curves, chance, kind)
        deletion, insertion = _decided(curves, kind, decide_at)
        judged[name] = Judged(
            fidelity.empty,
            fidelity.deletion_gain,
            fidelity.insertion_gain,
            deletion.tolist(),
            insertion.tolist(),
            maps.cost.passes,
            maps.cost.seconds,
        )
        shown[name] = maps.shown()
    agreements = {
        f"{one} | {other}": agreement(shown[one], shown[other])
        for one, other in combinations(explainers, 2)
    }
    accepted = (chance.deletion >= decide_at).mean((0, 1)).tolist()
    return PairRow(pair, genuine, accepted, judged, agreements)


def summarise(out: Path) -> dict[str, Any]:
    """What was measured how, tables by method, mean agreement by two methods, as plain data."""
    rows = finished_rows(out, PairRow)
    tables = {name: _table(rows, name) for name in methods_of(rows)}
    by_chance = _accuracy(rows, [row.chance for row in rows])
    shown = _accuracy(rows, [row.chance[::-1] for row in rows])
    pairs_of = dict.fromkeys(key for row in rows for key in row.agreement)
    settings = settings_of(out)
    protocol = PROTOCOL.format(settings.get("cells", CELLS))
    return {
        **head(settings, "fidelity", protocol, len(rows)),
        "random": _areas("deletion", by_chance) | _areas("insertion", shown),
        "methods": {name: asdict(table) for name, table in tables.items()},
        "agreement": {key: _agreement(rows, key) for key in pairs_of},
    }


def _decided(curves: MapCurves, kind: Kind, decide_at: float) -> tuple[Array, Array]:
    """Share of both photos accepted after hiding, and after showing, the marked cells first."""
    first, last = curves.falling, curves.rising
    if kind == "dissimilar":
        first, last = last, first
    hidden, shown = (curve >= decide_at for curve in (first, last[:, ::-1]))  # (2,11) each
    return hidden.mean(0), shown.mean(0)


def _accuracy(rows: Sequence[PairRow], accepted: Sequence[Sequence[float]]) -> Array:
    """(n,11) shares accepted -> shares decided rightly."""
    genuine = np.array([row.genuine for row in rows])[:, None]
    return np.where(genuine, accepted, 1 - np.asarray(accepted))


def _areas(name: str, accuracy: Array) -> dict[str, Any]:
    """The area under accuracy (n,11) over RATIOS in %, with its interval, and the mean curve."""
    mean, interval = mean_interval(100 * area(accuracy), within=PERCENT)
    return {name: mean, f"{name}_interval": interval, f"{name}_curve": accuracy.mean(0).tolist()}


def _gains(name: str, gains: Array) -> dict[str, Any]:
    share, share_bounds = share_interval(gains > 0)
    mean, bounds = mean_interval(gains)
    return {
        f"{name}_share": share,
        f"{name}_share_interval": share_bounds,
        f"{name}_gain": mean,
        f"{name}_gain_interval": bounds,
    }


def _table(all_rows: Sequence[PairRow], method: str) -> FidelityTable:
    rows = [row for row in all_rows if method in row.methods]
    judged = [row.methods[method] for row in rows]
    return FidelityTable(
        n_pairs=len(judged),
        n_empty=sum(j.empty for j in judged),
        **_areas("deletion", _accuracy(rows, [j.deletion for j in judged])),
        **_areas("insertion", _accuracy(rows, [j.insertion for j in judged])),
        **_gains("deletion", np.array([j.deletion_gain for j in judged])),
        **_gains("insertion", np.array([j.insertion_gain for j in judged])),
        passes_per_pair=float(np.mean([j.passes for j in judged])),
        seconds_per_pair=float(np.mean([j.seconds for j in judged])),
    )


def _agreement(rows: Sequence[PairRow], key: str) -> dict[str, float | int | None]:
    known = [rho for row in rows if (rho := row.agreement.get(key)) is not None]
    mean, least = (float(np.mean(known)), min(known)) if known else (None, None)
    return {"n": len(known), "mean": mean, "least": least}
