"""The checks tell maps that look at network and photos from maps that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.evaluation.noise import noise_pairs
from tests.evaluation.speed.test_bench import Small
from tests.explain.toys import OneCell
from xfv_core.evaluation.maps.sanity import (
    check,
    difference,
    dissimilar_mass,
    limit,
    measure_sanity,
    reinitialised,
    summarise,
)
from xfv_core.evaluation.maps.study import Study
from xfv_core.explain import make_method
from xfv_core.explain.base import Cost, Maps
from xfv_core.models import load_model
from xfv_core.models.ecnet import ECNet


def maps(a: list[float], b: list[float]) -> Maps:
    arrays = (np.array([values], np.float32) for values in (a, b))
    return Maps(*arrays, "m", "toy", Cost(1, 0.1))


def test_reinitialised_weights_are_drawn_by_the_seed_and_tell_photos_apart() -> None:
    model = Small()
    learned = [values.clone() for values in model.parameters()]
    copy, again = reinitialised(model, 0), reinitialised(model, 0)
    for (name, old), new, same in zip(
        model.named_parameters(), copy.parameters(), again.parameters(), strict=True
    ):
        assert torch.equal(new, same)
        assert torch.equal(old, new) == (name == "layers.1.weight")  # the slopes of a PReLU
        assert not name.endswith("bias") or not new.any()
    assert all(map(torch.equal, learned, model.parameters()))
    one, other = copy.embed(torch.rand(2, 3, 28, 28))
    assert one @ other < 0.9999


def test_a_network_with_parts_is_alive_without_its_training() -> None:
    model = reinitialised(load_model("ecnet"), 0)
    assert isinstance(model, ECNet)
    assert (model.maps(torch.rand(1, 3, 112, 112)).amax((2, 3)) > 0).float().mean() > 0.5


def test_swapped_maps_differ_by_nothing_others_by_their_share_of_the_peak() -> None:
    assert difference(maps([1, -4], [2, 3]), maps([2, 3], [1, -4])) == 0
    assert difference(maps([1, -4], [2, 3]), maps([2, 3], [1, -2])) == pytest.approx(0.5)
    assert difference(maps([0, 0], [0, 0]), maps([0, 0], [0, 0])) == 0


def test_dissimilar_mass_is_the_share_below_zero() -> None:
    assert dissimilar_mass(maps([1, -1], [2, 0])) == pytest.approx(1 / 4)
    assert dissimilar_mass(maps([0, 0], [0, 0])) == 0


def test_only_the_methods_of_the_protocol_have_a_limit() -> None:
    methods = ("fggb", "occlusion:fast,mode=2", "occlusion:fast,mode=3", "occlusion:fast", "random")
    assert [limit(method) for method in methods] == [0.05, 0.05, 0.05, None, None]
    assert limit("occlusion:fast,mode=3,view=raw") == 0


def test_a_random_map_ignores_the_weights_and_the_order_of_the_photos() -> None:
    model = Small()
    a, b = torch.rand(2, 3, model.input_size, model.input_size)
    other = reinitialised(model, 1)
    random, gradients = (check(model, other, make_method(m), a, b, 0.2) for m in ("random", "fggb"))
    assert random.reinitialised == pytest.approx(1) and random.swapped > 0.1
    assert gradients.reinitialised < 0.95 and gradients.swapped < 1e-4


def test_identical_photos_have_nothing_dissimilar_under_the_same_mask_on_both(
    tmp_path: Path,
) -> None:
    methods = ["occlusion:fast,mode=3,view=raw", "random"]
    study = Study(
        OneCell(), noise_pairs(tmp_path), tmp_path, methods, threshold=0.3, decide_at=0.5, n=4
    )
    measure_sanity(study, tmp_path / "out")
    found = summarise(tmp_path / "out")
    occlusion = found["methods"]["occlusion:fast,mode=3,view=raw"]
    assert occlusion["identical_most"] == occlusion["identical_limit"] == 0
    assert found["methods"]["random"]["identical_most"] > 0.05
    assert found["n"] == 4
