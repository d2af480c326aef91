"""Sanity of maps over pairs (Adebayo et al., *Sanity Checks for Saliency Maps*, NeurIPS 2018).

A map has to depend on what the network learned and on which photo is which, and to find nothing
dissimilar between a photo and itself. A random map fails all three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xfv_core.evaluation.data.pairs import PhotoStore
from xfv_core.evaluation.maps.rows import settings_of
from xfv_core.evaluation.maps.study import (
    Steps,
    Study,
    StudyError,
    explainers_by_name,
    finished_rows,
    head,
    mean_interval,
    methods_of,
    work_through,
)
from xfv_core.explain import Maps, Method
from xfv_core.explain.fggb import FGGB
from xfv_core.explain.fidelity import agreement
from xfv_core.explain.occlusion import Occlusion
from xfv_core.models.base import FaceModel
from xfv_core.strict_json import STRICT

DISSIMILAR = 0.05  # mass of an identical pair's maps, at most
PROTOCOL = (
    "Re-initialised: Spearman's rank correlation of the maps with those of the same network with "
    "untrained weights (1: the map ignores what was learned; pairs with a flat map left out). "
    "Swapped: largest difference of the maps from those of the swapped pair, over their largest "
    "value (0: none). Identical: share of the maps' mass that is dissimilar when the first photo "
    f"is held against itself; at most {DISSIMILAR:.0%} for FGGB and occlusion modes 2 and 3, "
    "exactly 0 for raw maps of mode 3."
)


@dataclass(frozen=True)
class Checked:
    """One method on one pair; ``reinitialised`` is None where one of the maps is flat."""

    reinitialised: float | None
    swapped: float
    identical: float


@dataclass(frozen=True)
class SanityRow:
    """All methods on one pair."""

    pair: int
    methods: Mapping[str, Checked]
    __pydantic_config__ = STRICT


def measure_sanity(
    study: Study, out: Path, *, process: tuple[int, int] = (0, 1), steps: Steps | None = None
) -> None:
    """``work_through`` a study; its seed draws the untrained weights."""
    model = study.model
    if not isinstance(model, FaceModel):
        raise StudyError(f"The weights of {model.name} are out of reach; choose another network.")
    unlearned = reinitialised(model, study.seed)

    def judge(store: PhotoStore, i: int, explainers: Mapping[str, Method]) -> SanityRow:
        a, b = study.crops(store, i)
        methods = {
            name: check(model, unlearned, explainer, a, b, study.threshold)
            for name, explainer in explainers.items()
        }
        return SanityRow(i, methods)

    work_through(study, out, judge, process, steps)


def check(
    model: FaceModel,
    unlearned: FaceModel,
    explainer: Method,
    a: Tensor,
    b: Tensor,
    threshold: float,
) -> Checked:
    """One method on one pair of (3,S,S) crops."""

    def maps(network: FaceModel, first: Tensor, second: Tensor) -> Maps:
        *_, last = explainer(network, first, second, threshold=threshold)
        return last

    found = maps(model, a, b)
    return Checked(
        reinitialised=agreement(found.shown(), maps(unlearned, a, b).shown()),
        swapped=difference(found, maps(model, b, a)),
        identical=dissimilar_mass(maps(model, a, a)),
    )


def reinitialised(model: FaceModel, seed: int) -> FaceModel:
    """A copy as before any training: He's normal weights, no biases; slopes of PReLU are kept."""
    generator = torch.Generator().manual_seed(seed)
    copy = deepcopy(model)
    with torch.no_grad():
        for name, values in copy.named_parameters():
            if values.dim() > 1:
                fresh = torch.empty(values.shape)
                values.copy_(nn.init.kaiming_normal_(fresh, generator=generator))
            elif not name.endswith("weight"):
                values.zero_()
    return copy


def difference(maps: Maps, swapped: Maps) -> float:
    """The largest between the maps of (A,B) and of (B,A), over the largest value; 0 for none."""
    found, back = np.stack([maps.a, maps.b]), np.stack([swapped.b, swapped.a])
    peak = np.abs(found).max()
    return float(np.abs(found - back).max() / peak) if peak > 0 else float(np.abs(back).max())


def dissimilar_mass(maps: Maps) -> float:
    """Σ max(-S, 0) / Σ |S| over both maps, in [0,1]; 0 for maps of zeros."""
    values = np.stack([maps.a, maps.b]).astype(np.float64)
    mass = np.abs(values).sum()
    return float(np.abs(values[values < 0]).sum() / mass) if mass > 0 else 0.0


def limit(method: str) -> float | None:
    """The largest dissimilar mass the protocol allows a method on identical photos, if it does."""
    explainer = explainers_by_name([method])[method]
    if isinstance(explainer, FGGB):
        return DISSIMILAR
    if not isinstance(explainer, Occlusion) or explainer.mode not in (2, 3):
        return None
    return 0.0 if explainer.mode == 3 and explainer.view == "raw" else DISSIMILAR


def summarise(out: Path) -> dict[str, Any]:
    """What was checked how, and the worst of every method over the pairs, as plain data."""
    rows = finished_rows(out, SanityRow)
    methods = {
        name: _table([r.methods[name] for r in rows if name in r.methods], name)
        for name in methods_of(rows)
    }
    return {**head(settings_of(out), "sanity", PROTOCOL, len(rows)), "methods": methods}


def _table(checked: Sequence[Checked], method: str) -> dict[str, Any]:
    known = [c.reinitialised for c in checked if c.reinitialised is not None]
    mean, interval = mean_interval(known) if known else (None, None)
    return {
        "reinitialised": mean,
        "reinitialised_flat": len(checked) - len(known),
        "reinitialised_interval": interval,
        "reinitialised_most": max(known, default=None),
        "swapped_most": max(c.swapped for c in checked),
        "identical": float(np.mean([c.identical for c in checked])),
        "identical_most": max(c.identical for c in checked),
        "identical_limit": limit(method),
    }
