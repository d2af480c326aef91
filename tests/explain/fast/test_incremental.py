"""Incremental passes equal whole ones, and compute nothing that a patch cannot reach."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.explain.chains import REFUSED, Toy, networks, small_network
from xfv_core import Verifier
from xfv_core.explain.fast import incremental as incremental_passes
from xfv_core.explain.fast import windows
from xfv_core.explain.fast.incremental import Incremental, WholePasses, covered_embedder
from xfv_core.explain.masks import PRESETS, SHAPES, patch_grids
from xfv_core.explain.occlusion import FILLS, Occlusion
from xfv_core.models import FaceModel, load_model
from xfv_core.models.base import Residual

EXAMPLES = Path(__file__).parents[3] / "examples"
BORDERS = [[[0, 0], [2, 3]], [[7, 6], [9, 9]], [[3, 4], [5, 5]], [[0, 2], [9, 4]]]


@pytest.fixture(scope="module")
def sface() -> FaceModel:
    return load_model("sface")


def covered(photos: Tensor, rectangles: Tensor, seed: int = 0) -> Tensor:
    """(P,S,S) photos and (n,2,2) windows -> (P,n,3,S,S), noise inside the windows."""
    generator = torch.Generator().manual_seed(seed)
    x = photos[:, None].repeat(1, len(rectangles), 1, 1, 1)
    for i, ((top, left), (bottom, right)) in enumerate(rectangles.tolist()):
        x[:, i, :, top:bottom, left:right].uniform_(generator=generator)
    return x


def photos_of(side: int, seed: int = 0) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed))


def passes(
    model: FaceModel, photos: Tensor, *, fast: bool = False, tolerance: float = 0.0
) -> tuple[Incremental, WholePasses]:
    """Incremental passes, and whole ones in float32."""
    incremental = covered_embedder(model, photos, fast=fast, tolerance=tolerance)
    assert isinstance(incremental, Incremental)
    return incremental, WholePasses(model, photos, fast=False)


@st.composite
def rectangles_on(draw: st.DrawFn, side: int) -> Tensor:
    """Up to four windows, (n,2,2)."""
    lines = st.lists(st.integers(0, side), min_size=2, max_size=2, unique=True).map(sorted)
    rows_columns = draw(st.lists(st.tuples(lines, lines), min_size=1, max_size=4))
    return torch.tensor(rows_columns).transpose(1, 2)


@settings(max_examples=50, deadline=None)
@given(st.data(), networks(), st.integers(0, 10**6))
def test_incremental_passes_equal_whole_ones(
    data: st.DataObject, network: tuple[nn.Sequential, int], seed: int
) -> None:
    layers, side = network
    rectangles, photos = data.draw(rectangles_on(side)), photos_of(side, seed)
    incremental, whole = passes(Toy(layers), photos)
    x = covered(photos, rectangles, seed)
    assert torch.allclose(incremental.plain, whole.plain, atol=1e-5)
    assert torch.allclose(incremental(x, rectangles), whole(x, rectangles), atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.data(), networks(), st.integers(0, 10**6))
def test_leaving_out_only_what_did_not_change_changes_nothing(
    data: st.DataObject, network: tuple[nn.Sequential, int], seed: int
) -> None:
    layers, side = network
    rectangles, photos = data.draw(rectangles_on(side)), photos_of(side, seed)
    x = covered(photos, rectangles, seed)
    with mock.patch.object(incremental_passes, "WIDE", 1):
        some, whole = passes(Toy(layers), photos, tolerance=1e-6)
    assert torch.allclose(some(x, rectangles), whole(x, rectangles), atol=1e-4)


def test_what_hardly_differs_is_taken_from_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental_passes, "WIDE", 1)
    monkeypatch.setattr(windows, "ROWS", 1)  # no filling
    layers = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Flatten(), nn.Linear(48, 5))
    photos = torch.full((1, 3, 4, 4), 0.5)  # in the toy's scale every cell is (0.5, 0.5, 0.5)
    rectangle = torch.tensor([[[1, 1], [2, 3]]])  # two cells
    x = photos[:, None].clone()
    x[..., 1, 1], x[..., 1, 2] = 0.52, 0.6  # they differ by 6 % and by 30 % of a cell's length
    expected = x.clone()
    expected[..., 1, 1] = 0.5
    some, whole = passes(Toy(layers), photos, tolerance=0.1)
    before = some.done[0]
    assert torch.allclose(some(x, rectangle), whole(expected, rectangle), atol=1e-6)
    assert some.done[0] - before == 1 * 9
    assert torch.allclose(passes(Toy(layers), photos)[0](x, rectangle), whole(x, rectangle))


@pytest.mark.parametrize("line", [0, 1, 2, 3])
def test_a_window_one_pixel_short_gives_another_answer(line: int) -> None:
    rectangles, photos = torch.tensor([[[3, 3], [6, 6]]]), photos_of(9)
    incremental, whole = passes(small_network(1), photos)
    x, short = covered(photos, rectangles), rectangles.clone()
    short.view(-1)[line] += 1 if line < 2 else -1
    assert torch.allclose(incremental(x, rectangles), whole(x, rectangles), atol=1e-5)
    assert (incremental(x, short) - whole(x, rectangles)).abs().max() > 1e-3


def test_what_lies_outside_the_windows_is_never_read() -> None:
    rectangles, photos = torch.tensor(BORDERS), photos_of(9)
    incremental, _ = passes(small_network(2), photos)
    x = covered(photos, rectangles)
    blanked = covered(torch.full_like(photos, torch.nan), rectangles)
    assert torch.equal(incremental(x, rectangles), incremental(blanked, rectangles))


def test_the_photos_do_not_see_each_other() -> None:
    rectangles, photos = torch.tensor(BORDERS), photos_of(9)
    both, x = passes(small_network(3), photos)[0], covered(photos, rectangles)
    for i in (0, 1):
        alone = passes(small_network(3), photos[i : i + 1])[0]
        assert torch.allclose(both(x, rectangles)[i], alone(x[i : i + 1], rectangles)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("first", "reached"),
    [
        ((5, 5), (4 * 4, 4 * 4, 3 * 3)),  # 5..6 -> 4..7, pointwise, -> 2..4
        ((6, 6), (4 * 4, 4 * 4, 3 * 3)),  # 6..7 -> 5..8 -> 2..4
        ((0, 5), (4 * 4, 3 * 4, 3 * 3)),  # 0..1 -> 0..2: the window of four is moved inside
    ],
)
def test_only_what_a_patch_reaches_is_computed(
    first: tuple[int, int], reached: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "ROWS", 1)  # no filling
    around, point = nn.Conv2d(3, 4, 3, 1, 1), nn.Conv2d(4, 6, 1)
    halved = nn.Conv2d(6, 6, 3, 2, 1, groups=6)
    layers = nn.Sequential(around, nn.PReLU(4), point, halved, nn.Flatten(), nn.Linear(6 * 36, 5))
    photos, start = photos_of(12), torch.tensor([first])
    incremental, _ = passes(Toy(layers), photos)
    uncovered = list(incremental.done)
    rectangles = torch.stack([start, start + 2], dim=1)
    incremental(covered(photos, rectangles), rectangles)
    done = [now - then for now, then in zip(incremental.done, uncovered, strict=True)]
    weights = (3 * 4 * 9, 4 * 6, 6 * 9)
    a, b, c = (2 * cells * weight for cells, weight in zip(reached, weights, strict=True))
    assert done == [a, 0, b, c, 0, 2 * 6 * 36 * 5]
    whole = [144 * weights[0], 0, 144 * weights[1], 36 * weights[2], 0, 6 * 36 * 5]
    assert incremental.whole == whole
    assert uncovered == [2 * operations for operations in whole]


def with_residual() -> Toy:
    inner = Residual(nn.Conv2d(4, 6, 3, 1, 1), nn.PReLU(6), nn.Conv2d(6, 4, 1))
    return Toy(nn.Sequential(nn.Conv2d(3, 4, 3), inner, nn.Flatten(), nn.Linear(4 * 49, 5)))


@pytest.mark.parametrize("network", [small_network(4), with_residual()])
def test_covering_everything_saves_nothing(network: Toy) -> None:
    incremental, _ = passes(network, photos_of(9))
    everything = torch.tensor([[[0, 0], [9, 9]]])
    incremental(covered(photos_of(9), everything), everything)
    assert incremental.saved(4) == 0


def test_the_operations_of_a_residual_are_those_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "ROWS", 1)  # no filling
    incremental, _ = passes(with_residual(), photos_of(9)[:1])
    first, second = 3 * 4 * 9, 4 * 6 * 9 + 6 * 4
    assert incremental.whole == [49 * first, 49 * second, 0, 49 * 4 * 5]
    before = incremental.done[1]
    rectangle = torch.tensor([[[4, 4], [5, 5]]])  # 3 x 3 after the first layer, then 5 x 5
    incremental(covered(photos_of(9)[:1], rectangle), rectangle)
    assert incremental.done[1] - before == 25 * second


@pytest.mark.parametrize("layer", REFUSED)
def test_a_layer_whose_reach_is_not_known_is_refused(layer: nn.Module) -> None:
    with pytest.raises(TypeError, match="A chain cannot hold"):
        covered_embedder(Toy(nn.Sequential(layer, nn.Flatten())), photos_of(4), fast=False)


def test_bfloat16_leaves_the_weights_alone() -> None:
    model = small_network(5)
    before = [p.clone() for p in model.parameters()]
    covered_embedder(model, photos_of(9), fast=True)
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize("edge", [0.0, 8.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_windows_of_a_grid_are_the_smallest_that_hold_its_masks(
    shape: str, edge: float
) -> None:
    for grid in patch_grids(PRESETS["fast"], 112, shape, edge):
        part = slice(3, 30)
        for mask, ((top, left), (bottom, right)) in zip(
            grid.masks(part)[:, 0], grid.windows(part).tolist(), strict=True
        ):
            rows, columns = mask.nonzero().T
            assert [rows.min(), rows.max() + 1] == [top, bottom]
            assert [columns.min(), columns.max() + 1] == [left, right]


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize(("shape", "edge"), [("square", 0.0), ("circle", 0.0), ("square", 12.0)])
def test_the_maps_of_a_chain_are_those_of_whole_passes(fill: str, shape: str, edge: float) -> None:
    method = Occlusion("fast", view="raw", fill=fill, shape=shape, edge=edge, bfloat16=False)
    (*_, whole), (*_, ours) = (
        method(small_network(6, open_chain=chain), *photos_of(9), threshold=0)
        for chain in (False, True)
    )
    assert np.allclose(np.stack([ours.a, ours.b]), np.stack([whole.a, whole.b]), atol=1e-5)
    assert ours.cost.passes == whole.cost.passes
    assert ours.details["operations_saved"] > 0 == whole.details["operations_saved"]


@pytest.mark.parametrize("name", ["sface", "rrf56", "rrf28", "rrf_regions", "full112", "ecnet"])
@pytest.mark.parametrize(("fast", "tolerance"), [(False, 1e-10), (True, 1e-3)])
def test_a_shipped_network_under_patches_is_that_network(
    name: str, fast: bool, tolerance: float
) -> None:
    photos = photos_of(112)
    incremental, whole = passes(load_model(name), photos, fast=fast)
    for grid in patch_grids(PRESETS["paper"], 112, "square", 0.0):
        part = slice(0, len(grid), len(grid) // 2)
        x = covered(photos, grid.windows(part))
        ours, exact = incremental(x, grid.windows(part)), whole(x, grid.windows(part))
        distance = (ours - exact).square().sum(-1) / 2  # as 1 - cosine, without its rounding
        assert distance.max() < tolerance


@pytest.mark.parametrize(
    ("name", "tolerance", "fewer"),
    [
        ("sface", 0.0, 2.5),
        ("sface", Occlusion.tolerance, 3),
        ("sface", 1e9, 20),
        ("rrf56", 0.0, 1.9),
        ("rrf28", 0.0, 5),
        ("rrf_regions", 0.0, 1.9),
        ("full112", 0.0, 2.3),
        ("ecnet", 0.0, 1.7),
    ],
)
def test_the_papers_masks_take_a_network_few_of_the_operations(
    name: str, tolerance: float, fewer: float
) -> None:
    photos, n = photos_of(112)[:1], 0
    incremental, _ = passes(load_model(name), photos, fast=True, tolerance=tolerance)
    uncovered = sum(incremental.done)
    for grid in patch_grids(PRESETS["paper"], 112, "square", 0.0):
        part = slice(0, len(grid), 20)
        x = covered(photos, grid.windows(part))
        n += len(incremental(x, grid.windows(part))[0])
    done = sum(incremental.done) - uncovered
    assert done * fewer < n * sum(incremental.whole)


def test_without_wide_layers_no_tolerance_leaves_anything_out() -> None:
    incremental, whole = passes(load_model("rrf28"), photos_of(112), tolerance=1e9)
    rectangles = torch.tensor([[[0, 0], [28, 28]], [[50, 40], [57, 47]]])
    x = covered(photos_of(112), rectangles)
    assert torch.allclose(incremental(x, rectangles), whole(x, rectangles), atol=1e-5)


def test_leaving_out_everything_that_changed_gives_the_photo(sface: FaceModel) -> None:
    photos = photos_of(112)
    incremental, _ = passes(sface, photos, tolerance=1e9)
    rectangles = torch.tensor([[[0, 0], [28, 28]], [[50, 40], [57, 47]]])
    embeddings = incremental(covered(photos, rectangles), rectangles)  # (2,2,D)
    assert torch.allclose(embeddings, incremental.plain[:, None].expand_as(embeddings), atol=1e-6)


def test_the_tolerance_of_the_maps_moves_them_by_less_than_a_thousandth(sface: FaceModel) -> None:
    verifier = Verifier()
    faces = (verifier.portrait(EXAMPLES / name, "sface") for name in ("obama.jpg", "obama2.jpg"))
    crops = [face.tensor() for face in faces]
    (*_, exact), (*_, ours) = (
        Occlusion("fast", view="raw", bfloat16=False, tolerance=tolerance)(
            sface, *crops, threshold=0
        )
        for tolerance in (0.0, Occlusion.tolerance)
    )
    for x, y in ((exact.a, ours.a), (exact.b, ours.b)):
        assert 0 < np.abs(x - y).max() < 1e-3 < 0.02 < np.abs(x).max()
    assert ours.details["operations_saved"] > exact.details["operations_saved"] + 0.03
