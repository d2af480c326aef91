"""Patch maps are the summands themselves: nothing is lost, nothing invented, swap swaps."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from page.html.patches import layer, strongest
from tests.models.test_rrf import TOY_28, TOY_56, awake, photos
from tests.page.test_render import VERDICT
from xfv_core.explain import MethodError, make_method
from xfv_core.explain.patches import PatchSum, spread
from xfv_core.faces.crops import TEMPLATE
from xfv_core.models.rrf import FullFaceNet, RegionNet, RRFNet
from xfv_core.results import Explanation

THETA = 0.3


def patch_maps(model: RRFNet, view: str = "evidence"):
    a, b = photos(2)
    (maps,) = make_method("patches", view=view)(model, a, b, threshold=THETA)
    return maps


@pytest.mark.parametrize("kind", [RRFNet, RegionNet])
@pytest.mark.parametrize("config", [TOY_56, TOY_28])
def test_the_pixels_sum_to_the_similarity_above_the_threshold(kind, config) -> None:
    model = awake(kind(config))
    similarity = float(model.embed(photos(2)).prod(0).sum())
    for view, total in (("evidence", similarity - THETA), ("raw", similarity)):
        maps = patch_maps(model, view)
        found: PatchSum = maps.details["patches"]
        assert found.total == pytest.approx(total, abs=1e-5)
        for values, map_ in zip(found.shown, (maps.a, maps.b), strict=True):
            assert values.sum() == pytest.approx(total, abs=1e-5)
            assert map_.sum() == pytest.approx(total, abs=1e-5)
        shown = maps.shown()
        assert shown.a.sum() == pytest.approx(total * found.stride**2, abs=1e-3)


def test_swapping_the_photos_swaps_the_maps() -> None:
    model = awake(RRFNet(TOY_28))
    a, b = photos(2)
    there, back = (
        next(iter(make_method("patches")(model, *pair, threshold=THETA)))
        for pair in ((a, b), (b, a))
    )
    np.testing.assert_allclose(there.a, back.b, atol=1e-7)
    np.testing.assert_allclose(there.b, back.a, atol=1e-7)


def test_a_network_that_does_not_add_up_and_an_unknown_view_are_refused() -> None:
    a, b = photos(2)
    other = awake(FullFaceNet(TOY_56, name="control"))
    with pytest.raises(MethodError, match="control is no sum of patches"):
        next(iter(make_method("patches")(other, a, b, threshold=THETA)))
    with pytest.raises(MethodError, match="evidence, raw"):
        make_method("patches", view="rosy")


def test_one_patch_colours_its_own_pixels_only() -> None:
    values = np.zeros(64, np.float32)
    values[9] = 1  # second row, second column
    pixels = spread(values, 56, 8, 112)
    assert (pixels[8:64, 8:64] > 0).all()
    assert pixels.sum() == pytest.approx(1)
    pixels[8:64, 8:64] = 0
    assert not pixels.any()


def test_a_pixels_share_falls_with_the_patches_that_cover_it() -> None:
    """Two patches of 4 px every 2 px on 6 px: cover 1 1 2 2 1 1, so shares 1 1 ½ ½ of 3."""
    line = np.array([1, 1, 0.5, 0.5, 0, 0]) / 3
    np.testing.assert_allclose(
        spread(np.array([1, 0, 0, 0], np.float32), 4, 2, 6), np.outer(line, line), atol=1e-7
    )


@settings(max_examples=25)
@given(st.sampled_from([(56, 8), (28, 7), (56, 14), (28, 14)]), st.integers(0, 10**6))
def test_no_geometry_loses_any_of_the_sum(geometry: tuple[int, int], seed: int) -> None:
    size, stride = geometry
    grid = (112 - size) // stride + 1
    values = np.random.default_rng(seed).normal(size=grid**2).astype(np.float32)
    assert spread(values, size, stride, 112).sum() == pytest.approx(values.sum(), abs=1e-4)


def made_up(a: list[float], b: list[float], *, view: str = "evidence", grid: int = 2) -> PatchSum:
    one, two = (np.array(side, np.float32) for side in (a, b))
    return PatchSum(
        one, two, np.outer(one, two), float(one.sum()), 0.2, view, size=56, stride=56, grid=grid
    )


def test_the_sum_is_said_as_a_sum() -> None:
    found = made_up([0.4, 0.3, 0.0, -0.1], [0.3, 0.1, 0.1, 0.1])
    assert found.words("Maps.").splitlines() == [
        "Similarity 0.600 - threshold 0.200 = +0.400.",
        "First photo: +0.400 = +0.600 from 2 patches and -0.200 from 2 patches.",
        "Second photo: +0.400 = +0.400 from 4 patches.",
        "Maps.",
    ]
    assert replace(found, view="raw").words("").splitlines()[:2] == [
        "Similarity 0.600.",
        "First photo: +0.600 = +0.700 from 3 patches and -0.100 from 1 patch.",
    ]


@settings(max_examples=30)
@given(st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4))
def test_what_is_said_adds_up_to_the_last_digit(values: list[float]) -> None:
    for line in made_up(values, values).words("").splitlines()[1:3]:
        total, parts = line.split(": ")[1].rstrip(".").split(" = ")
        summed = sum(float(part.split(" from")[0]) for part in parts.split(" and "))
        assert summed == pytest.approx(float(total), abs=1e-9)


def test_of_neighbours_only_the_stronger_gets_a_bar() -> None:
    found = replace(made_up([0] * 64, [0] * 64, grid=8), stride=8)
    values = np.zeros(64, np.float32)
    values[[0, 1, 7, 63]] = [3, 4, 2, -1]
    assert strongest(values, found) == [1, 7, 63]


def test_the_cells_to_click_tile_the_whole_face() -> None:
    found = replace(made_up([0] * 64, [0] * 64, grid=8), stride=8)
    svg = layer(found, "a", 112)
    sides = [
        [float(part.split('"')[1]) for part in cell.split() if part.startswith(("w", "h"))]
        for cell in svg.split("<rect")[1:]
    ]
    assert len(sides) == 64
    assert sum(width * height for width, height in sides) == pytest.approx(112**2)


def test_json_carries_the_unrounded_contributions() -> None:
    maps = patch_maps(awake(RRFNet(TOY_56)))
    plain = Explanation.to_dict(_explained(maps))
    for side in ("a", "b"):
        assert sum(plain["contributions"][side]) == pytest.approx(plain["similarity"], abs=1e-6)
    assert "contributions" not in Explanation.to_dict(_explained(replace(maps, details={})))


def _explained(maps):
    face = SimpleNamespace(crop=SimpleNamespace(landmarks=TEMPLATE))
    return Explanation(VERDICT, maps, maps, (face, face), 1.0, "")  # type: ignore[arg-type]
