"""Incremental inference: a photo covered at one place costs only what that place can reach.

Nakandala, Kumar, Papakonstantinou, "Incremental and Approximate Inference for Faster
Occlusion-based Deep CNN Explanations", SIGMOD 2019. One pass over the uncovered photos is kept;
a covered one differs from it in a rectangle, and only that is computed. It is exact. A convolution
of kernel k, stride s, padding p and dilation d widens [first, end) to

    [⌈(first + p - d (k - 1)) / s⌉, ⌊(end - 1 + p) / s⌋ + 1)  within the map

so patches near the border cost least. Ours differs from the paper's in that only the convolutions
that look around read windows of one size (with their halo, from the kept activations); pointwise
ones and activations, nearly all of the work, see the changed cells as rows and nothing else.

Much of a rectangle, above all its corners, hardly differs from the photo. With a ``tolerance`` wide
pointwise convolutions leave out the cells that differ by less than that share of a mean cell's
length, and take the photo's in their place. This is an approximation; 0 is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import singledispatch
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from xfv_core.explain.fast.windows import Changed, Kept, Rectangles, cut
from xfv_core.models.base import (
    Chain,
    Chained,
    FaceEmbedder,
    Offset,
    Residual,
    embed_all,
    has_fast_bf16,
)

_Step = Callable[[Changed], Changed]
# weights from which leaving out a cell saves more than asking whether to; measured
WIDE = 512 * 512


class CoveredEmbedder(Protocol):
    """Embeds covered copies of P photos. ``plain``: (P,D) float32, the photos as they are."""

    plain: Tensor

    def __call__(self, x: Tensor, windows: Tensor) -> Tensor:
        """(P,n,3,S,S) in [0,1] -> (P,n,D) float32, without gradients.

        ``windows``: (n,2,2), where copies n may differ from their photos: the first (row, column),
        and one past the last.
        """
        ...

    def saved(self, passes: int) -> float:
        """Which share of the multiply-adds of so many whole passes was not needed so far."""
        ...


def covered_embedder(
    model: FaceEmbedder, photos: Tensor, *, fast: bool, tolerance: float = 0.0
) -> CoveredEmbedder:
    """For ``photos`` (P,3,S,S) in [0,1]; ``fast`` allows bfloat16, as in ``embed_all``.

    ``tolerance``: of chains, see the top of this file. On a GPU whole passes: the walk is made
    of many small kernels.
    """
    if isinstance(model, Chained) and photos.device.type != "cuda":
        return Incremental(model.chain(), photos, fast, tolerance)
    return WholePasses(model, photos, fast)


class WholePasses:
    """For any network."""

    def __init__(self, model: FaceEmbedder, photos: Tensor, fast: bool) -> None:
        self._model, self._fast = model, fast
        self.plain = embed_all(model, photos, fast=fast)

    def __call__(self, x: Tensor, windows: Tensor) -> Tensor:
        return embed_all(self._model, x.flatten(0, 1), fast=self._fast).unflatten(0, x.shape[:2])

    def saved(self, passes: int) -> float:
        return 0.0


class Incremental:
    """For a plain chain of layers, see the top of this file.

    ``done``: multiply-adds so far, layer by layer, those of the uncovered photos included;
    ``whole``: of one pass.
    """

    def __init__(self, chain: Chain, photos: Tensor, fast: bool, tolerance: float) -> None:
        bfloat16 = fast and has_fast_bf16(photos.device)
        self._dtype = torch.bfloat16 if bfloat16 else torch.float32
        self._scale, self._shift = chain.scale, chain.shift
        layers = deepcopy(chain.layers).to(self._dtype) if bfloat16 else chain.layers
        self._steps: list[_Step] = []
        self.done: list[int] = []
        self.whole: list[int] = []
        with torch.inference_mode():
            h = self._input(photos).contiguous(memory_format=torch.channels_last)
            for layer in layers:
                out = layer(h)
                self._steps.append(_step(layer, h, out, tolerance))
                self.whole.append(_operations(layer, h, out))
                self.done.append(self.whole[-1] * len(photos))
                h = out
            self._head = chain.head
            self.plain = self._head(h.float())

    def __call__(self, x: Tensor, windows: Tensor) -> Tensor:
        (photos, n), windows = x.shape[:2], windows.to(x.device)
        first, end = windows.repeat(photos, 1, 1).unbind(1)  # (m,2) each, m = P·n
        height, width = (end - first).amax(0).tolist()
        where = Rectangles(first, end, (height, width))
        photo = torch.arange(photos, device=x.device).repeat_interleave(n)  # (m,)
        with torch.inference_mode():
            inside = where.contains(torch.zeros_like(first), x.shape[-2:])  # (m,S,S)
            pixels = x.flatten(0, 1).movedim(1, -1)[inside]  # (R,3)
            changed = Changed(self._input(pixels), where, photo)
            for i, step in enumerate(self._steps):
                changed = step(changed)
                self.done[i] += changed.operations
            return self._head(changed.rows.float()).unflatten(0, (photos, n))

    def saved(self, passes: int) -> float:
        return 1 - sum(self.done) / (passes * sum(self.whole))

    def _input(self, x: Tensor) -> Tensor:
        return (x * self._scale + self._shift).to(self._dtype)


def _operations(layer: nn.Module, x: Tensor, y: Tensor) -> int:
    """Multiply-adds for one whole photo."""
    if isinstance(layer, Residual):
        inner = 0
        for part in layer.layers:
            out = part(x)
            inner, x = inner + _operations(part, x, out), out
        return inner
    weights = layer.weight.numel() if isinstance(layer, nn.Conv2d | nn.Linear) else 0
    return weights * y[0, 0].numel()


@singledispatch
def _step(layer: nn.Module, x: Tensor, y: Tensor, tolerance: float) -> _Step:
    """What takes changed cells of the layer's input to those of its output.

    ``x``, ``y``: input and output for the uncovered photos.
    """
    raise TypeError(f"A chain cannot hold {layer}: how far a change reaches is not written out.")


@_step.register(nn.PReLU)
@_step.register(nn.ReLU)
def _(layer: nn.PReLU | nn.ReLU, x: Tensor, y: Tensor, tolerance: float) -> _Step:
    return lambda changed: changed.then(layer(changed.rows))


@_step.register
def _(layer: nn.Linear, x: Tensor, y: Tensor, tolerance: float) -> _Step:
    return _rows_alone(layer.weight, layer.bias)


@_step.register
def _(layer: Offset, x: Tensor, y: Tensor, tolerance: float) -> _Step:
    kept = Kept.of(layer.values[None])

    def add(changed: Changed) -> Changed:
        cells = changed.cells(kept, torch.zeros_like(changed.photo))  # alike for all photos
        return changed.plus(kept.rows.index_select(0, cells))

    return add


@_step.register
def _(layer: Residual, x: Tensor, y: Tensor, tolerance: float) -> _Step:
    kept, steps = Kept.of(x), list[_Step]()
    for part in layer.layers:
        out = part(x)
        steps.append(_step(part, x, out, 0.0))  # exact: what is left out is no sum's cell
        x = out

    def add(changed: Changed) -> Changed:
        after, operations = changed, 0
        for step in steps:
            after = step(after)
            operations += after.operations
        return after.plus(changed.grown(after.where, kept), operations)

    return add


@_step.register
def _(layer: nn.Flatten, x: Tensor, y: Tensor, tolerance: float) -> _Step:
    kept = Kept.of(x)

    def flatten(changed: Changed) -> Changed:
        corner = torch.zeros_like(changed.where.first)
        return changed.then(layer(changed.windows(kept, corner, kept.side)))

    return flatten


@_step.register
def _(layer: nn.Conv2d, x: Tensor, y: Tensor, tolerance: float) -> _Step:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise TypeError(f"A chain cannot hold {layer}: only zero padding in numbers is known.")
    weight, bias, groups = layer.weight, layer.bias, layer.groups
    if (layer.kernel_size, layer.stride, layer.padding, groups) == ((1, 1), (1, 1), (0, 0), 1):
        return _pointwise(weight.flatten(1), bias, x, tolerance)
    kept, out = Kept.of(x), (y.shape[2], y.shape[3])
    stride, padding, dilation = layer.stride, layer.padding, layer.dilation
    halo = [d * (k - 1) for d, k in zip(dilation, layer.kernel_size, strict=True)]

    def convolve(changed: Changed) -> Changed:
        where = changed.where.reached(stride, padding, halo, out)
        corner = where.corner(out)
        size = [(n - 1) * s + h + 1 for n, s, h in zip(where.size, stride, halo, strict=True)]
        step, before = (corner.new_tensor(v) for v in (stride, padding))
        windows = changed.windows(kept, corner * step - before, size)
        maps = F.conv2d(windows, weight, bias, stride, 0, dilation, groups)
        operations = maps[:, 0].numel() * weight.numel()
        return replace(cut(maps, corner, where, changed.photo), operations=operations)

    return convolve


def _pointwise(weight: Tensor, bias: Tensor | None, x: Tensor, tolerance: float) -> _Step:
    """A 1x1 convolution of every cell alone, but those that hardly differ."""
    every = _rows_alone(weight, bias)
    if not tolerance or weight.numel() < WIDE:
        return every
    kept = Kept.of(x)
    least = tolerance * float(x.float().norm(dim=1).mean())
    return lambda changed: every(
        changed.without_unchanged(kept, least) if changed.row is None else changed
    )


def _rows_alone(weight: Tensor, bias: Tensor | None) -> _Step:
    """A linear layer on every row."""

    def linear(changed: Changed) -> Changed:
        rows = F.linear(changed.rows, weight, bias)
        return changed.then(rows, len(rows) * weight.numel())

    return linear
