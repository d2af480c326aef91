"""Maps come as they get better; the final ones are judged against chance, once a pair."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from tests.explain.toys import BLACK, SIDE, WHITE, OneCell
from xfv_core.explain.base import Cost, Maps, Steps
from xfv_core.explain.chance import chance_curves
from xfv_core.explain.fidelity import against_chance, map_curves, random_curves
from xfv_core.explain.judged import Judged, explain_crops


class Streaming:
    """Half of the map, then all of it; marks the left of A and the top of B by ``sign``, the rest
    by ``rest``."""

    def __init__(self, sign: float = 1.0, rest: float = 0.0) -> None:
        self.sign, self.rest = sign, rest
        self.asked: list[tuple[Tensor, Tensor, float]] = []

    def __call__(
        self, model: Any, a: Tensor, b: Tensor, *, threshold: float, steps: Steps | None = None
    ) -> Iterator[Maps]:
        self.asked.append((a, b, threshold))
        for progress in (0.5, 1.0):
            if steps:
                steps(progress)
            left = np.full((SIDE, SIDE), self.rest, np.float32)
            left[:, : SIDE // 2] = self.sign * progress
            yield Maps(left, left.T, "toy", "one cell", Cost(1, 0.0), progress=progress)


def explained(method: Any, same: bool = True, **more: Any) -> list[Judged]:
    network: OneCell = more.pop("network", OneCell())
    return list(explain_crops(network, WHITE, BLACK, method, threshold=0.3, same=same, **more))


def test_every_map_comes_at_once_and_only_the_final_one_a_second_time_judged() -> None:
    early, final, judged = explained(Streaming())
    assert (early.maps.progress, final.maps.progress) == (0.5, 1.0)
    assert judged.maps is final.maps
    assert early.fidelity is final.fidelity is early.chance is final.chance is None
    assert judged.fidelity is not None and judged.chance is not None


def test_a_method_gets_the_crops_in_their_order_and_the_threshold() -> None:
    method = Streaming()
    explained(method)
    ((a, b, threshold),) = method.asked
    assert a is WHITE and b is BLACK and threshold == 0.3


@pytest.mark.parametrize("same", [True, False])
def test_the_reasons_for_the_verdict_are_judged_by_the_curves_of_both_crops(same: bool) -> None:
    *_, judged = explained(Streaming(sign=1.0, rest=-1.0), same)
    curves = map_curves(OneCell(), WHITE, BLACK, judged.maps)
    chance = chance_curves(OneCell(), WHITE, BLACK)
    expected = against_chance(curves, chance, "similar" if same else "dissimilar")
    found = judged.fidelity
    assert found is not None and not found.empty and found.kind == expected.kind
    assert (found.deletion_gain, found.sd) == (expected.deletion_gain, expected.sd)
    assert np.array_equal(found.insertion, expected.insertion)
    assert judged.chance is not None and np.array_equal(judged.chance.deletion, chance.deletion)


@pytest.mark.parametrize(("same", "other"), [(True, "dissimilar"), (False, "similar")])
def test_where_nothing_speaks_for_the_verdict_what_speaks_against_it_is_judged(
    same: bool, other: str
) -> None:
    *_, judged = explained(Streaming(sign=-1.0 if same else 1.0), same)
    assert judged.fidelity is not None
    assert (judged.fidelity.kind, judged.fidelity.empty) == (other, False)


def test_curves_of_chance_that_are_known_are_not_computed_again() -> None:
    known = random_curves(OneCell(), WHITE, BLACK)
    fresh, spared = OneCell(), OneCell()
    explained(Streaming(), network=fresh)
    *_, judged = explained(Streaming(), network=spared, chance=known)
    assert judged.chance is known
    assert sum(spared.batches) < sum(fresh.batches) / 2


def test_the_steps_of_maps_chance_and_curves_are_told() -> None:
    told: list[float] = []
    explained(Streaming(), steps=told.append)
    assert told[:2] == [0.5, 1.0] and told.count(1.0) == 3
