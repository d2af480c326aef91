"""Occlusion maps: the paper's formulas, on networks whose right answer is known."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from scipy.stats import spearmanr
from torch import Tensor, nn

from tests.explain.toys import BLACK, PIXEL, SIDE, WHITE, OnePixel
from xfv_core.explain.base import Maps, MethodError
from xfv_core.explain.masks import PRESETS, Preset, patch_grids
from xfv_core.explain.occlusion import (
    FILLS,
    MODES,
    REFINE,
    Occlusion,
    occlusion_maps,
)
from xfv_core.models import FaceModel
from xfv_core.models.base import BATCH, embed_all


class Scene(OnePixel):
    """A smooth nonlinear look at everything: three unit-norm features of weighted sums."""

    name, embedding_dim = "scene", 3

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.weight = torch.randn(3, 3, SIDE, SIDE, generator=generator) / SIDE

    def embed(self, x: Tensor) -> Tensor:
        self.batches.append(len(x))
        features = (x.float()[:, None] * self.weight).sum((2, 3, 4)).tanh()
        return nn.functional.normalize(features + torch.tensor([1.0, 0.5, 0.2]), dim=1)


class Blind(OnePixel):
    """Sees nothing."""

    def embed(self, x: Tensor) -> Tensor:
        return torch.tensor([[0.6, 0.8]]).repeat(len(x), 1)


@pytest.fixture
def photos() -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return a, b


def final(explainer: Occlusion, a: Tensor, b: Tensor, model: FaceModel | None = None) -> Maps:
    *_, last = explainer(model or Scene(), a, b, threshold=0.3)
    return last


def raw(preset: str, **options: Any) -> Occlusion:
    return Occlusion(preset, view="raw", **options)


def covers(preset: Preset, side: int) -> list[list[tuple[int, int, int]]]:
    """(first row, first column, size) of every patch, size by size, read off the grids."""
    grids = patch_grids(preset, side, "square", 0.0)
    return [[(*start, grid.size) for start in grid.starts.tolist()] for grid in grids]


def literal_maps(
    preset: Preset, mode: int, a: Tensor, b: Tensor, model: FaceModel
) -> tuple[np.ndarray, np.ndarray]:
    """The recipe in plain loops: no matrix product, no convolution, no batches."""

    def covered(x: Tensor, patch: tuple[int, int, int]) -> np.ndarray:
        row, column, size = patch
        x = x.clone()
        x[:, row : row + size, column : column + size] = 0
        return model.embed(x[None])[0].numpy().astype(float)

    def distance(u: np.ndarray, v: np.ndarray) -> float:
        return 1 - float(u @ v)

    e_a, e_b = (model.embed(x[None])[0].numpy().astype(float) for x in (a, b))
    sizes: list[list[np.ndarray]] = [[], []]
    for patches in covers(preset, a.shape[-1]):
        all_a, all_b = ([covered(x, patch) for patch in patches] for x in (a, b))
        for maps, e, e_other, own, others in (
            (sizes[0], e_a, e_b, all_a, all_b),
            (sizes[1], e_b, e_a, all_b, all_a),
        ):
            total, cover = np.zeros(a.shape[-2:]), np.zeros(a.shape[-2:])
            for n, (row, column, size) in enumerate(patches):
                if mode == 1:
                    base = (
                        distance(e_a, e_b)
                        if preset.faithful
                        else np.mean([distance(e, other) for other in others])
                    )
                    deviation = np.mean([distance(own[n], other) for other in others]) - base
                elif mode == 2:
                    deviation = distance(own[n], e_other) - distance(e_a, e_b)
                else:
                    deviation = distance(own[n], others[n]) - distance(e_a, e_b)
                place = np.s_[row : row + size, column : column + size]
                total[place] += deviation / size**2 if preset.faithful else deviation
                cover[place] += 1
            maps.append(total / len(patches) if preset.faithful else total / cover)
    weights = [
        1 if preset.faithful else 1 / patches[0][2] for patches in covers(preset, a.shape[-1])
    ]
    maps = [smooth(np.average(side, axis=0, weights=weights)) for side in sizes]
    return tuple(m / np.abs(m).max() for m in maps) if preset.faithful else tuple(maps)


def smooth(values: np.ndarray) -> np.ndarray:
    """σ 5 px and 5x5 at 112 px: here σ 1.25 and, of radius 2/4 px, nothing but the pixel itself."""
    radius, sigma = round(2 * SIDE / 112), 5 * SIDE / 112
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    for axis in (0, 1):
        values = correlate1d(values, kernel / kernel.sum(), axis=axis, mode="reflect")
    return values


@pytest.mark.parametrize("mode", MODES)
def test_what_makes_a_pair_similar_is_positive_and_the_rest_zero(mode: int) -> None:
    maps = final(raw("full", mode=mode), WHITE, WHITE, OnePixel()).a
    peak = np.unravel_index(maps.argmax(), maps.shape)
    far = np.hypot(*(np.indices(maps.shape) - np.array(PIXEL)[:, None, None])) > 12
    if mode == 3:  # both photos lose the pixel alike: nothing changes
        assert (maps == 0).all()
    else:
        assert np.abs(np.array(peak) - PIXEL).max() <= 1
        assert maps.max() > 0.3
        assert np.abs(maps[far]).max() < 1e-6


@pytest.mark.parametrize("mode", MODES)
def test_what_makes_a_pair_dissimilar_is_negative(mode: int) -> None:
    maps = final(raw("full", mode=mode), WHITE, BLACK, OnePixel()).a
    assert maps[PIXEL] < -0.3
    assert maps.max() < 1e-6


@pytest.mark.parametrize(("faithful", "mode"), list(product([False, True], MODES)))
def test_maps_equal_the_recipe_written_as_loops(
    faithful: bool, mode: int, photos: tuple[Tensor, Tensor]
) -> None:
    small = Preset(((28, 10), (14, 14)), 0, faithful)
    grids = patch_grids(small, SIDE, "square", 0.0)
    model = Scene()
    plain = embed_all(model, torch.stack(photos), fast=False)
    covered = [
        torch.stack([embed_all(model, x * (1 - g.masks(slice(None))), fast=False) for x in photos])
        for g in grids
    ]
    maps = occlusion_maps(small, grids, mode, plain, covered)
    for got, expected in zip(maps, literal_maps(small, mode, *photos, model), strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize("mode", MODES)
def test_swapping_the_photos_swaps_the_maps(mode: int, photos: tuple[Tensor, Tensor]) -> None:
    one, other = (final(Occlusion("fast", mode=mode), *p) for p in (photos, photos[::-1]))
    np.testing.assert_allclose(one.a, other.b, atol=1e-6)
    np.testing.assert_allclose(one.b, other.a, atol=1e-6)


@pytest.mark.parametrize("mode", [2, 3])
@pytest.mark.parametrize("fill", FILLS)
def test_nothing_is_dissimilar_in_a_photo_and_itself(
    mode: int, fill: str, photos: tuple[Tensor, Tensor]
) -> None:
    maps = final(raw("fast", mode=mode, fill=fill), photos[0], photos[0])
    assert maps.a.min() >= -1e-9
    if mode == 3:
        assert (maps.a == 0).all()
        assert (maps.b == 0).all()


@pytest.mark.parametrize("preset", ["fast", "paper"])
@pytest.mark.parametrize("mode", MODES)
def test_evidence_sums_to_what_the_threshold_leaves_of_the_similarity(
    preset: str, mode: int, photos: tuple[Tensor, Tensor]
) -> None:
    model = Scene()
    e_a, e_b = embed_all(model, torch.stack(photos), fast=False)
    maps = final(Occlusion(preset, mode=mode), *photos, model)
    for values in (maps.a, maps.b):
        assert values.sum() == pytest.approx(float(e_a @ e_b) - 0.3, abs=1e-4)
    assert maps.view == "evidence" and maps.unit.startswith("similarity above the threshold")


@pytest.mark.parametrize("mode", [2, 3])
def test_next_to_nothing_speaks_against_a_photo_and_itself(
    mode: int, photos: tuple[Tensor, Tensor]
) -> None:
    maps = final(Occlusion("fast", mode=mode), photos[0], photos[0])
    assert -maps.a.clip(max=0).sum() <= 0.05 * np.abs(maps.a).sum()
    assert maps.a.sum() == pytest.approx(0.7, abs=1e-4)


def test_a_higher_bar_moves_evidence_down_and_leaves_the_raw_map(
    photos: tuple[Tensor, Tensor],
) -> None:
    def at(threshold: float, view: str) -> np.ndarray:
        *_, last = Occlusion("fast", view=view)(Scene(), *photos, threshold=threshold)
        return last.a

    assert (at(0.9, "evidence") <= at(0.1, "evidence") + 1e-9).all()
    np.testing.assert_array_equal(at(0.9, "raw"), at(0.1, "raw"))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_network_that_sees_nothing_has_maps_of_exact_zeros(
    preset: str, photos: tuple[Tensor, Tensor]
) -> None:
    maps = final(Occlusion(preset, mode=2), *photos, Blind())
    assert not maps.a.any()
    assert not maps.b.any()


def test_the_papers_maps_are_scaled_to_one_and_ours_are_not(photos: tuple[Tensor, Tensor]) -> None:
    paper, ours = (final(raw(p), *photos) for p in ("paper", "standard"))
    assert np.abs(paper.a).max() == pytest.approx(1)
    assert np.abs(ours.a).max() < 0.9
    assert paper.unit != ours.unit


@pytest.mark.parametrize("preset", ["standard", "paper"])
def test_the_stream_ends_with_the_maps_made_at_once(
    preset: str, photos: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, streamed = stream = list(Occlusion(preset)(Scene(), *photos, threshold=0.3))
    monkeypatch.setattr("xfv_core.explain.occlusion.REFINE", 10**9)
    (at_once,) = Occlusion(preset)(Scene(), *photos, threshold=0.3)
    assert len(stream) > 3
    np.testing.assert_array_equal(streamed.a, at_once.a)
    np.testing.assert_array_equal(streamed.b, at_once.b)


def test_the_first_maps_come_early_and_already_look_like_the_last(
    photos: tuple[Tensor, Tensor],
) -> None:
    first, *_, last = Occlusion("full")(Scene(), *photos, threshold=0.3)
    assert first.cost.passes <= 2 + 2 * (REFINE + BATCH // 2)
    assert spearmanr(first.a.ravel(), last.a.ravel()).statistic > 0.6


def test_progress_grows_and_ends_at_one(photos: tuple[Tensor, Tensor]) -> None:
    reported: list[float] = []
    maps = list(Occlusion("standard")(Scene(), *photos, threshold=0.3, steps=reported.append))
    assert reported == sorted(set(reported))
    assert [m.progress for m in maps] == sorted({m.progress for m in maps})
    assert reported[-1] == maps[-1].progress == 1


def test_the_caller_can_stop_between_batches(photos: tuple[Tensor, Tensor]) -> None:
    def cancel(share: float) -> None:
        if share > 0.2:
            raise InterruptedError

    model = Scene()
    with pytest.raises(InterruptedError):
        list(Occlusion("full")(model, *photos, threshold=0.3, steps=cancel))
    assert sum(model.batches) < 0.3 * 2 * PRESETS["full"].masks


def test_the_passes_counted_are_the_images_embedded(photos: tuple[Tensor, Tensor]) -> None:
    model = Scene()
    maps = final(Occlusion("fast"), *photos, model)
    assert maps.cost.passes == sum(model.batches) == 2 + 2 * PRESETS["fast"].masks


def test_masked_copies_are_made_batch_by_batch(photos: tuple[Tensor, Tensor]) -> None:
    model = Scene()
    final(Occlusion("full"), *photos, model)
    assert max(model.batches) <= BATCH


def test_noise_is_the_same_for_the_same_seed_only(photos: tuple[Tensor, Tensor]) -> None:
    one, again, other = (
        final(Occlusion("fast", fill="noise", seed=s), *photos).a for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_covering_with_the_colour_that_is_there_changes_nothing() -> None:
    grey = torch.full((3, SIDE, SIDE), 0.4)
    maps = final(raw("fast", mode=2, fill="mean"), grey, WHITE)
    assert np.abs(maps.a).max() < 1e-6


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"preset": "huge"}, "preset"),
        ({"mode": 4}, "mode"),
        ({"shape": "star"}, "shape"),
        ({"fill": "pink"}, "fill"),
        ({"edge": -1.0}, "edge"),
    ],
)
def test_an_unknown_option_is_refused_in_one_sentence(options: dict, word: str) -> None:
    with pytest.raises(MethodError, match=word):
        Occlusion(**options)
