"""Where photos that were changed at one place differ from what they were, layer by layer.

Outside a rectangle the activations of a changed photo are those of the photo itself, which are
kept. Inside, they are held as rows of channels, one per cell, all photos one below the other:
rectangles of all sizes fill one matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

# On a CPU, bfloat16 products are compiled for every new number of rows (0.8 ms): allow few numbers.
ROWS = 64


@dataclass(frozen=True, eq=False)
class Kept:
    """Activations of P photos as ``rows``, (1 + P·H·W, C): zeros, then every cell of the maps."""

    rows: Tensor
    side: tuple[int, int]

    @classmethod
    def of(cls, maps: Tensor) -> Kept:
        """From (P,C,H,W)."""
        rows = maps.movedim(1, -1).flatten(0, 2)  # (P·H·W, C)
        return cls(F.pad(rows, (0, 0, 1, 0)), (maps.shape[2], maps.shape[3]))

    def index(self, photo: Tensor, corner: Tensor, size: Sequence[int]) -> Tensor:
        """(m,h,w), the rows of windows at ``corner`` (m,2) of each ``photo`` (m,)."""
        height, width = self.side
        y, x = _places(corner, size)
        on_map = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        return on_map * (1 + (photo[:, None, None] * height + y) * width + x)


@dataclass(frozen=True, eq=False)
class Rectangles:
    """m rectangles on a map, ``first`` (m,2) to ``end`` (m,2), not included, in (row, column).

    ``size``: none is higher or wider; the same for all batches of patches of one size.
    """

    first: Tensor
    end: Tensor
    size: tuple[int, int]

    def reached(
        self,
        stride: Sequence[int],
        padding: Sequence[int],
        halo: Sequence[int],
        out: Sequence[int],
    ) -> Rectangles:
        """Where a convolution to a map of side ``out`` sees them; ``halo``: d (k - 1)."""
        s, p, h, limit = (self.first.new_tensor(v) for v in (stride, padding, halo, out))
        first = -((h - p - self.first) // s)
        end = (self.end - 1 + p) // s + 1
        height, width = (
            min(o, (n + h - 1) // s + 1)
            for o, n, h, s in zip(out, self.size, halo, stride, strict=True)
        )
        zero = torch.zeros_like(limit)
        return Rectangles(first.clamp(zero, limit), end.clamp(zero, limit), (height, width))

    def corner(self, side: Sequence[int]) -> Tensor:
        """(m,2), of windows of ``size`` on the map that hold the rectangles."""
        return torch.minimum(
            self.first, self.first.new_tensor(side) - self.first.new_tensor(self.size)
        )

    def contains(self, corner: Tensor, size: Sequence[int]) -> Tensor:
        """(m,h,w), which cells of the windows at ``corner`` (m,2) lie in the rectangles."""
        places, first, end = _places(corner, size), self.first, self.end
        row, column = (
            (at >= first[:, axis, None, None]) & (at < end[:, axis, None, None])
            for axis, at in enumerate(places)
        )
        return row & column

    def within(self, corner: Tensor, size: Sequence[int]) -> Tensor:
        """(cells,), the same as indices into all cells of the windows."""
        return self.contains(corner, size).flatten().nonzero()[:, 0]

    def position(self, corner: Tensor, size: Sequence[int]) -> Tensor:
        """(m,h,w), the row that holds each of those cells; meaningless for cells outside."""
        y, x = _places(corner - self.first, size)
        height, width = (self.end - self.first).T
        area = height * width
        return (area.cumsum(0) - area)[:, None, None] + y * width[:, None, None] + x


@dataclass(frozen=True, eq=False)
class Changed:
    """The changed cells of m photos.

    rows : (R,C), the rectangles one below the other, each in reading order. What follows the last
        is filling. After a flattening layer (m,D), the photos themselves.
    where : the rectangles.
    photo : (m,) index of the kept photo.
    operations : multiply-adds of the last layer.
    row : (cells,) in which row each cell of the rectangles is, -1 where it is as in the photo. None
        while every cell has its own.
    """

    rows: Tensor
    where: Rectangles
    photo: Tensor
    operations: int = 0
    row: Tensor | None = None

    def then(self, rows: Tensor, operations: int = 0) -> Changed:
        """The same cells after a layer that looks at each alone."""
        return replace(self, rows=rows, operations=operations)

    def plus(self, rows: Tensor, operations: int = 0) -> Changed:
        """With ``rows`` (cells,C) added, one for each cell of the rectangles."""
        if self.row is not None:
            rows = rows[self.row >= 0]
        rows = F.pad(rows, (0, 0, 0, len(self.rows) - len(rows)))
        return self.then(self.rows + rows, operations)

    def cells(self, kept: Kept, photo: Tensor) -> Tensor:
        """(cells,), where ``kept`` has the cells of the rectangles."""
        inside = self.where.within(self.where.first, self.where.size)
        return kept.index(photo, self.where.first, self.where.size).flatten()[inside]

    def without_unchanged(self, kept: Kept, least: float) -> Changed:
        """Without the cells that differ from the photo's by a vector shorter than ``least``."""
        cells = self.cells(kept, self.photo)
        change = self.rows[: len(cells)] - kept.rows.index_select(0, cells)
        length = torch.linalg.vector_norm(change, dim=1, dtype=torch.float32)
        far = (length >= least).nonzero()[:, 0]
        row = torch.full_like(cells, -1)
        row[far] = torch.arange(len(far), device=row.device)
        return replace(self, rows=self.rows.index_select(0, _filled(far)), row=row)

    def grown(self, where: Rectangles, kept: Kept) -> Tensor:
        """(cells,C), the changed photos in larger rectangles."""
        rows = self.windows(kept, where.first, where.size).movedim(1, -1).flatten(0, 2)
        return rows.index_select(0, where.within(where.first, where.size))

    def windows(self, kept: Kept, corner: Tensor, size: Sequence[int]) -> Tensor:
        """(m,C,h,w), the photos' maps at ``corner`` (m,2), zero outside the map."""
        here = self.where.contains(corner, size)
        changed = self.where.position(corner, size)
        if self.row is not None:
            changed = F.pad(self.row, (0, 1), value=-1)[changed.where(here, -1)]
            here = changed >= 0
        row = torch.where(here, len(kept.rows) + changed, kept.index(self.photo, corner, size))
        # index_select copies whole rows: ten times as fast as indexing
        rows = torch.cat([kept.rows, self.rows]).index_select(0, row.flatten())
        return rows.unflatten(0, row.shape).movedim(-1, 1)


def cut(maps: Tensor, corner: Tensor, where: Rectangles, photo: Tensor) -> Changed:
    """The changed cells of the windows ``maps`` (m,C,h,w) at ``corner`` (m,2)."""
    _, _, *size = maps.shape
    rows = maps.movedim(1, -1).flatten(0, 2)  # (m·h·w, C)
    inside = where.within(corner, size)
    if len(inside) < len(rows):
        rows = rows.index_select(0, _filled(inside))
    return Changed(rows, where, photo)


def _filled(rows: Tensor) -> Tensor:
    """Indices, and 0 again and again until their number suits ``ROWS``."""
    return F.pad(rows, (0, -len(rows) % ROWS))


def _places(corner: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Rows (m,h,1) and columns (m,1,w) of the windows at ``corner`` (m,2)."""
    y, x = (
        corner[:, axis, None] + torch.arange(length, device=corner.device)
        for axis, length in enumerate(size)
    )
    return y[:, :, None], x[:, None]
