"""Loss terms against figures worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from xfv_core.training.losses import (
    MarginSoftmax,
    cosine_distillation,
    similarity_distillation,
)

AXES = torch.eye(2)


def test_cosine_distillation_is_one_minus_the_mean_cosine() -> None:
    targets = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    assert cosine_distillation(AXES, targets) == pytest.approx(1 - (1 + 0.8) / 2)


def test_similarity_distillation_compares_pairs_and_ignores_rotations() -> None:
    targets = torch.tensor([[1.0, 0.0], [0.6, 0.8]])  # similarity 0.6, ours 0
    assert similarity_distillation(AXES, targets) == pytest.approx(0.36)
    turned = targets @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    assert similarity_distillation(turned, targets) == pytest.approx(0, abs=1e-6)


def test_margin_softmax_is_the_formula() -> None:
    head = MarginSoftmax(2, 2, scale=4.0, margin=0.25)
    head.centres.data = 3 * AXES
    loss = head(torch.tensor([[0.6, 0.8]]), torch.tensor([1]))
    own, other = math.exp(4 * (0.8 - 0.25)), math.exp(4 * 0.6)
    assert loss.item() == pytest.approx(-math.log(own / (own + other)), rel=1e-5)


def test_margin_softmax_ignores_photos_without_identity() -> None:
    head = MarginSoftmax(2, 2, scale=4.0, margin=0.25)
    both = torch.tensor([[0.6, 0.8], [1.0, 0.0]], requires_grad=True)
    loss = head(both, torch.tensor([1, -1]))
    assert loss.item() == pytest.approx(head(both[:1], torch.tensor([1])).item())
    loss.backward()
    assert both.grad is not None
    assert both.grad[1].abs().max() == 0
    assert head(both, torch.tensor([-1, -1])).item() == 0
