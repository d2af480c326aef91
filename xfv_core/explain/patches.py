"""Patch maps: the similarity itself, written as a sum over patches.

Ozturk, Bhatta, Wu, Flynn, Bowyer, *Restricted Receptive Fields for Face Verification*,
arXiv 2510.10753: S = Σ_i c_i, see ``models/rrf.py``. Nothing is estimated here; the network is
asked for its summands. Two views of them:

    raw        c_i           their sum is S
    evidence   c_i - θ/N     their sum is S - θ, whose sign is the verdict

Against zero even strangers look mostly alike, hence evidence is the default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xfv_core.errors import XfvError
from xfv_core.explain.base import Cost, Maps
from xfv_core.models.base import FaceModel

VIEWS = ("evidence", "raw")


class PatchesError(XfvError):
    """The model's similarity is no sum of patches, or a view that does not exist was asked for."""


@dataclass(frozen=True, eq=False)
class PatchSum:
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

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the summands, unrounded, and where the patches lie."""
        return {
            "similarity": self.similarity,
            "contributions": {"a": self.a.tolist(), "b": self.b.tolist()},
            "patch": {"size": self.size, "stride": self.stride, "grid": self.grid},
        }


@dataclass(frozen=True)
class Patches:
    """An ``Explainer`` for networks with ``contributions``: exact, at once.

    view : "evidence" or "raw", see above. A map's pixels sum to S - θ, or to S.
    """

    view: str = "evidence"

    def __post_init__(self) -> None:
        if self.view not in VIEWS:
            raise PatchesError(
                f"There is no patch view {self.view!r}; choose from {', '.join(VIEWS)}."
            )

    def __call__(
        self,
        model: FaceModel,
        a: Tensor,
        b: Tensor,
        *,
        threshold: float,
        steps: Callable[[float], None] | None = None,
    ) -> Iterator[Maps]:
        """The maps of ``a`` and ``b``, (3,S,S) RGB in [0,1]; PatchesError for another network."""
        began = perf_counter()
        if not hasattr(model, "contributions"):
            raise PatchesError(
                f"The similarity of {model.name} is no sum of patches; choose a patch model."
            )
        network: Any = model
        with torch.inference_mode():
            scores = network.contributions(a.to(model.device), b.to(model.device))
        found = PatchSum(
            a=scores.a.cpu().numpy(),
            b=scores.b.cpu().numpy(),
            k=scores.k.cpu().numpy(),
            similarity=float(scores.similarity),
            threshold=threshold,
            view=self.view,
            size=network.patch_size,
            stride=network.stride,
            grid=network.grid,
        )
        maps = [spread(values, found.size, found.stride, a.shape[-1]) for values in found.shown]
        if steps:
            steps(1.0)
        step = f"{found.stride} x {found.stride} px"
        above = " above the threshold" if self.view == "evidence" else ""
        yield Maps(
            a=maps[0],
            b=maps[1],
            method="patches",
            model=model.name,
            cost=Cost(passes=2, seconds=perf_counter() - began),
            unit=f"similarity{above}, per {step}",
            shown_px=found.stride**2,
            details={"patches": found},
        )


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
