"""The checks tell maps that look at network and photos from maps that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.evaluation.noise import noise_pairs
from tests.evaluation.test_bench import Small
from tests.test_fidelity import OneCell
from xfv_core.evaluation.sanity import (
    check,
    difference,
    dissimilar_mass,
    limit,
    measure_sanity,
    reinitialised,
    summarise,
)
from xfv_core.evaluation.study import Study
from xfv_core.explain import make_explainer
from xfv_core.explain.base import Cost, Maps


def maps(a: list[float], b: list[float]) -> Maps:
    arrays = (np.array([values], np.float32) for values in (a, b))
    return Maps(*arrays, "m", "toy", Cost(1, 0.1))


def test_reinitialised_weights_are_the_same_values_elsewhere() -> None:
    model = Small()
    copy, again = reinitialised(model, 0), reinitialised(model, 0)
    for old, new, same in zip(*(m.parameters() for m in (model, copy, again)), strict=True):
        assert torch.equal(old.flatten().sort()[0], new.flatten().sort()[0])
        assert torch.equal(new, same)
    pairs = zip(model.parameters(), copy.parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in pairs)


def test_swapped_maps_differ_by_nothing_others_by_their_share_of_the_peak() -> None:
    assert difference(maps([1, -4], [2, 3]), maps([2, 3], [1, -4])) == 0
    assert difference(maps([1, -4], [2, 3]), maps([2, 3], [1, -2])) == pytest.approx(0.5)
    assert difference(maps([0, 0], [0, 0]), maps([0, 0], [0, 0])) == 0


def test_dissimilar_mass_is_the_share_below_zero() -> None:
    assert dissimilar_mass(maps([1, -1], [2, 0])) == pytest.approx(1 / 4)
    assert dissimilar_mass(maps([0, 0], [0, 0])) == 0


def test_only_the_methods_of_the_protocol_have_a_limit() -> None:
    methods = ("fggb", "occlusion:fast,mode=2", "occlusion:fast,mode=3", "occlusion:fast", "random")
    assert [limit(method) for method in methods] == [0.05, 0.05, 0, None, None]


def test_a_map_drawn_by_lot_ignores_the_weights_and_the_order_of_the_photos() -> None:
    model = Small()
    a, b = torch.rand(2, 3, model.input_size, model.input_size)
    other = reinitialised(model, 1)
    lot, gradients = (check(model, other, make_explainer(m), a, b, 0.2) for m in ("random", "fggb"))
    assert lot.reinitialised == pytest.approx(1) and lot.swapped > 0.1
    assert gradients.reinitialised < 0.95 and gradients.swapped < 1e-4


def test_identical_photos_have_nothing_dissimilar_under_the_same_mask_on_both(
    tmp_path: Path,
) -> None:
    methods = ["occlusion:fast,mode=3", "random"]
    study = Study(
        OneCell(), noise_pairs(tmp_path), tmp_path, methods, threshold=0.3, decide_at=0.5, n=4
    )
    measure_sanity(study, tmp_path / "out")
    found = summarise(tmp_path / "out")
    occlusion = found["methods"]["occlusion:fast,mode=3"]
    assert occlusion["identical_most"] == occlusion["identical_limit"] == 0
    assert found["methods"]["random"]["identical_most"] > 0.05
    assert found["n"] == 4
