"""The heavy half of an explanation: maps of two crops and how faithful they are.

It holds no state and takes and gives plain values, so that it can run in another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from xfv_core.explain.base import Maps, Method, Steps
from xfv_core.explain.chance import chance_curves
from xfv_core.explain.fidelity import (
    Fidelity,
    Kind,
    MapCurves,
    RandomCurves,
    against_chance,
    map_curves,
)
from xfv_core.models.base import FaceEmbedder


@dataclass(frozen=True, eq=False)
class Judged:
    """Maps; once they are final also their fidelity, and the curves of chance behind it."""

    maps: Maps
    fidelity: Fidelity | None = None
    chance: RandomCurves | None = None


ExplainCrops = Callable[..., Iterator[Judged]]


def explain_crops(
    network: FaceEmbedder,
    x: Tensor,
    y: Tensor,
    method: Method,
    *,
    threshold: float,
    same: bool,
    chance: RandomCurves | None = None,
    steps: Steps | None = None,
) -> Iterator[Judged]:
    """Ever better maps of the crops ``x`` and ``y``, (3,S,S) RGB in [0,1]; the last is judged.

    ``same``: the verdict whose reasons are judged. ``chance``: its curves where they are known
    already; they are the same for every method of a pair.
    """
    for maps in method(network, x, y, threshold=threshold, steps=steps):
        yield Judged(maps)
        if maps.progress == 1:
            chance = chance or chance_curves(network, x, y, steps=steps)
            curves = map_curves(network, x, y, maps, steps=steps)
            yield Judged(maps, _against(curves, chance, same), chance)


def _against(curves: MapCurves, chance: RandomCurves, same: bool) -> Fidelity:
    """Of what speaks for the verdict, or, where nothing does, of what speaks against it."""
    kinds: tuple[Kind, Kind] = ("similar", "dissimilar") if same else ("dissimilar", "similar")
    found = [against_chance(curves, chance, kind) for kind in kinds]
    return found[1] if found[0].empty else found[0]
