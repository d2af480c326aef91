"""Verification on the people held out of every training, which recipes are chosen by.

All their genuine pairs and as many impostor pairs, drawn by a seed. A person with many photos has
many pairs, so the 95 % intervals come from drawing people, not pairs: a pair of one person weighs
as often as that person is drawn, a pair of two the product.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xfv_core.evaluation.data.face_sets import held_out_crops
from xfv_core.evaluation.data.pairs import PairsError
from xfv_core.models.base import FaceEmbedder, embed_all

RESAMPLES = 200


@dataclass(frozen=True)
class PeoplePairs:
    """Rows of the pairs and who is on them: ``first``, ``second`` (N,), people ``one`` and
    ``other`` (N,) as numbers from 0; they are the same in the first half, the genuine pairs."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    one: NDArray[np.intp]
    other: NDArray[np.intp]

    @property
    def genuine(self) -> NDArray[np.bool_]:
        """Which pairs show one person, (N,)."""
        return self.one == self.other


def people_pairs(labels: NDArray[np.int64], seed: int = 0) -> PeoplePairs:
    """Every genuine pair of photos with these labels (N,), and as many impostor pairs."""
    person = np.unique(labels, return_inverse=True)[1]
    first, second = np.triu_indices(len(labels), 1)
    same = person[first] == person[second]
    genuine, impostor = np.flatnonzero(same), np.flatnonzero(~same)
    drawn = np.random.default_rng(seed).choice(impostor, len(genuine), replace=False)
    rows = np.concatenate([genuine, drawn])
    first, second = first[rows], second[rows]
    return PeoplePairs(first, second, person[first], person[second])


def verify_people(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], *, seed: int = 0
) -> dict[str, Any]:
    """Unit rows (N,D) and labels (N,) -> EER and best accuracy (of one threshold, both sides
    alike) with 95 % intervals over people, and the numbers of photos, people and pairs."""
    pairs = people_pairs(labels, seed)
    scores = np.einsum("nd,nd->n", embeddings[pairs.first], embeddings[pairs.second])
    order = np.argsort(-scores, kind="stable")
    people = int(pairs.one.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, people, (RESAMPLES, people))
    resampled = [_rates(pairs, order, np.bincount(who, minlength=people)) for who in drawn]
    low, high = np.quantile(resampled, (0.025, 0.975), axis=0).tolist()
    eer, accuracy = _rates(pairs, order, np.ones(people))
    return {
        "photos": len(labels),
        "people": people,
        "pairs": len(order),
        "eer": eer,
        "eer_interval": (low[0], high[0]),
        "best_accuracy": accuracy,
        "best_accuracy_interval": (low[1], high[1]),
    }


def evaluate_people(model: FaceEmbedder, data: Path, *, seed: int = 0) -> dict[str, Any]:
    """:func:`verify_people` of a model for template crops of 112 px on a training folder's people.

    Raises PairsError for a model of another input size.
    """
    crops, labels = held_out_crops(data)
    if model.input_size != crops.shape[1]:
        raise PairsError(f"{model.name} takes {model.input_size} px, the crops have 112.")
    x = torch.from_numpy(crops).permute(0, 3, 1, 2) / 255
    embeddings = embed_all(model, x, fast=False).cpu().numpy()
    return verify_people(embeddings, labels, seed=seed)


def _rates(pairs: PeoplePairs, order: NDArray[np.intp], times: NDArray) -> tuple[float, float]:
    """EER and best accuracy if person p is there ``times[p]`` times; scores fall in ``order``."""
    weight = (times[pairs.one] * np.where(pairs.genuine, 1, times[pairs.other]))[order]
    genuine = pairs.genuine[order]
    hits, alarms = np.cumsum(weight * genuine), np.cumsum(weight * ~genuine)
    tmr, fmr = hits / hits[-1], alarms / alarms[-1]
    nearest = np.argmin(np.abs(fmr - (1 - tmr)))
    return float((fmr[nearest] + 1 - tmr[nearest]) / 2), float((tmr + 1 - fmr).max() / 2)
