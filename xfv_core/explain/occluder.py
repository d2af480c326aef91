"""One black patch on one of two faces, wherever somebody puts it: the similarity that is left.

Of a network that is one chain only what the patch can reach is computed, see ``fast.incremental``;
it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xfv_core.explain.base import MethodError
from xfv_core.explain.fast.incremental import covered_embedder
from xfv_core.models.base import FaceEmbedder


@dataclass(frozen=True)
class Patch:
    """A square on one face. ``side``: 0 the first photo, 1 the second; ``top``, ``left`` and
    ``size`` are shares of the crop's side, in [0,1]."""

    side: int
    top: float
    left: float
    size: float

    def window(self, pixels: int) -> Tensor:
        """(2,2) first (row, column) and one past the last, of a crop of ``pixels`` a side; at
        least one pixel, inside the crop. MethodError for a patch that cannot be."""
        shares = (self.top, self.left, self.size)
        if self.side not in (0, 1) or not all(0 <= share <= 1 for share in shares):
            raise MethodError(f"{self} does not lie on a face; shares are between 0 and 1.")
        size = max(1, round(self.size * pixels))
        first = [min(round(share * pixels), pixels - size) for share in shares[:2]]
        return torch.tensor([first, [start + size for start in first]])


class Occluder:
    """Keeps both faces' activations; every patch then costs what it can reach. ``x`` and ``y`` are
    the crops, (3,S,S) RGB in [0,1]."""

    def __init__(self, network: FaceEmbedder, x: Tensor, y: Tensor) -> None:
        self._photos = torch.stack([x, y]).to(network.device)
        self._embed = [covered_embedder(network, one[None], fast=False) for one in self._photos]

    @property
    def similarity(self) -> float:
        """The cosine of both faces as they are, in [-1,1]."""
        return float((self._embed[0].plain * self._embed[1].plain).sum())

    def covered(self, patch: Patch) -> float:
        """The cosine with ``patch`` in black, in [-1,1]; MethodError as `Patch.window`."""
        window = patch.window(self._photos.shape[-1])
        (top, left), (bottom, right) = window.tolist()
        x = self._photos[patch.side].clone()  # (3,S,S)
        x[:, top:bottom, left:right] = 0
        found = self._embed[patch.side](x[None, None], window[None])[0, 0]  # (D,)
        return float(found @ self._embed[1 - patch.side].plain[0])
