"""What every method has to beat: CorrRISE, and a map drawn by lot.

CorrRISE (Lu, Xu, Ebrahimi, *Towards Visual Saliency Explanations of Face Verification*, WACV 2024,
arXiv 2305.08546): N random masks with three square holes, one photo masked at a time; a pixel's
value is Pearson's correlation, over the masks, of its visibility with the rank of the similarity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import zoom
from scipy.stats import rankdata
from torch import Tensor

from xfv_core.explain.base import SIDE, Cost, Maps
from xfv_core.models.base import FaceModel, batch_size, embed_all

FIELD = 7  # cells per side of a random map, interpolated between them


@dataclass(frozen=True)
class CorrRISE:
    """An ``Explainer``: > 0 where showing the pixel goes with a higher similarity.

    masks : N.    holes : squares hidden by each.    hole : their side in px of a 112 px crop.
    """

    masks: int = 500
    holes: int = 3
    hole: int = 30
    seed: int = 0

    def __call__(
        self,
        model: FaceModel,
        a: Tensor,
        b: Tensor,
        *,
        threshold: float,
        steps: Callable[[float], None] | None = None,
    ) -> Iterator[Maps]:
        """The maps of ``a`` and ``b``, (3,S,S) RGB in [0,1], at once; ``threshold`` unused."""
        began = perf_counter()
        photos = torch.stack([a, b]).to(model.device)
        plain = embed_all(model, photos)  # (2, D)
        seen = self.visible(a.shape[-1])  # (N, S, S)
        maps, batch = [], batch_size(model.device)
        for side in (0, 1):
            scores = []
            for start in range(0, self.masks, batch):
                part = torch.from_numpy(seen[start : start + batch, None]).to(model.device)
                embeddings = embed_all(model, photos[side] * part)  # (n, D)
                scores.append((embeddings @ plain[1 - side]).cpu())
                if steps:
                    steps((side * self.masks + start + len(part)) / (2 * self.masks))
            maps.append(correlation(seen, torch.cat(scores).numpy()))
        yield Maps(
            a=maps[0],
            b=maps[1],
            method="corrrise",
            model=model.name,
            cost=Cost(passes=2 + 2 * self.masks, seconds=perf_counter() - began),
            unit="correlation with the rank of the similarity",
            details={"masks": self.masks},
        )

    def visible(self, side: int) -> NDArray[np.bool_]:
        """(N,S,S): False in the holes, whose corners are uniform over the places they fit."""
        return ~random_squares(self.masks, self.holes, self.hole, side, self.seed)


def random_squares(masks: int, count: int, size: int, side: int, seed: int) -> NDArray[np.bool_]:
    """(masks,side,side): True in ``count`` squares of ``size`` px of a 112 px crop each."""
    scaled = round(size * side / SIDE)
    corners = np.random.default_rng(seed).integers(0, side - scaled + 1, (masks, count, 2))
    inside = np.zeros((masks, side, side), bool)
    for mask, places in zip(inside, corners, strict=True):
        for top, left in places:
            mask[top : top + scaled, left : left + scaled] = True
    return inside


def correlation(seen: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float32]:
    """Pearson's r of each pixel's visibility (N,S,S) with the ranks of ``scores`` (N,).

    0 where a pixel is always or never seen, or where all scores are equal.
    """
    ranks = rankdata(scores)
    ranks = ranks - ranks.mean()
    flat = seen.reshape(len(seen), -1).astype(np.float64)
    mean = flat.mean(0)
    covariance = ranks @ flat / len(seen)
    spread = np.sqrt(mean * (1 - mean)) * ranks.std()
    r = np.divide(covariance, spread, out=np.zeros_like(covariance), where=spread > 1e-12)
    return r.reshape(seen.shape[1:]).astype(np.float32)


@dataclass(frozen=True)
class RandomMap:
    """An ``Explainer`` that looks at nothing: two smooth fields drawn by ``seed``."""

    seed: int = 0

    def __call__(
        self,
        model: FaceModel,
        a: Tensor,
        b: Tensor,
        *,
        threshold: float,
        steps: Callable[[float], None] | None = None,
    ) -> Iterator[Maps]:
        """Maps of the size of ``a`` and ``b``."""
        fields = np.random.default_rng(self.seed).standard_normal((2, FIELD, FIELD))
        maps = [
            zoom(field, a.shape[-1] / len(field), order=1).astype(np.float32) for field in fields
        ]
        if steps:
            steps(1.0)
        yield Maps(maps[0], maps[1], "random", model.name, Cost(passes=0, seconds=0.0), unit="lot")
