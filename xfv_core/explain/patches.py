"""Patch maps: the similarity itself, written as a sum over patches.

Ozturk, Bhatta, Wu, Flynn, Bowyer, *Restricted Receptive Fields for Face Verification*,
arXiv 2510.10753: S = Σ_i c_i, see ``models/rrf.py``. Nothing is estimated here; the network is
asked for its summands. Two views of them:

    raw        c_i           their sum is S
    evidence   c_i - θ/N     their sum is S - θ, whose sign is the verdict

Against zero even strangers look mostly alike, hence evidence is the default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xfv_core.explain.base import Method, Reading, Steps, Values
from xfv_core.explain.registry import register
from xfv_core.explain.views import view_option
from xfv_core.models.base import SumsOverPatches


@dataclass(frozen=True, eq=False)
class PatchSum(Reading):
    """The summands of one similarity.

    a, b : (N,) float32, what each patch of either photo adds; each sums to ``similarity``.
    k : (N,N), what the match of patch i of A with patch j of B adds: rows sum to ``a``.
    size, stride, grid : side and spacing of the patches in px of the crop, patches per row; patch
        i starts at (i // grid, i % grid)·stride.
    threshold : θ.    view : "evidence" or "raw".
    """

    a: NDArray[np.float32]
    b: NDArray[np.float32]
    k: NDArray[np.float32]
    similarity: float
    threshold: float
    view: str
    size: int
    stride: int
    grid: int

    @property
    def shown(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(N,) per photo in the chosen view; each sums to ``total``."""
        share = np.float32(self.threshold / len(self.a) if self.view == "evidence" else 0)
        return self.a - share, self.b - share

    @property
    def total(self) -> float:
        """S, or S - θ as evidence."""
        return self.similarity - (self.threshold if self.view == "evidence" else 0)

    def words(self, of_maps: str) -> str:
        """The similarity as a sum, a line for the whole and one per photo, before the maps' own.

        Rounded, it still adds up: Similarity 0.620 - threshold 0.340 = +0.280.
        """
        whole = f"Similarity {self.similarity:.3f}"
        total = round(self.similarity, 3)
        if self.view == "evidence":
            total = round(total - round(self.threshold, 3), 3)
            whole += f" - threshold {self.threshold:.3f} = {total:+.3f}"
        lines = [f"{whole}."]
        for name, values in zip(("First", "Second"), self.shown, strict=True):
            signs = [np.count_nonzero(values >= 0), np.count_nonzero(values < 0)]
            minus = round(float(values[values < 0].sum()), 3)
            parts = [
                f"{part:+.3f} from {n} patch{'' if n == 1 else 'es'}"
                for part, n in zip((total - minus, minus), signs, strict=True)
                if n
            ]
            lines.append(f"{name} photo: {total:+.3f} = {' and '.join(parts)}.")
        return "\n".join([*lines, of_maps])

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the summands, unrounded, and where the patches lie."""
        return {
            "similarity": self.similarity,
            "contributions": {"a": self.a.tolist(), "b": self.b.tolist()},
            "patch": {"size": self.size, "stride": self.stride, "grid": self.grid},
        }


@register
@dataclass(frozen=True)
class Patches(Method):
    """Exact, at once: a map's pixels sum to S - θ (view "evidence") or to S ("raw")."""

    view: str = view_option()

    name = "patches"
    title = "Patches"
    about = (
        "Another network, whose similarity is nothing but the sum of what each patch of the face "
        "adds; no patch sees beyond its border. These maps are not an estimate, they are the "
        "summands. Select a patch to see what it matched."
    )
    paper = "Ozturk et al. 2025, arXiv 2510.10753"
    place = 40
    needs = SumsOverPatches
    unfit = "The similarity of {model} is no sum of patches; choose a patch model."

    @property
    def unit(self) -> str:
        return "similarity above the threshold" if self.view == "evidence" else "similarity"

    def maps(
        self, model: SumsOverPatches, pair: Tensor, threshold: float, steps: Steps
    ) -> Iterator[Values]:
        with torch.inference_mode():
            scores = model.contributions(*pair)
        size, stride, grid = model.geometry()
        found = PatchSum(
            a=scores.a.cpu().numpy(),
            b=scores.b.cpu().numpy(),
            k=scores.k.cpu().numpy(),
            similarity=float(scores.similarity),
            threshold=threshold,
            view=self.view,
            size=size,
            stride=stride,
            grid=grid,
        )
        maps = np.stack([spread(x, size, stride, pair.shape[-1]) for x in found.shown])
        yield Values(maps, passes=2, cell=stride, details={"patches": found})


def spread(values: NDArray[np.float32], size: int, stride: int, side: int) -> NDArray[np.float32]:
    """(N,) values of patches -> (side,side) pixels with the same sum.

    A patch's value is shared out over its pixels in inverse proportion to how many patches cover
    each, so that the middle of the face does not look important for being covered most often.
    """
    share = _shares(size, stride, side)
    grid = len(share)
    return np.asarray(share.T @ values.reshape(grid, grid) @ share, np.float32)


@cache
def _shares(size: int, stride: int, side: int) -> NDArray[np.float32]:
    """(G,side): what pixel x gets of patch row g; rows sum to 1. Rows and columns are alike, and
    a pixel's share is the product of both: the overlap is one of rows times one of columns."""
    starts = np.arange(0, side - size + 1, stride)[:, None]
    inside = (np.arange(side) >= starts) & (np.arange(side) < starts + size)  # (G,side)
    share = inside / inside.sum(0)
    return (share / share.sum(1, keepdims=True)).astype(np.float32)
