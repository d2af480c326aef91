"""Gradient maps on networks whose gradients are known by hand, and both pullbacks compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from tests.explain.chains import Opaque, Toy, small_network
from xfv_core.explain.base import Maps, smooth
from xfv_core.explain.fast.pullback import (
    AutogradPullback,
    pullback,
)
from xfv_core.explain.fggb import AT_ONCE, FGGB, STREAMED
from xfv_core.explain.xssab import XSSAB
from xfv_core.models import load_model
from xfv_core.models.base import FaceModel

LETTERS = ("fggb", "xssab")


def linear(weight: Tensor, *, open_chain: bool = True) -> Opaque:
    """f = normalise(weight · pixels), no scale and no shift; weight (D, 3·S·S)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = weight
    layers = nn.Sequential(nn.Flatten(), layer)
    toy = Toy(layers) if open_chain else Opaque(layers)
    toy.scale, toy.shift = 1.0, 0.0
    return toy


def two_reds(*, open_chain: bool) -> Opaque:
    """z = the red of the first two pixels of a 2x2 photo."""
    return linear(torch.eye(2, 12), open_chain=open_chain)


def photo(first: float, second: float) -> Tensor:
    x = torch.zeros(3, 2, 2)
    x[0, 0] = torch.tensor([first, second])
    return x


def random_pair(side: int, seed: int) -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed))
    return a, b


def final(method: FGGB | XSSAB, model: FaceModel, a: Tensor, b: Tensor, threshold: float) -> Maps:
    *_, last = method(model, a, b, threshold=threshold)
    return last


def fggb_by_formula(
    weight: NDArray, a: Tensor, b: Tensor, threshold: float, channels: int | None = None
) -> NDArray:
    """S_A of a linear network from the Jacobian written down, float64."""
    z = [weight @ x.numpy().astype(np.float64).ravel() for x in (a, b)]
    f, other = (v / np.linalg.norm(v) for v in z)
    jacobian = (np.eye(len(f)) - np.outer(f, f)) @ weight / np.linalg.norm(z[0])
    g = np.abs(jacobian.reshape(len(f), *a.shape)).mean(1)
    unit = g / np.sqrt((g**2).sum((1, 2), keepdims=True))
    w = f * other - threshold / len(f)
    used = np.argsort(-np.abs(w))[:channels]
    return (unit[used] * w[used, None, None]).sum(0)


# ------------------------------------------------------------------------------- FGGB, by hand


@pytest.mark.parametrize("open_chain", [True, False])
def test_fggb_of_two_pixels_is_what_the_formula_gives_by_hand(open_chain: bool) -> None:
    # f(A) = (.6, .8), so (I - f fᵀ) has rows (.64, -.48) and (-.48, .36): both ĝ are (.8, .6).
    # w = (.6, 0), θ/D = .05, Σ = .5. At B = (1, 0) only channel 2 moves, and it weighs -.05.
    maps = final(FGGB(), two_reds(open_chain=open_chain), photo(0.6, 0.8), photo(1, 0), 0.1)
    assert np.allclose(maps.a, [[0.4, 0.3], [0, 0]], atol=1e-6)
    assert np.allclose(maps.b, [[0, -0.05], [0, 0]], atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(-0.9, 0.9), st.integers(2, 20))
def test_fggb_of_a_linear_network_has_the_closed_form(seed: int, theta: float, dim: int) -> None:
    a, b = random_pair(4, seed)
    weight = torch.randn(dim, 48, generator=torch.Generator().manual_seed(seed + 1))
    maps = final(FGGB(), linear(weight), a, b, theta)
    w = weight.double().numpy()
    assert np.allclose(maps.a, fggb_by_formula(w, a, b, theta), atol=2e-5)
    assert np.allclose(maps.b, fggb_by_formula(w, b, a, theta), atol=2e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(-1, 1))
def test_the_channel_weights_of_fggb_add_up_to_the_margin(seed: int, theta: float) -> None:
    # A network of global means moves alike with every pixel: ĝ is 1/S everywhere, S_A = (s - θ)/S.
    a, b = random_pair(5, seed)
    columns = torch.randn(7, 3, generator=torch.Generator().manual_seed(seed))
    model = linear(columns.repeat_interleave(25, dim=1))
    s = float(model.embed(a[None])[0] @ model.embed(b[None])[0])
    maps = final(FGGB(), model, a, b, theta)
    assert np.allclose(maps.a * 5, s - theta, atol=1e-4)
    assert np.allclose(maps.b * 5, s - theta, atol=1e-4)


def test_the_threshold_is_spread_over_the_channels_so_both_signs_appear() -> None:
    # Each channel looks at one pixel; A and B agree on the first four and differ on the last four.
    weight = torch.zeros(8, 48)
    weight[torch.arange(8), torch.arange(8)] = 1
    a, b = torch.zeros(2, 3, 4, 4)
    a[0].flatten()[:8] = torch.tensor([1.0, 1, 1, 1, 0.9, 0.9, 0, 0])
    b[0].flatten()[:8] = torch.tensor([1.0, 1, 1, 1, 0, 0, 0.9, 0.9])
    maps = final(FGGB(), linear(weight), a, b, 0.5)  # s = 0.71: accepted, and yet
    assert (maps.a.flatten()[:4] > 0).all() and (maps.b.flatten()[:4] > 0).all()
    assert (maps.a.flatten()[4:8] < 0).any() and (maps.b.flatten()[4:8] < 0).any()


def test_a_network_that_ignores_the_photo_gives_a_map_of_zeros() -> None:
    layer = nn.Linear(12, 3)
    layer.weight.data.zero_()
    for method in (FGGB(), XSSAB()):
        maps = final(method, Toy(nn.Sequential(nn.Flatten(), layer)), *random_pair(2, 0), 0.2)
        assert not maps.a.any() and not maps.b.any()


# ---------------------------------------------------------------------------------- FGGB, streamed


def test_fggb_streams_the_weightiest_channels_first() -> None:
    dim = 2 * AT_ONCE + 3
    weight = torch.randn(dim, 48, generator=torch.Generator().manual_seed(3))
    a, b = random_pair(4, 3)
    reported: list[float] = []
    stream = list(FGGB()(linear(weight), a, b, threshold=0.3, steps=reported.append))
    counts = [AT_ONCE, 2 * AT_ONCE, dim]
    assert [maps.details["channels"] for maps in stream] == counts
    assert reported == [maps.progress for maps in stream] == [n / dim for n in counts]
    assert [maps.cost.passes for maps in stream] == [2 + 2 * n for n in counts]
    for maps, n in zip(stream, counts, strict=True):
        expected = fggb_by_formula(weight.double().numpy(), a, b, 0.3, channels=n)
        assert np.allclose(maps.a, expected, atol=2e-5)


def test_many_channels_do_not_make_many_maps() -> None:
    dim = 2 * STREAMED * AT_ONCE
    weight = torch.randn(dim, 48, generator=torch.Generator().manual_seed(3))
    reported: list[float] = []
    *early, last = FGGB()(linear(weight), *random_pair(4, 3), threshold=0.3, steps=reported.append)
    assert len(early) + 1 == STREAMED and len(reported) == dim / AT_ONCE
    assert early[0].progress == 1 / STREAMED and last.progress == 1
    assert last.cost.passes == 2 + 2 * dim


def test_steps_can_stop_the_work() -> None:
    class StopError(Exception):
        pass

    def stop(_: float) -> None:
        raise StopError

    for method in (FGGB(), XSSAB()):
        with pytest.raises(StopError):
            next(method(two_reds(open_chain=True), *random_pair(2, 1), threshold=0, steps=stop))


# ------------------------------------------------------------------------------------------ xSSAB


@pytest.mark.parametrize("open_chain", [True, False])
def test_xssab_of_two_pixels_is_what_the_formula_gives_by_hand(open_chain: bool) -> None:
    # At A: w⁺ = (1, 0), w⁻ = 0, and ∂f_1/∂A = (.64, -.48), a third of it per colour.
    # At B: w⁺ = (.6, 0), w⁻ = (0, .8), and only f_2 moves: ∂f_2/∂B = (0, 1).
    maps = final(XSSAB(), two_reds(open_chain=open_chain), photo(0.6, 0.8), photo(1, 0), 0.1)
    assert np.allclose(maps.a, [[0.64 / 3, 0.48 / 3], [0, 0]], atol=1e-6)
    assert np.allclose(maps.b, [[0, -0.8 / 3], [0, 0]], atol=1e-6)


# ------------------------------------------------------------------------------------- both methods


@pytest.mark.parametrize("method", [FGGB(), XSSAB()], ids=LETTERS)
def test_swapping_the_photos_swaps_the_maps(method: FGGB | XSSAB) -> None:
    model, (a, b) = small_network(seed=4), random_pair(9, 4)
    there, back = final(method, model, a, b, 0.2), final(method, model, b, a, 0.2)
    assert there.a.any() and not np.array_equal(there.a, there.b)
    assert np.array_equal(there.a, back.b) and np.array_equal(there.b, back.a)


@pytest.mark.parametrize("open_chain", [True, False])
@pytest.mark.parametrize("method", [FGGB(), XSSAB()], ids=LETTERS)
def test_neither_autocast_nor_inference_mode_around_it_changes_a_map(
    method: FGGB | XSSAB, open_chain: bool
) -> None:
    model, (a, b) = small_network(seed=5, open_chain=open_chain), random_pair(9, 5)
    plain = final(method, model, a, b, 0.2)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        wrapped = final(method, model, a.clone(), b.clone(), 0.2)
    assert plain.a.any() and np.array_equal(plain.a, wrapped.a)


# -------------------------------------------------------------------------------------- pullbacks


def test_smoothing_is_the_25_by_25_gaussian_of_sigma_5() -> None:
    impulse = np.zeros((112, 112), np.float32)
    impulse[60, 50] = 1
    line = np.exp(-(np.arange(-12, 13) ** 2) / 50)
    kernel = np.outer(line, line) / line.sum() ** 2
    shown = smooth(impulse)
    assert np.allclose(shown[48:73, 38:63], kernel, atol=1e-7)
    assert np.count_nonzero(shown) == 25 * 25


def test_smoothing_scales_with_the_map() -> None:
    small, large = np.zeros((112, 112), np.float32), np.zeros((224, 224), np.float32)
    small[40:60, 40:60], large[80:120, 80:120] = 1, 1
    halved = smooth(large).reshape(112, 2, 112, 2).mean((1, 3))
    assert np.abs(halved - smooth(small)).max() < 0.01


@given(st.floats(-10, 10, width=32), st.integers(8, 60))
@settings(max_examples=20, deadline=None)
def test_smoothing_leaves_a_flat_map_flat(value: float, side: int) -> None:
    flat = np.full((side, side), value, np.float32)
    assert np.allclose(smooth(flat), flat, rtol=1e-5)


# --------------------------------------------------------------------------------- the real network


@pytest.fixture(scope="module")
def sface() -> FaceModel:
    return load_model("sface")


@pytest.fixture(scope="module")
def face(examples: Path) -> Tensor:
    """The head of an official portrait, cut by hand: where exactly does not matter here."""
    with Image.open(examples / "obama.jpg") as image:
        side = min(image.size)
        left = (image.width - side) // 2
        crop = image.convert("RGB").crop((left, 0, left + side, side)).resize((112, 112))
    return torch.from_numpy(np.array(crop)).permute(2, 0, 1).float() / 255


def test_sface_embeds_as_the_chain_it_claims_to_be(sface: FaceModel, face: Tensor) -> None:
    chain = sface.chain()
    assert chain is not None
    with torch.no_grad():
        z = chain.layers(face[None] * chain.scale + chain.shift)
        assert torch.allclose(nn.functional.normalize(z), sface.embed(face[None]), atol=1e-5)


@pytest.mark.parametrize("name", ["sface", "rrf56", "rrf28", "full112", "ecnet"])
def test_the_jacobian_of_a_shipped_chain_equals_autograd(name: str, face: Tensor) -> None:
    model = load_model(name)
    assert model.chain() is not None
    v = torch.eye(model.embedding_dim)[:8]
    fast, taped = pullback(model, face, 8)(v), AutogradPullback(model, face, 8)(v)
    assert float((fast - taped).abs().max() / taped.abs().max()) < 1e-5


@pytest.mark.slow
def test_an_identical_pair_has_next_to_nothing_dissimilar(sface: FaceModel, face: Tensor) -> None:
    maps = final(FGGB(), sface, face, face, threshold=0.3)
    assert np.array_equal(maps.a, maps.b)
    assert -maps.a[maps.a < 0].sum() <= 0.05 * np.abs(maps.a).sum()
