"""Occlusion masks: where the patches lie, what they look like, in which order they are tried.

xFace (Knoche et al., arXiv 2211.13735): square or round patches of 7, 14 and 28 px every 5 px of a
112 px face. Faces of another size scale both, so the number of masks is the same for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from torch import Tensor

SIDE = 112  # the face side, in px, that the table below is written for
SHAPES = ("square", "circle")


@dataclass(frozen=True)
class Preset:
    """``patches``: (side, stride) in px of a 112 px face; ``masks``: how many that makes per photo.

    ``blur``: (radius, σ) in px of the closing Gaussian; the paper's is 5x5 with σ 5.
    ``faithful`` keeps the authors' recipe to the letter: a grid that stops short of the last rows
    and columns, weights 1/size², a mean over all masks, and maps scaled to a maximum of 1. Ours
    reach the border, divide by how often a pixel was covered, and weigh sizes by 1/size.
    """

    patches: tuple[tuple[int, int], ...]
    masks: int
    faithful: bool = False
    blur: tuple[int, float] = (2, 5.0)


# ``standard`` mixes sizes: measured with cells of 7, 8 and 10 px, fidelity favours patches as large
# as its cells
PRESETS = {
    "fast": Preset(((21, 13), (11, 11)), 185, blur=(9, 3.0)),
    "standard": Preset(((21, 13), (11, 11), (8, 8)), 381, blur=(9, 3.0)),
    "paper": Preset(((28, 5), (14, 5), (7, 5)), 1130, faithful=True),
    "full": Preset(((28, 5), (14, 5), (7, 5)), 1249),
}
OFFERED = ("fast", "standard", "paper")  # the choices on the page; "full" is what they are held to


@dataclass(frozen=True, eq=False)
class PatchGrid:
    """All positions of one patch on a face of ``side`` px.

    ``starts``: (N,2) first row and column of each patch, coarse to fine; ``footprint``: the patch
    itself, 1 where it covers, with ``margin`` px around it for a soft edge.
    """

    side: int
    size: int
    starts: Tensor
    footprint: Tensor
    margin: int

    def __len__(self) -> int:
        return len(self.starts)

    def masks(self, part: slice) -> Tensor:
        """(n,1,S,S) in [0,1], 1 where covered."""
        canvas = F.pad(self.footprint, [self.side] * 4)
        windows = canvas.unfold(0, self.side, 1).unfold(1, self.side, 1)  # a view: (…,…,S,S)
        rows, columns = (self.side + self.margin - self.starts[part]).T
        return windows[rows, columns][:, None]

    def windows(self, part: slice) -> Tensor:
        """(n,2,2), the first (row, column) that each mask touches, and one past the last."""
        first = self.starts[part] - self.margin
        end = self.starts[part] + self.size + self.margin
        return torch.stack([first, end], dim=1).clamp(0, self.side)

    def spread(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Σ values[…,i] · mask[i] over the first n masks: (…,n) -> (…,S,S)."""
        places = self.side - self.size + 1
        impulses = np.zeros((*values.shape[:-1], places, places))
        rows, columns = self.starts[: values.shape[-1]].T.numpy()
        np.add.at(impulses, (..., rows, columns), values)  # type: ignore[arg-type]
        patch = self.footprint.double().numpy()
        patch = np.expand_dims(patch, tuple(range(values.ndim - 1)))
        sums = fftconvolve(impulses, patch, axes=(-2, -1))  # (…, S + 2 margin, S + 2 margin)
        inner = slice(self.margin, self.margin + self.side)
        return sums[..., inner, inner]


@lru_cache(maxsize=16)
def patch_grids(preset: Preset, side: int, shape: str, edge: float) -> tuple[PatchGrid, ...]:
    """The grids of a preset for a face of ``side`` px; ``edge``: soft border in px at 112 px."""
    scale = side / SIDE
    return tuple(
        _grid(side, max(1, round(size * scale)), starts, shape, edge * scale)
        for size, starts in ((s, _line(s, stride, side, preset)) for s, stride in preset.patches)
    )


def _line(size: int, stride: int, side: int, preset: Preset) -> NDArray[np.int64]:
    """First pixels of the patches along one axis."""
    count = ceil((SIDE - size) / stride)
    if preset.faithful:
        return np.rint(np.arange(count) * stride * side / SIDE).astype(np.int64)
    last = side - max(1, round(size * side / SIDE))
    return np.rint(np.linspace(0, last, count + 1)).astype(np.int64)


def _grid(side: int, size: int, line: NDArray[np.int64], shape: str, edge: float) -> PatchGrid:
    margin = ceil(edge / 2)
    level = np.full(len(line), 2)  # every fourth line first, then every second, then all
    level[::2] = 1
    level[::4] = level[-1] = 0
    order = np.argsort(np.maximum.outer(level, level), axis=None, kind="stable")
    starts = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)[order]
    return PatchGrid(
        side, size, torch.from_numpy(starts), _footprint(size, margin, shape, edge), margin
    )


def _footprint(size: int, margin: int, shape: str, edge: float) -> Tensor:
    """(size + 2 margin)²; an edge of e px falls linearly from 1 to 0 across the outline."""
    offset = torch.arange(size + 2 * margin) - margin - (size - 1) / 2
    y, x = offset[:, None].abs(), offset[None].abs()
    from_centre = torch.maximum(y, x) if shape == "square" else torch.hypot(y, x)
    inside = size / 2 - from_centre  # > 0 inside the outline
    return (inside / edge + 0.5).clamp(0, 1) if edge else (inside > 0).float()
