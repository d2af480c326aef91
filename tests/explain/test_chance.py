"""Chance from antithetic fields: few passes, and as certain a mean as of many."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.explain.test_occlusion import Scene
from tests.explain.toys import SIDE
from xfv_core.explain.chance import FIRST, MOST, certain_enough, chance_curves
from xfv_core.explain.fidelity import FIELDS, random_curves


def test_opposite_areas_are_certain_at_once_and_like_ones_are_not() -> None:
    spread = np.array([0.1, 0.2, 0.3, 0.4])
    opposite = np.stack([0.5 + spread, 0.5 - spread], axis=1).ravel()
    alike = np.stack([0.5 + spread, 0.5 + spread], axis=1).ravel()
    assert certain_enough(opposite)
    assert not certain_enough(alike)


def test_the_mean_is_that_of_many_independent_fields_from_fewer_passes() -> None:
    a, b = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    few, many = chance_curves(Scene(), a, b), random_curves(Scene(), a, b, n=200, seed=9)
    n = few.deletion.shape[1]
    assert 2 * FIRST <= n <= 2 * MOST == FIELDS
    error = many.areas.std(ddof=1) / np.sqrt(FIELDS)
    assert few.areas.mean() == pytest.approx(many.areas.mean(), abs=3 * error)


def test_progress_rises_and_ends_at_one() -> None:
    a, b = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    done: list[float] = []
    chance_curves(Scene(), a, b, steps=done.append)
    assert done == sorted(done) and done[-1] == 1 and done.count(1) == 1
