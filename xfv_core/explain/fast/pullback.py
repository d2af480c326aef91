"""The pullback of a face network at one photo: many cotangents v in, the gradients ∂(v·f)/∂x out.

One forward pass is kept; after it, every cotangent costs one backward pass and nothing else. With
f = z/|z| the normalisation is part of f: v goes on to z as (v - (v·f) f)/|z|.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import singledispatch
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from xfv_core.models.base import (
    BATCH,
    Chain,
    Chained,
    FaceModel,
    HasRegions,
    Offset,
    Regions,
    Residual,
    fast_arithmetic,
)

# Numbers in one intermediate gradient. More fall out of the CPU's cache, fewer starve its cores.
WORKING_SET = {"cpu": 1_600_000, "cuda": 1 << 28}
COPIES = {"cpu": 8, "cuda": 16}  # the same, for networks whose inside is not known

# gradients (K,…) by a layer's output, and which photos (or squares) they are of -> by its input
_Vjp = Callable[[Tensor, "Tensor | slice"], Tensor]


class Pullback(Protocol):
    """Gradients of one photo's embedding; ``embedding`` is f, (D,) float32."""

    embedding: Tensor

    def __call__(self, cotangents: Tensor) -> Tensor:
        """(K,D) -> (K,3,S,S) float32, row k is ∂(v_k·f)/∂x with x in [0,1]."""
        ...


def pullback(model: FaceModel, x: Tensor, rows: int) -> Pullback:
    """The pullback at the photo ``x`` (3,S,S) in [0,1]; ``rows``: cotangents in a typical call."""
    x = x.detach().to(model.device)
    if isinstance(model, HasRegions):
        return RegionPullback(model.regions(), x)
    if isinstance(model, Chained) and (chain := model.chain()).head is F.normalize:
        return ChainPullback(chain, x)
    return AutogradPullback(model, x, rows)


def channel_margins(photos: Sequence[Pullback], threshold: float) -> Tensor:
    """w_k - θ/D with w_k = f(A)_k f(B)_k, (D,): its sum is s - θ."""
    product = photos[0].embedding * photos[1].embedding
    return product - threshold / len(product)


def per_pixel(gradients: Tensor) -> Tensor:
    """(K,3,S,S) -> (K,S,S): mean over RGB of the magnitudes."""
    return gradients.abs().mean(1)


class AutogradPullback:
    """For any network: a few copies of the photo as one batch, each carries its own cotangent.

    The rows of a batch do not see each other (no training-time statistics), so one backward pass
    gives as many rows of the Jacobian as there are copies.
    """

    def __init__(self, model: FaceModel, x: Tensor, rows: int) -> None:
        self._copies = min(rows, COPIES.get(x.device.type, 1))
        with _full_precision(x.device), torch.inference_mode(False), torch.enable_grad():
            copies = x.repeat(self._copies, 1, 1, 1)  # (C,3,S,S)
            self._x = copies.contiguous(memory_format=torch.channels_last).requires_grad_()
            self._f = model.embed(self._x)  # (C,D)
        self.embedding = self._f[0].detach()

    def __call__(self, cotangents: Tensor) -> Tensor:
        with _full_precision(self._x.device), torch.inference_mode(False):
            return torch.cat([self._back(part) for part in cotangents.split(self._copies)])

    def _back(self, part: Tensor) -> Tensor:
        """(k,D) with k <= C -> (k,3,S,S)."""
        seeds = F.pad(part, (0, 0, 0, self._copies - len(part)))  # (C,D)
        (gradients,) = torch.autograd.grad(self._f, self._x, seeds, retain_graph=True)
        return gradients[: len(part)]


class ChainPullback:
    """For a plain chain of layers that ends in a normalisation: its backward pass written out.

    Every cotangent shares the activation masks of the one forward pass.
    """

    def __init__(self, chain: Chain, x: Tensor) -> None:
        with _full_precision(x.device), torch.no_grad():
            self._back = _Backward(chain, x[None])
            self._length = self._back.out[0].norm()
            self.embedding = self._back.out[0] / self._length

    def __call__(self, cotangents: Tensor) -> Tensor:
        f = self.embedding
        with _full_precision(f.device), torch.no_grad():
            along = torch.outer(cotangents @ f, f)  # (K,D)
            return self._back((cotangents - along) / self._length)


class RegionPullback:
    """For regions that do not see each other: back through those alone that a cotangent asks for.

    One channel is one square's, and a square is a tenth of the work of a face or less.
    """

    def __init__(self, regions: Regions, x: Tensor) -> None:
        self._side, self._heads = x.shape[-1], regions.heads
        self._boxes = [
            (..., slice(top, top + regions.size), slice(left, left + regions.size))
            for top, left in regions.corners.tolist()
        ]
        with _full_precision(x.device), torch.no_grad():
            squares = torch.stack([x[box] for box in self._boxes])  # (N,3,P,P)
            self._back = _Backward(regions.chain, squares)
            z = torch.einsum("nl,nld->nd", self._back.out, self._heads)
            norm = z.norm(dim=1, keepdim=True)
            self._unit, self._scale = z / norm, regions.lengths[:, None] / norm  # (N,D/N), (N,1)
            self.embedding = (self._unit * regions.lengths[:, None]).flatten()

    def __call__(self, cotangents: Tensor) -> Tensor:
        device = self._unit.device
        with _full_precision(device), torch.no_grad():
            parts = cotangents.unflatten(1, self._unit.shape)  # (K,N,D/N)
            gradients = torch.zeros(len(parts), 3, self._side, self._side, device=device)
            for asked in parts.any(-1).nonzero().split(BATCH):
                row, which = asked.T
                v, f = parts[row, which], self._unit[which]  # (k,D/N)
                across = (v - (v * f).sum(1, keepdim=True) * f) * self._scale[which]
                by_features = torch.einsum("kd,kld->kl", across, self._heads[which])
                back = self._back(by_features, which)  # (k,3,P,P)
                for k, square, gradient in zip(row.tolist(), which.tolist(), back, strict=True):
                    gradients[k][self._boxes[square]] += gradient
        return gradients


class _Backward:
    """Gradients by the output of a chain's layers, (K,L), to those by its photos.

    ``out`` (B,L): the output for the B photos. The batch is split where the gradients outgrow the
    cache: few rows where they are large, many where small.
    """

    def __init__(self, chain: Chain, x: Tensor) -> None:
        self._scale, self._limit = chain.scale, WORKING_SET.get(x.device.type, 1 << 28)
        h = (x * chain.scale + chain.shift).contiguous(memory_format=torch.channels_last)
        self._vjps, self.out = _vjps(chain.layers, h)

    def __call__(self, g: Tensor, which: Tensor | None = None) -> Tensor:
        """``which`` (K,): the photo of each row; not needed where there is one. Overwrites g."""
        return self._through(g, which, len(self._vjps)) * self._scale

    def _through(self, g: Tensor, which: Tensor | None, depth: int) -> Tensor:
        """Through the first ``depth`` layers, last to first."""
        rows = slice(None) if which is None else which
        while depth and (g.numel() <= self._limit or len(g) == 1):
            depth -= 1
            g = self._vjps[depth](g, rows)
        if not depth:
            return g
        halves = [None, None] if which is None else which.chunk(2)
        return torch.cat(
            [self._through(*half, depth) for half in zip(g.chunk(2), halves, strict=True)]
        )


def _vjps(layers: nn.Sequential, h: Tensor) -> tuple[list[_Vjp], Tensor]:
    """Of every layer, first to last, and the output of the last."""
    vjps: list[_Vjp] = []
    for layer in layers:
        y = layer(h)
        vjps.append(_vjp(layer, h, y))
        h = y
    return vjps, h


@singledispatch
def _vjp(layer: nn.Module, x: Tensor, y: Tensor) -> _Vjp:
    """What takes gradients by the layer's output ``y`` to gradients by its input ``x``."""
    raise TypeError(f"A chain cannot hold {layer}: its backward pass is not written out.")


@_vjp.register
def _(layer: nn.Conv2d, x: Tensor, y: Tensor) -> _Vjp:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise TypeError(f"A chain cannot hold {layer}: only zero padding in numbers is known.")
    kernel, stride, padding, dilation = (
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
    )
    reached = [
        (out - 1) * s - 2 * p + d * (k - 1) + 1
        for out, k, s, p, d in zip(y.shape[2:], kernel, stride, padding, dilation, strict=True)
    ]
    beyond = [size - end for size, end in zip(x.shape[2:], reached, strict=True)]
    return lambda g, which: F.conv_transpose2d(
        g, layer.weight, None, stride, padding, beyond, layer.groups, dilation
    )


@_vjp.register(nn.PReLU)
@_vjp.register(nn.ReLU)
def _(layer: nn.PReLU | nn.ReLU, x: Tensor, y: Tensor) -> _Vjp:
    below = layer.weight if isinstance(layer, nn.PReLU) else x.new_zeros(1)
    slope = torch.where(x > 0, 1.0, below.view(-1, *[1] * (x.dim() - 2)))
    return lambda g, which: g.mul_(slope[which])


@_vjp.register
def _(layer: Offset, x: Tensor, y: Tensor) -> _Vjp:
    return lambda g, which: g


@_vjp.register
def _(layer: Residual, x: Tensor, y: Tensor) -> _Vjp:
    vjps, _ = _vjps(layer.layers, x)

    def back(g: Tensor, which: Tensor | slice) -> Tensor:
        inner = g.clone()  # may be overwritten
        for vjp in reversed(vjps):
            inner = vjp(inner, which)
        return inner + g

    return back


@_vjp.register
def _(layer: nn.Linear, x: Tensor, y: Tensor) -> _Vjp:
    return lambda g, which: g @ layer.weight


@_vjp.register
def _(layer: nn.Flatten, x: Tensor, y: Tensor) -> _Vjp:
    return lambda g, which: g.view(-1, *x.shape[1:]).contiguous(memory_format=torch.channels_last)


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """float32 throughout: no autocast, and on a GPU no TF32 in the convolutions."""
    with fast_arithmetic(device, wanted=False):
        if device.type != "cuda":
            yield
            return
        with WITHOUT_TF32:
            yield


class _WithoutTF32:
    """No TF32 in the convolutions while anybody is inside.

    The switch is one for the process: it stays off until the last of several threads has left,
    and is then as it was before the first came.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, True

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = torch.backends.cudnn.allow_tf32
                torch.backends.cudnn.allow_tf32 = False
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                torch.backends.cudnn.allow_tf32 = self._before


WITHOUT_TF32 = _WithoutTF32()
