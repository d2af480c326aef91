"""Cotangents pulled back to pixels: by autograd, layer by layer, through regions alone."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.explain.chains import REFUSED, Toy, networks, small_network
from tests.explain.test_gradient import random_pair
from tests.models.test_rrf import TOY_56, awake
from xfv_core.explain.fast.pullback import (
    WORKING_SET,
    AutogradPullback,
    ChainPullback,
    RegionPullback,
    pullback,
)
from xfv_core.models.rrf import RegionNet


@settings(max_examples=60, deadline=None)
@given(networks(), st.integers(1, 9), st.sampled_from([40, 400, 10**6]), st.integers(0, 10**6))
def test_the_written_out_backward_pass_equals_autograd(
    network: tuple[nn.Sequential, int], rows: int, working_set: int, seed: int
) -> None:
    layers, side = network
    x, _ = random_pair(side, seed)
    generator = torch.Generator().manual_seed(seed)
    model = Toy(layers)
    with patch.dict(WORKING_SET, cpu=working_set):
        written = pullback(model, x, rows)
    taped = AutogradPullback(model, x, rows)
    v = torch.randn(rows, len(taped.embedding), generator=generator)
    expected = taped(v)
    assert isinstance(written, ChainPullback)
    assert torch.allclose(written.embedding, taped.embedding, atol=1e-5)
    assert written(v).shape == expected.shape == (rows, 3, side, side)
    assert torch.allclose(written(v), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 11])
def test_autograd_rows_are_those_of_a_plain_loop(rows: int) -> None:
    model, (x, _) = small_network(6, open_chain=False), random_pair(9, 6)
    v = torch.randn(rows, 6, generator=torch.Generator().manual_seed(6))
    leaf = x[None].clone().requires_grad_()
    f = model.embed(leaf)[0]
    loop = [torch.autograd.grad(row @ f, leaf, retain_graph=True)[0] for row in v]
    assert torch.allclose(pullback(model, x, rows)(v), torch.cat(loop), atol=1e-6)


@pytest.mark.parametrize("wrapped", [False, True])
def test_regions_go_back_through_their_own_squares_alone(wrapped: bool) -> None:
    model = awake(RegionNet(TOY_56)).folded()
    x = torch.rand(3, 112, 112, generator=torch.Generator().manual_seed(8))
    one, dense = torch.eye(model.embedding_dim)[[0, 9, 200]], torch.randn(2, model.embedding_dim)
    with torch.inference_mode(wrapped):
        own, taped = pullback(model, x, 3), AutogradPullback(model, x, 3)
        assert isinstance(own, RegionPullback)
        assert torch.allclose(own.embedding, taped.embedding, atol=1e-6)
        for v in (one, dense):
            expected = taped(v)
            assert torch.allclose(own(v), expected, atol=1e-5 * float(expected.abs().max()))
        top, left = 8 * np.array(divmod(200 // 6, 8))  # 6 numbers a region, every 8 px, 8 a row
        elsewhere = torch.ones(112, 112, dtype=torch.bool)
        elsewhere[top : top + 56, left : left + 56] = False
        gradient = own(one)[2]
        assert gradient.any() and not gradient[:, elsewhere].any()
    assert not own(torch.zeros(1, model.embedding_dim)).any()


def test_a_pullback_leaves_its_cotangents_and_the_weights_alone() -> None:
    model, (x, _) = small_network(7), random_pair(9, 7)
    before = [p.clone() for p in model.parameters()]
    cotangents = torch.eye(6)
    photo_gradients = pullback(model, x, 6)
    first, second = photo_gradients(cotangents), photo_gradients(cotangents)
    assert torch.equal(first, second) and torch.equal(cotangents, torch.eye(6))
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize("layer", REFUSED)
def test_a_layer_without_a_written_backward_pass_is_refused(layer: nn.Module) -> None:
    model = Toy(nn.Sequential(layer, nn.Flatten()))
    with pytest.raises(TypeError, match="A chain cannot hold"):
        pullback(model, torch.rand(3, 4, 4), 1)


# ------------------------------------------------------------------------------------ smoothing
