"""What every face network of this project offers, whatever is inside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH = 32  # measured: on two cores larger batches leave the cache and are slower
GPU_BATCH = 512


@dataclass(frozen=True, eq=False)
class Chain:
    """A network that is one plain chain: embed(x) = head(layers(scale·x + shift)).

    ``layers`` holds Conv2d, Offset, Residual, ReLU, PReLU, Flatten and Linear only; ``head`` is
    nearly free.
    """

    scale: float
    shift: float
    layers: nn.Sequential
    head: Callable[[Tensor], Tensor] = functional.normalize


class Offset(nn.Module):
    """Adds ``values`` (C,H,W): a layer of a chain that tells one place from another."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(values, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.values


class Residual(nn.Module):
    """x + layers(x), which have the shape of x: a layer of a chain."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


@dataclass(frozen=True, eq=False)
class Regions:
    """A network of N squares that do not see each other: embed(x) holds theirs, one by one.

    Square r of x gives lengths_r · normalise(chain.layers(scale·square + shift)_r @ heads_r). An
    ``Offset`` of the chain holds what is added to each square, so it takes all N at once, in order.

    corners : (N,2) first row and column of each square.    size : their side in pixels.
    heads : (N,L,D/N).    lengths : (N,).
    """

    corners: Tensor
    size: int
    chain: Chain
    heads: Tensor
    lengths: Tensor


class FaceModel(nn.Module):
    """A network from face crops to unit embeddings; preprocessing is inside.

    Attributes
    ----------
    name : registry name, the key of its entry in ``weights.json``.
    input_size : side S of the square crop in pixels.
    embedding_dim : length D of the embedding.
    """

    name: str
    input_size: int
    embedding_dim: int

    def embed(self, x: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,D) float32, L2-normalised."""
        raise NotImplementedError

    def chain(self) -> Chain | None:
        """The network as one chain where it is one, else None; maps are then cheaper."""
        return None

    def regions(self) -> Regions | None:
        """The network as squares of its own where it is that, else None; gradients are cheaper."""
        return None

    def last_maps(self) -> nn.Module | None:
        """The part whose output is the last that still has places, (B,C,h,w); None without one."""
        return None

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is arithmetic there, not emulation."""
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def fast_arithmetic(device: torch.device, *, wanted: bool = True) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where ``wanted`` and native, else a context that changes nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and has_fast_bf16(device))


def batch_size(device: torch.device) -> int:
    """Photos per pass."""
    return BATCH if device.type == "cpu" else GPU_BATCH


def embed_all(model: FaceModel, x: Tensor, *, fast: bool = True) -> Tensor:
    """(N,3,S,S) in [0,1] -> (N,D) float32 on the model's device, in batches, without gradients.

    ``fast`` allows bfloat16; similarities then err by up to 0.003, so verdicts use ``fast=False``.
    """
    device = model.device
    with torch.inference_mode(), fast_arithmetic(device, wanted=fast):
        return torch.cat([model.embed(p.to(device)) for p in x.split(batch_size(device))])
