"""Patch-LFW: maps against places that are known, because we pasted them there.

The manipulated benchmark of xSSAB (Huber et al., *Efficient Explainable Face Verification based on
Similarity Score Argument Backpropagation*, WACV 2024, arXiv 2304.13409): 27 patches of 16 x 16 px
are pasted into the first photo of a pair; of a genuine pair from another person, so that the
places should show as dissimilar, of an impostor pair from the second photo at the same places, so
that they should show as similar. Positions are drawn with seed 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xfv_core.evaluation.verification import auc
from xfv_core.explain import Explainer, Maps
from xfv_core.explain.baselines import random_squares
from xfv_core.fidelity import ranks
from xfv_core.models.base import FaceModel, embed_all

PATCHES, SIDE, SEED = 27, 16, 3
SHARES = np.linspace(0.05, 0.95, 10)  # of the pixels that are given back
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Located:
    """One method on one manipulated pair.

    auroc : of the map against the pasted places, in [0,1], 0.5 by chance.
    pointing : whether its strongest pixel lies in one.
    accepted : (10,) whether the pair is taken for one person after SHARES of the first photo were
        given back, the most telling pixels first.
    """

    auroc: float
    pointing: bool
    accepted: Sequence[bool]


def pasted_places(side: int, count: int = PATCHES, patch: int = SIDE, seed: int = SEED) -> Mask:
    """(side,side), True where something is pasted; the same for every pair."""
    return random_squares(1, count, patch, side, seed)[0]


def pasted(photo: Tensor, source: Tensor, places: Mask) -> Tensor:
    """``photo`` (3,S,S) with the pixels of ``source`` at ``places``."""
    return torch.where(torch.from_numpy(places), source, photo)


def locate(
    model: FaceModel,
    explainer: Explainer,
    pair: tuple[Tensor, Tensor],
    original: Tensor,
    places: Mask,
    *,
    genuine: bool,
    threshold: float,
) -> tuple[Located, Maps]:
    """One method on a pair whose first photo was manipulated; ``original`` is what it was."""
    *_, maps = explainer(model, *pair, threshold=threshold)
    telling = -maps.a if genuine else maps.a  # high where the pasted places should be
    row, column = np.unravel_index(int(telling.argmax()), telling.shape)
    return Located(
        auroc=auroc(telling, places),
        pointing=bool(places[row, column]) and bool(np.ptp(telling) > 0),
        accepted=give_back(model, pair, original, maps.a, threshold).tolist(),
    ), maps


def auroc(values: NDArray[np.floating], places: Mask) -> float:
    """How often a pixel of the places outranks one outside, ties half."""
    return auc(values.ravel().astype(np.float64), places.ravel())


def give_back(
    model: FaceModel,
    pair: tuple[Tensor, Tensor],
    original: Tensor,
    values: NDArray[np.floating],
    threshold: float,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Decision-based replacement: (10,) accepted, after SHARES of the pixels were the original's.

    A rejected pair gets its most dissimilar pixels back first, an accepted one its most similar.
    """
    first, second = embed_all(model, torch.stack(pair), fast=False)
    rejected = float(first @ second) < threshold
    order = ranks((-values if rejected else values).astype(np.float64), seed)  # 0: given back first
    back = torch.from_numpy(order < np.rint(SHARES * values.size)[:, None, None])  # (10,S,S)
    photos = torch.where(back[:, None], original, pair[0])
    return (embed_all(model, photos, fast=False) @ second >= threshold).cpu().numpy()
