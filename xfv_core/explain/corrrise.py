"""CorrRISE: random holes, and how each pixel's visibility goes with the similarity.

Lu, Xu, Ebrahimi, *Towards Visual Saliency Explanations of Face Verification*, WACV 2024, arXiv
2305.08546: N random masks with three square holes, one photo masked at a time; a pixel's value is
Pearson's correlation, over the masks, of its visibility with the rank of the similarity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from xfv_core.explain.base import SIDE, Method, Steps, Values
from xfv_core.explain.options import option
from xfv_core.explain.registry import register
from xfv_core.models.base import FaceEmbedder, batch_size, embed_all


@register
@dataclass(frozen=True)
class CorrRISE(Method):
    """> 0 where showing the pixel goes with a higher similarity; ``threshold`` plays no part."""

    masks: int = option(500, "number of masks", least=2, offered=False)
    holes: int = option(3, "squares hidden by each", least=1, offered=False)
    hole: int = option(30, "their side in px of a 112 px crop", least=1, most=SIDE, offered=False)
    seed: int = 0

    name = "corrrise"
    title = "CorrRISE"
    about = (
        "One photo is seen through five hundred masks with random holes. A pixel counts by how its "
        "visibility goes with the rank of the similarity."
    )
    paper = "Lu et al. 2024, arXiv 2305.08546"
    offered = "study"
    place = 110
    unit = "correlation with the rank of the similarity"
    cost = 3

    def maps(
        self, model: FaceEmbedder, pair: Tensor, threshold: float, steps: Steps
    ) -> Iterator[Values]:
        plain = embed_all(model, pair)  # (2, D)
        seen = self.visible(pair.shape[-1])  # (N, S, S)
        maps, batch = [], batch_size(model.device)
        for side in (0, 1):
            scores = []
            for start in range(0, self.masks, batch):
                part = torch.from_numpy(seen[start : start + batch, None]).to(model.device)
                embeddings = embed_all(model, pair[side] * part)  # (n, D)
                scores.append((embeddings @ plain[1 - side]).cpu())
                steps((side * self.masks + start + len(part)) / (2 * self.masks))
            maps.append(correlation(seen, torch.cat(scores).numpy()))
        yield Values(np.stack(maps), details={"masks": self.masks})

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
