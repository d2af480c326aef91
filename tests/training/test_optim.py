"""The schedule's corners, and what the orthogonalised step does to a matrix."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from xfv_core.training.optim import Muon, build_optimizers, cosine_factor, orthogonalised


def test_the_step_size_rises_stays_and_falls_to_zero() -> None:
    factors = [cosine_factor(s, warmup=4, hold=6, steps=16) for s in range(17)]
    assert factors[:7] == [0.25, 0.5, 0.75, 1, 1, 1, 1]
    assert factors[11] == pytest.approx(0.5)
    assert factors[16] == 0
    assert all(later < earlier for earlier, later in itertools.pairwise(factors[6:]))


def test_the_end_of_the_schedule_has_no_influence_before_hold() -> None:
    ends = [(6, 16), (9, 30)]
    first, second = (
        [cosine_factor(s, warmup=4, hold=h, steps=n) for s in range(7)] for h, n in ends
    )
    assert first == second


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (12, 12)])
def test_orthogonalised_matrices_keep_directions_and_even_out_strengths(
    shape: tuple[int, int],
) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = orthogonalised(matrix)
    left, before, right = torch.linalg.svd(matrix, full_matrices=False)
    strengths = torch.diagonal(left.T @ result @ right.T)
    assert before.max() / before.min() > 1.7
    assert 0.5 < strengths.min() <= strengths.max() < 1.5


def test_muon_takes_a_step_of_its_length_against_the_gradient() -> None:
    weight = nn.Parameter(torch.zeros(4, 2, 3, 3))
    gradient = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    weight.grad = gradient.clone()
    Muon([weight], lr=0.1, momentum=0.9, weight_decay=0.0).step()
    assert (weight * gradient).sum() < 0
    assert weight.norm().item() == pytest.approx(0.1 * 4**0.5, rel=0.3)  # four unit directions


def test_kernels_go_to_muon_and_everything_else_to_adamw_once() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    adamw, muon = build_optimizers(module, lr=1e-3, muon_lr=0.02, weight_decay=0.1)
    kernels = [p for group in muon.param_groups for p in group["params"]]
    rest = [p for group in adamw.param_groups for p in group["params"]]
    assert [p.shape for p in kernels] == [(4, 3, 3, 3)]
    assert {id(p) for p in kernels + rest} == {id(p) for p in module.parameters()}
    assert all(g["weight_decay"] == 0 for g in adamw.param_groups if g["params"][0].dim() < 2)


def test_muon_step_size_zero_leaves_all_to_adamw() -> None:
    assert len(build_optimizers(nn.Conv2d(3, 4, 3), lr=1e-3, muon_lr=0, weight_decay=0.1)) == 1
