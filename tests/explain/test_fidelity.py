"""Deletion and insertion against chance, on networks whose curves are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.explain.toys import BLACK, CELL, SIDE, WHITE, OneCell
from xfv_core.explain.fidelity import (
    CELLS,
    RATIOS,
    FidelityError,
    against_chance,
    agreement,
    area,
    cell_means,
    cell_of,
    hidden_cells,
    map_curves,
    random_curves,
    random_fields,
    ranks,
)
from xfv_core.models.base import BATCH


class Brightness(OneCell):
    """Looks at the mean brightness: the cosine of two photos depends on how much is hidden only."""

    def embed(self, x: Tensor) -> Tensor:
        self.batches.append(len(x))
        angle = x.float().mean((1, 2, 3)) * torch.pi / 2
        return torch.stack([angle.cos(), angle.sin()], dim=1)


@dataclass(frozen=True)
class Pair:
    a: np.ndarray
    b: np.ndarray


def pixels(cells: np.ndarray) -> np.ndarray:
    return np.kron(cells, np.ones((SIDE // CELLS, SIDE // CELLS))).astype(np.float32)


def marking(cell: tuple[int, int], value: float = 1.0) -> Pair:
    """Maps of zeros but for one cell."""
    cells = np.zeros((CELLS, CELLS))
    cells[cell] = value
    return Pair(pixels(cells), pixels(cells))


def test_a_map_that_marks_the_only_cell_that_counts_has_the_best_curves() -> None:
    curves = map_curves(OneCell(), WHITE, WHITE, marking(CELL))
    np.testing.assert_allclose(curves.falling, 2 * [[1, *10 * [0]]], atol=1e-6)
    np.testing.assert_allclose(curves.rising, 2 * [[*10 * [1], 0]], atol=1e-6)
    result = against_chance(curves, random_curves(OneCell(), WHITE, WHITE), "similar")
    assert area(result.deletion) == pytest.approx(0.05)
    assert area(result.insertion) == pytest.approx(0.95)
    assert result.deletion_gain > 0.2
    assert result.insertion_gain > 0.2
    assert result.deletion_beaten > 0.7


def test_the_gain_is_the_mean_random_area_less_the_maps() -> None:
    chance = random_curves(OneCell(), WHITE, WHITE, n=7)
    result = against_chance(map_curves(OneCell(), WHITE, WHITE, marking(CELL)), chance)
    mean = chance.deletion.mean(0)
    by_hand = mean[:, 1:].sum(1) * 0.1 - 0.05 * mean[:, -1] + 0.05
    assert result.deletion_gain == pytest.approx(by_hand.mean() - 0.05)
    assert result.sd == pytest.approx(by_hand.std(ddof=1))
    assert result.n_random == 7


def test_a_map_that_marks_the_wrong_way_round_loses_against_chance() -> None:
    curves = map_curves(OneCell(), WHITE, WHITE, marking(CELL, -1.0))
    chance = random_curves(OneCell(), WHITE, WHITE)
    backwards = against_chance(replace(curves, marks_similar=True), chance, "similar")
    assert backwards.deletion_gain < -0.2
    assert backwards.deletion_beaten < 0.3


def test_hiding_the_only_cell_that_differs_raises_the_similarity() -> None:
    curves = map_curves(OneCell(), WHITE, BLACK, marking(CELL, -1.0))
    result = against_chance(curves, random_curves(OneCell(), WHITE, BLACK), "dissimilar")
    np.testing.assert_allclose(curves.rising, [[0, *10 * [1]], 11 * [0]], atol=1e-6)
    assert result.deletion_gain > 0.1
    assert "raises the similarity" in result.sentence


def test_a_map_of_zeros_is_empty_and_gains_nothing() -> None:
    nothing = Pair(np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32))
    curves, chance = (
        map_curves(OneCell(), WHITE, WHITE, nothing),
        random_curves(OneCell(), WHITE, WHITE),
    )
    for kind in ("similar", "dissimilar"):
        result = against_chance(curves, chance, kind)
        assert result.empty
        assert result.deletion_gain == result.insertion_gain == result.deletion_beaten == 0
        assert result.sentence == f"This map marks nothing as {kind}."


def test_a_map_without_negative_values_is_empty_as_a_dissimilar_map_only() -> None:
    curves, chance = (
        map_curves(OneCell(), WHITE, WHITE, marking(CELL)),
        random_curves(OneCell(), WHITE, WHITE),
    )
    assert against_chance(curves, chance, "dissimilar").empty
    assert not against_chance(curves, chance, "similar").empty


def test_a_random_field_shown_as_a_map_has_its_own_random_curve() -> None:
    chance = random_curves(Scene(), *photos(), seed=3, n=4)
    for field, curve in zip(random_fields(4, 3), chance.deletion.swapaxes(0, 1), strict=True):
        maps = Pair(pixels(field), pixels(field))
        np.testing.assert_allclose(map_curves(Scene(), *photos(), maps).falling, curve, atol=1e-5)


def test_rising_is_falling_of_the_negated_map() -> None:
    field = pixels(random_fields(1, 8)[0])
    one = map_curves(Scene(), *photos(), Pair(field, field))
    other = map_curves(Scene(), *photos(), Pair(-field, -field))
    np.testing.assert_allclose(one.rising, other.falling, atol=1e-6)


@pytest.mark.parametrize("cells", [CELLS, 7])
def test_curves_hide_one_photo_at_a_time(cells: int) -> None:
    field = pixels(random_fields(1, 8)[0])
    curves = map_curves(Brightness(), WHITE, BLACK, Pair(field, field), cells=cells)
    hidden = np.rint(RATIOS * cells**2) / cells**2
    hiding_a, hiding_b = np.cos((1 - hidden) * np.pi / 2), np.zeros(11)
    np.testing.assert_allclose(curves.falling, [hiding_a, hiding_b], atol=1e-6)


class Scene(OneCell):
    """A smooth nonlinear look at everything."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))

    def embed(self, x: Tensor) -> Tensor:
        self.batches.append(len(x))
        features = ((x.float()[:, None] * self.weight).sum((2, 3, 4)) / SIDE).tanh()
        return nn.functional.normalize(features + 0.5, dim=1)


def photos() -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return a, b


def test_chance_depends_on_its_seed_alone() -> None:
    one, again, other = (random_curves(Scene(), *photos(), seed=s, n=3) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.deletion, again.deletion)
    assert (one.deletion != other.deletion).any()


def test_the_passes_counted_are_the_images_embedded() -> None:
    model = Scene()
    chance = random_curves(model, *photos())
    assert chance.passes == sum(model.batches) == 2 * 20 * 9 + 4
    assert max(model.batches) <= BATCH
    curves = map_curves(model, *photos(), marking(CELL))
    assert curves.passes == sum(model.batches) - chance.passes == 2 * 2 * 9 + 4


def test_steps_hear_a_growing_share_that_ends_at_one() -> None:
    reported: list[float] = []
    random_curves(Scene(), *photos(), n=5, steps=reported.append)
    assert reported == sorted(set(reported))
    assert reported[-1] == 1


@pytest.mark.parametrize("fill", ["black", "mean", "blur"])
def test_everything_hidden_is_the_same_for_every_map(fill: str) -> None:
    chance = random_curves(Scene(), *photos(), n=3, fill=fill)
    assert (np.ptp(chance.deletion[..., -1], axis=1) == 0).all()
    assert (np.ptp(chance.deletion[..., 5], axis=1) > 0).all()


def test_hiding_by_mean_changes_nothing_in_a_plain_photo() -> None:
    chance = random_curves(Brightness(), WHITE, WHITE * 0.3, n=2, fill="mean")
    np.testing.assert_allclose(chance.deletion, chance.deletion[0, 0, 0], atol=1e-6)


def test_an_unknown_fill_is_refused() -> None:
    with pytest.raises(FidelityError, match="pink"):
        random_curves(Scene(), *photos(), fill="pink")


@given(st.integers(0, 1000), st.integers(1, 196))
def test_ranks_are_a_permutation_whatever_the_ties(seed: int, distinct: int) -> None:
    values = np.random.default_rng(seed).integers(0, distinct, (CELLS, CELLS)).astype(float)
    order = ranks(values, seed)
    assert sorted(order.ravel()) == list(range(CELLS**2))
    assert (np.diff(values.ravel()[np.argsort(order.ravel())]) <= 0).all()


def test_ties_are_not_broken_by_position() -> None:
    order = ranks(np.zeros((40, CELLS, CELLS)), 0)
    mean_rank = order.mean(0) / (CELLS**2 - 1)
    top, bottom = mean_rank[: CELLS // 2].mean(), mean_rank[CELLS // 2 :].mean()
    assert abs(top - bottom) < 0.05


def test_ties_depend_on_the_seed() -> None:
    flat = np.zeros((CELLS, CELLS))
    assert (ranks(flat, 1) == ranks(flat, 1)).all()
    assert (ranks(flat, 1) != ranks(flat, 2)).any()


def test_more_and_more_cells_are_hidden_until_all_are() -> None:
    hidden = hidden_cells(ranks(random_fields(1, 0), 0))[0]
    np.testing.assert_array_equal(hidden.sum((1, 2)), np.rint(RATIOS * CELLS**2))
    assert (hidden[1:] >= hidden[:-1]).all()


@pytest.mark.parametrize("side", [28, 112, 160])
def test_a_cell_mean_is_the_mean_of_its_pixels(side: int) -> None:
    values = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    cell = cell_of(side)
    inside = values[np.ix_(cell == 2, cell == 13)]
    assert cell_means(values)[2, 13] == pytest.approx(inside.mean(), abs=1e-6)


def test_a_cell_is_8_px_of_a_112_px_face() -> None:
    assert (np.bincount(cell_of(112)) == 8).all()
    assert set(np.bincount(cell_of(160))) == {11, 12}


def test_agreement_is_1_with_the_same_ranks_and_minus_1_with_reversed_ones() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 9, 9))
    assert agreement(Pair(x, y), Pair(np.exp(x), 3 * y)) == pytest.approx(1)
    assert agreement(Pair(x, y), Pair(-x, -y)) == pytest.approx(-1)
    assert agreement(Pair(x, y), Pair(x, -y)) == pytest.approx(0)


def test_a_flat_map_agrees_with_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(9, 9))
    assert agreement(Pair(x, x), Pair(np.zeros((9, 9)), x)) is None


def test_maps_of_different_crops_cannot_be_compared() -> None:
    with pytest.raises(FidelityError, match="same crop"):
        agreement(Pair(np.eye(4), np.eye(4)), Pair(np.eye(5), np.eye(5)))
