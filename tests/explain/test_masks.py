"""The masks of the presets: how many, where, of which shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explain.toys import SIDE
from xfv_core.explain.masks import PRESETS, SHAPES, patch_grids


@pytest.mark.parametrize("side", [112, 160])
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_makes_as_many_masks_as_its_table_says(name: str, side: int) -> None:
    grids = patch_grids(PRESETS[name], side, "square", 0.0)
    assert sum(map(len, grids)) == PRESETS[name].masks


def test_the_paper_has_its_1130_masks_and_the_bordered_grid_1249() -> None:
    counts = {n: [len(g) for g in patch_grids(PRESETS[n], 112, "square", 0.0)] for n in PRESETS}
    assert counts["paper"] == [289, 400, 441]
    assert counts["full"] == [324, 441, 484]


@pytest.mark.parametrize("name", PRESETS)
def test_only_the_papers_grid_stops_short_of_the_border(name: str) -> None:
    grids = patch_grids(PRESETS[name], 112, "square", 0.0)
    cover = [grid.spread(np.ones(len(grid))) for grid in grids]
    assert all((c > 0.5).all() for c in cover) is not PRESETS[name].faithful


@pytest.mark.parametrize("side", [112, 160])
def test_patches_scale_with_the_face(side: int) -> None:
    grids = patch_grids(PRESETS["full"], side, "square", 0.0)
    assert [grid.size for grid in grids] == [28 * side // 112, 14 * side // 112, 7 * side // 112]
    assert all(int(grid.starts.max()) + grid.size == side for grid in grids)


@given(
    shape=st.sampled_from(SHAPES),
    edge=st.sampled_from([0.0, 6.0, 30.0]),
    share=st.floats(0.01, 1),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_spreading_values_is_the_sum_of_the_masks(
    shape: str, edge: float, share: float, seed: int
) -> None:
    for grid in patch_grids(PRESETS["full"], SIDE, shape, edge):
        n = max(1, int(share * len(grid)))
        values = np.random.default_rng(seed).normal(size=(2, n))
        masks = grid.masks(slice(0, n))[:, 0].double().numpy()
        np.testing.assert_allclose(
            grid.spread(values), np.einsum("kn,nij->kij", values, masks), atol=1e-9
        )


def test_a_round_patch_covers_what_lies_within_its_radius() -> None:
    (grid, *_) = patch_grids(PRESETS["full"], 112, "circle", 0.0)
    mask = grid.masks(slice(0, 1))[0, 0]
    assert mask.sum() == pytest.approx(np.pi * 14**2, rel=0.01)
    assert mask[0, 0] == 0
    assert mask[0, 14] == 1


def test_a_blurred_edge_falls_from_covered_to_clear_across_the_outline() -> None:
    (grid, *_) = patch_grids(PRESETS["full"], 112, "square", 8.0)
    inner = (grid.starts > 5).all(1).nonzero()[0].item()
    row, column = grid.starts[inner].tolist()
    profile = grid.masks(slice(inner, inner + 1))[0, 0, row + 14, column - 5 : column + 6]
    falling = [0, 1 / 16, 3 / 16, 5 / 16, 7 / 16, 9 / 16, 11 / 16, 13 / 16, 15 / 16, 1, 1]
    assert profile.tolist() == pytest.approx(falling)
