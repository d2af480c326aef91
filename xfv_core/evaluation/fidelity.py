"""Fidelity over many pairs: do methods' maps beat chance, change decisions, and agree?

Two measures from the same curves. *Gain*: the area by which the cosine moves further than under
random fields, pair by pair. *Deletion* and *insertion* of the data set (Lu et al., arXiv
2403.04549, in the protocol of the docs): the area under accuracy over the share of hidden or shown
cells, in %, one photo changed at a time, decided at the EER threshold of the whole photos. Lower
deletion and higher insertion are better: of similar maps on genuine, of dissimilar ones on
impostor pairs.

Pairs are shared out over the processes of ``accelerate launch``; every process appends one line of
JSON per finished pair to a file of its own, so a killed run goes on where it stopped, on any
number of processes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from xfv_core.confidence.scores import Interval, wilson
from xfv_core.errors import XfvError
from xfv_core.evaluation.calibration import read_crop
from xfv_core.evaluation.pairs import PairSet, PhotoStore
from xfv_core.explain import Explainer, Maps, make_explainer
from xfv_core.fidelity import (
    Array,
    Kind,
    MapCurves,
    against_chance,
    agreement,
    area,
    map_curves,
    random_curves,
)
from xfv_core.models.base import FaceModel

Which = Literal["genuine", "impostor", "both"]
SETTINGS = "settings.json"


class FidelityRunError(XfvError):
    """The folder of results belongs to another measurement, or there is nothing to measure."""


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
    agreement: Mapping[str, float | None]


@dataclass(frozen=True)
class FidelityTable:
    """One method over n pairs; gains are areas between cosine curves, empty maps count as 0.

    ``deletion``, ``insertion``: area under the accuracy, in %, with a 95 % interval over pairs.
    ``*_share``: pairs whose map beat the mean random field, with a 95 % Wilson interval.
    ``*_sd``: over pairs.
    """

    n_pairs: int
    n_empty: int
    deletion: float
    deletion_interval: Interval
    insertion: float
    insertion_interval: Interval
    deletion_share: float
    deletion_share_interval: Interval
    deletion_gain: float
    deletion_gain_sd: float
    insertion_share: float
    insertion_share_interval: Interval
    insertion_gain: float
    insertion_gain_sd: float
    passes_per_pair: float
    seconds_per_pair: float


def explainers_by_name(names: Sequence[str]) -> dict[str, Explainer]:
    """``method`` or, for occlusion, ``occlusion:preset`` -> the explainer."""
    return {
        name: make_explainer(method, **({"preset": preset} if preset else {}))
        for name in names
        for method, _, preset in [name.partition(":")]
    }


def choose_pairs(labels: NDArray[np.bool_], which: Which, n: int, seed: int) -> list[int]:
    """``n`` pairs drawn without replacement; of "both" every second one is genuine."""
    rng = np.random.default_rng(seed)
    genuine, impostor = (rng.permutation(np.flatnonzero(labels == kind)) for kind in (True, False))
    if which == "both":
        half = min(len(genuine), len(impostor), n // 2)
        return np.stack([genuine[:half], impostor[:half]], axis=1).ravel().tolist()
    return (genuine if which == "genuine" else impostor)[:n].tolist()


def measure_fidelity(
    model: FaceModel,
    pairs: PairSet,
    images: Path,
    methods: Sequence[str],
    *,
    threshold: float,
    decide_at: float,
    out: Path,
    which: Which = "genuine",
    kind: Kind = "similar",
    n: int = 200,
    seed: int = 0,
    process: tuple[int, int] = (0, 1),
    steps: Callable[[int, int], None] | None = None,
) -> None:
    """This process's share (index, count) of the pairs, appended to ``out``; see ``summarise``.

    ``images``: folder or tar of aligned crops. Maps are made for ``threshold``, changed photos
    are accepted from ``decide_at`` up. Pair i draws its random fields with seed i. ``steps`` hears
    (pairs done by this process, pairs it has to do). Raises FidelityRunError where ``out`` holds
    another measurement.
    """
    settings = {
        "model": model.name, "pairs": pairs.name, "methods": list(methods), "which": which,
        "kind": kind, "n": n, "seed": seed, "threshold": threshold,
        "decide_at": decide_at,
    }  # fmt: skip
    _same_measurement(out, settings)
    explainers = explainers_by_name(methods)
    index, count = process
    done = {row.pair for row in read_rows(out)}
    share = choose_pairs(pairs.labels, which, n, seed)[index::count]
    mine = [i for i in share if i not in done]
    with PhotoStore(images) as store, (out / f"rows-{index}.jsonl").open("a") as file:
        file.write("\n")  # what a kill left of a line stays a line of its own
        for finished, i in enumerate(mine, start=1):
            a, b = (read_crop(store, paths[i]) for paths in (pairs.paths_a, pairs.paths_b))
            row = judge_pair(
                model, a, b, explainers, threshold=threshold, decide_at=decide_at,
                genuine=bool(pairs.labels[i]), kind=kind, pair=i,
            )  # fmt: skip
            file.write(json.dumps(asdict(row)) + "\n")
            file.flush()
            if steps:
                steps(finished, len(mine))


def judge_pair(
    model: FaceModel,
    a: Tensor,
    b: Tensor,
    explainers: Mapping[str, Explainer],
    *,
    threshold: float,
    decide_at: float,
    genuine: bool,
    kind: Kind = "similar",
    pair: int = 0,
) -> PairRow:
    """Every method on one pair of (3,S,S) crops, against the same random fields (seed ``pair``)."""
    chance = random_curves(model, a, b, seed=pair)
    judged: dict[str, Judged] = {}
    drawn: dict[str, Maps] = {}
    for name, explainer in explainers.items():
        *_, maps = explainer(model, a, b, threshold=threshold)
        curves = map_curves(model, a, b, maps, seed=pair)
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
        drawn[name] = maps.drawn()
    agreements = {
        f"{one} | {other}": agreement(drawn[one], drawn[other])
        for one, other in combinations(explainers, 2)
    }
    accepted = (chance.deletion >= decide_at).mean((0, 1)).tolist()
    return PairRow(pair, genuine, accepted, judged, agreements)


def read_rows(out: Path) -> list[PairRow]:
    """All finished pairs of a folder, by pair; a line cut by a kill is left out."""
    rows: dict[int, PairRow] = {}
    for file in sorted(out.glob("rows-*.jsonl")):
        for line in file.read_text().split("\n"):
            try:
                values = json.loads(line)
            except json.JSONDecodeError:
                continue
            methods = {name: Judged(**judged) for name, judged in values["methods"].items()}
            rows[values["pair"]] = PairRow(**{**values, "methods": methods})
    return [rows[i] for i in sorted(rows)]


def summarise(out: Path) -> dict[str, Any]:
    """What was measured how, tables by method, mean agreement by two methods, as plain data."""
    rows = read_rows(out)
    if not rows:
        raise FidelityRunError("No pair has been measured yet.")
    tables = {name: _table(rows, name) for name in rows[0].methods}
    by_chance = _accuracy(rows, [row.chance for row in rows])
    shown = _accuracy(rows, [row.chance[::-1] for row in rows])
    return {
        "settings": json.loads((out / SETTINGS).read_text()),
        "n": len(rows),
        "random": _areas("deletion", by_chance) | _areas("insertion", shown),
        "methods": {name: asdict(table) for name, table in tables.items()},
        "agreement": {key: _agreement(rows, key) for key in rows[0].agreement},
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
    """The area under accuracy (n,11) over RATIOS in %, with the normal 95 % interval."""
    areas = 100 * area(accuracy)
    mean, half = areas.mean(), 1.96 * areas.std() / np.sqrt(len(areas))
    return {name: float(mean), f"{name}_interval": (float(mean - half), float(mean + half))}


def _table(rows: Sequence[PairRow], method: str) -> FidelityTable:
    judged = [row.methods[method] for row in rows]
    deletion = np.array([j.deletion_gain for j in judged])
    insertion = np.array([j.insertion_gain for j in judged])
    n = len(judged)
    return FidelityTable(
        n_pairs=n,
        n_empty=sum(j.empty for j in judged),
        **_areas("deletion", _accuracy(rows, [j.deletion for j in judged])),
        **_areas("insertion", _accuracy(rows, [j.insertion for j in judged])),
        deletion_share=float((deletion > 0).mean()),
        deletion_share_interval=wilson(int((deletion > 0).sum()), n),
        deletion_gain=float(deletion.mean()),
        deletion_gain_sd=float(deletion.std()),
        insertion_share=float((insertion > 0).mean()),
        insertion_share_interval=wilson(int((insertion > 0).sum()), n),
        insertion_gain=float(insertion.mean()),
        insertion_gain_sd=float(insertion.std()),
        passes_per_pair=float(np.mean([j.passes for j in judged])),
        seconds_per_pair=float(np.mean([j.seconds for j in judged])),
    )


def _agreement(rows: Sequence[PairRow], key: str) -> dict[str, float | int | None]:
    known = [rho for row in rows if (rho := row.agreement[key]) is not None]
    mean, least = (float(np.mean(known)), min(known)) if known else (None, None)
    return {"n": len(known), "mean": mean, "least": least}


def _same_measurement(out: Path, settings: Mapping[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    file = out / SETTINGS
    text = json.dumps(settings, indent=2) + "\n"
    if not file.exists():
        file.write_text(text)
    elif file.read_text() != text:
        raise FidelityRunError(
            f"{out} holds another measurement ({file.name} says which); choose another folder."
        )
