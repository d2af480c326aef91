"""Step sizes and the optimiser: orthogonalised momentum for matrices, AdamW for the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class Muon(Optimizer):
    """Momentum, orthogonalised by Newton-Schulz steps (Jordan et al. 2024, *Muon*).

    A convolution counts as a matrix (out, in·k·k). An update is scaled by √max(1, rows/columns).
    """

    def __init__(
        self, params: Iterable[nn.Parameter], *, lr: float, momentum: float, weight_decay: float
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                if not state:
                    state["momentum"] = torch.zeros_like(param.grad)
                average = state["momentum"].lerp_(param.grad, 1 - group["momentum"])
                ahead = param.grad.lerp(average, group["momentum"])  # Nesterov
                direction = orthogonalised(ahead.flatten(1)).view_as(param)
                stretch = max(1.0, len(param) / param[0].numel()) ** 0.5
                param.mul_(1 - group["lr"] * group["weight_decay"])
                param.add_(direction, alpha=-group["lr"] * stretch)


def orthogonalised(matrix: Tensor) -> Tensor:
    """The nearest matrix with orthonormal rows (or columns), roughly: singular values near 1."""
    a, b, c = 3.4445, -4.7750, 2.0315  # the quintic that pushes small singular values up fastest
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


def build_optimizers(
    module: nn.Module, *, lr: float, muon_lr: float, weight_decay: float
) -> list[Optimizer]:
    """AdamW for vectors, position vectors and heads; Muon for the 4-D convolution kernels.

    ``muon_lr`` 0 leaves everything to AdamW.
    """
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    kernels = [p for _, p in named if p.dim() == 4 and muon_lr > 0]
    kept = {id(p) for p in kernels}
    rest = [p for _, p in named if id(p) not in kept]
    matrices = [p for p in rest if p.dim() >= 2]
    vectors = [p for p in rest if p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizers: list[Optimizer] = [torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=True)]
    if kernels:
        optimizers.append(Muon(kernels, lr=muon_lr, momentum=0.95, weight_decay=weight_decay))
    return optimizers


def cosine_factor(step: int, *, warmup: int, hold: int, steps: int) -> float:
    """Share of the peak step size: up over ``warmup`` steps, at 1 until ``hold``, a cosine to 0.

    Until ``hold`` the end of the schedule has no influence, so it may still be moved.
    """
    if step < warmup:
        return (step + 1) / warmup
    start = max(warmup, hold)
    return 0.5 * (1 + math.cos(math.pi * max(0, step - start) / max(1, steps - start)))
