"""Patch-LFW: maps against places that are known, because we pasted them there.

The manipulated benchmark of xSSAB (Huber et al., *Efficient Explainable Face Verification based on
Similarity Score Argument Backpropagation*, WACV 2024, arXiv 2304.13409): 27 patches of 16 x 16 px
are pasted into the first photo of a pair; of a genuine pair from another person, so that the
places should show as dissimilar, of an impostor pair from the second photo at the same places, so
that they should show as similar. Positions are random, seed 3.

*Decision-based replacement*: 5, 15, ... 95 % of the first photo's pixels become those of the photo
as it was, of a rejected pair the most dissimilar first, of an accepted one the most similar. Good
maps repair the decision early: FNMR over genuine, FMR over impostor pairs, lower is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xfv_core.evaluation.data.pairs import PairSet, PhotoStore
from xfv_core.evaluation.maps.rows import settings_of
from xfv_core.evaluation.maps.study import (
    Steps,
    Study,
    StudyError,
    finished_rows,
    head,
    mean_interval,
    methods_of,
    share_interval,
    work_through,
)
from xfv_core.evaluation.verdicts.calibration import read_crop
from xfv_core.evaluation.verdicts.verification import auc
from xfv_core.explain import Method
from xfv_core.explain.corrrise import random_squares
from xfv_core.explain.fidelity import ranks
from xfv_core.models.base import FaceEmbedder, embed_all
from xfv_core.strict_json import STRICT

PATCHES, SIDE, SEED = 27, 16, 3
SHARES = np.linspace(0.05, 0.95, 10)  # of the pixels that are given back
PROTOCOL = (
    f"{PATCHES} patches of {SIDE} x {SIDE} px of a 112 px face, places random (seed {SEED}), are "
    "pasted into the first photo: of a genuine pair from a random other person (wanted: "
    "dissimilar), of an impostor pair from the second photo (wanted: similar). AUROC of the first "
    "photo's map against the places; pointing: share of pairs whose strongest pixel lies in one; "
    f"they are {random_squares(1, PATCHES, SIDE, 112, SEED).mean():.0%} of the photo. "
    "Replacement: 5, 15, ... 95 % of the pixels given back, most dissimilar first where "
    "the pair is rejected, most similar first where it is accepted, decided at the EER threshold; "
    "mean FNMR of genuine, FMR of impostor pairs over the shares, in %. Random: pixels in a random "
    "order, random per pair. 95 % intervals over pairs: Wilson for pointing, else normal."
)
KINDS = ("genuine", "impostor")
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Located:
    """One method on one manipulated pair.

    auroc : of the map against the pasted places, in [0,1], 0.5 by chance.
    pointing : whether its strongest pixel, of equal ones a random one, lies in one of them.
    accepted : (10,) whether the pair is taken for one person after SHARES of the first photo were
        given back.
    """

    auroc: float
    pointing: bool
    accepted: Sequence[bool]
    passes: int
    seconds: float


@dataclass(frozen=True)
class PatchRow:
    """All methods on one pair; ``chance`` (10,): accepted, given back in a random order."""

    pair: int
    genuine: bool
    chance: Sequence[bool]
    methods: Mapping[str, Located]
    __pydantic_config__ = STRICT


def measure_patches(
    study: Study, out: Path, *, process: tuple[int, int] = (0, 1), steps: Steps | None = None
) -> None:
    """``work_through`` a study; StudyError where photos are not in a folder per person."""

    def judge(store: PhotoStore, i: int, explainers: Mapping[str, Method]) -> PatchRow:
        original, second = study.crops(store, i)
        genuine = bool(study.pairs.labels[i])
        source = read_crop(store, other_person(study.pairs, i)) if genuine else second
        return patch_row(study, explainers, original, second, source, i)

    work_through(study, out, judge, process, steps)


def patch_row(
    study: Study,
    explainers: Mapping[str, Method],
    original: Tensor,
    second: Tensor,
    source: Tensor,
    i: int,
) -> PatchRow:
    """Every method on pair i, ``original`` and ``second`` (3,S,S), with patches from ``source``."""
    model, genuine = study.model, bool(study.pairs.labels[i])
    places = pasted_places(original.shape[-1])
    pair = (pasted(original, source, places), second)
    options = {"threshold": study.threshold, "decide_at": study.decide_at, "seed": i}
    methods = {
        name: locate(model, explainer, pair, original, places, genuine=genuine, **options)  # type: ignore[arg-type]
        for name, explainer in explainers.items()
    }
    no_map = np.zeros(places.shape)
    chance = give_back(model, pair, original, no_map, study.decide_at, seed=i)
    return PatchRow(i, genuine, chance.tolist(), methods)


def other_person(pairs: PairSet, i: int) -> str:
    """A photo of somebody who is not in pair i, chosen by its number."""
    people = {PurePosixPath(paths[i]).parent for paths in (pairs.paths_a, pairs.paths_b)}
    others = [name for name in pairs.photos if PurePosixPath(name).parent not in people]
    if not others:
        raise StudyError(f"{pairs.name} has no folder per person, so who else there is is unknown.")
    return others[np.random.default_rng([SEED, i]).integers(len(others))]


def pasted_places(side: int, count: int = PATCHES, patch: int = SIDE, seed: int = SEED) -> Mask:
    """(side,side), True where something is pasted; the same for every pair."""
    return random_squares(1, count, patch, side, seed)[0]


def pasted(photo: Tensor, source: Tensor, places: Mask) -> Tensor:
    """``photo`` (3,S,S) with the pixels of ``source`` at ``places``."""
    return torch.where(torch.from_numpy(places), source, photo)


def locate(
    model: FaceEmbedder,
    explainer: Method,
    pair: tuple[Tensor, Tensor],
    original: Tensor,
    places: Mask,
    *,
    genuine: bool,
    threshold: float,
    decide_at: float,
    seed: int = 0,
) -> Located:
    """One method on a pair whose first photo was manipulated; ``original`` is what it was."""
    *_, maps = explainer(model, *pair, threshold=threshold)
    telling = -maps.a if genuine else maps.a  # high where the pasted places should be
    strongest = np.flatnonzero(telling == telling.max())
    one = np.random.default_rng(seed).choice(strongest)
    return Located(
        auroc=auroc(telling, places),
        pointing=bool(places.flat[one]) and len(strongest) < places.size,
        accepted=give_back(model, pair, original, maps.a, decide_at, seed).tolist(),
        passes=maps.cost.passes,
        seconds=maps.cost.seconds,
    )


def auroc(values: NDArray[np.floating], places: Mask) -> float:
    """How often a pixel of the places outranks one outside, ties half."""
    return auc(values.ravel().astype(np.float64), places.ravel())


def give_back(
    model: FaceEmbedder,
    pair: tuple[Tensor, Tensor],
    original: Tensor,
    values: NDArray[np.floating],
    threshold: float,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Decision-based replacement: (10,) accepted, after SHARES of the pixels were the original's.

    ``values`` (S,S): the map of the first photo; equal ones in a random order by ``seed``.
    """
    first, second = embed_all(model, torch.stack(pair), fast=False)
    rejected = float(first @ second) < threshold
    order = ranks((-values if rejected else values).astype(np.float64), seed)  # 0: given back first
    back = torch.from_numpy(order < np.rint(SHARES * values.size)[:, None, None])  # (10,S,S)
    photos = torch.where(back[:, None], original, pair[0])
    return (embed_all(model, photos, fast=False) @ second >= threshold).cpu().numpy()


def summarise(out: Path) -> dict[str, Any]:
    """What was measured how, and every method on genuine and on impostor pairs, as plain data."""
    rows = finished_rows(out, PatchRow)
    kinds = {kind: [r for r in rows if r.genuine == (kind == "genuine")] for kind in KINDS}
    kinds = {kind: found for kind, found in kinds.items() if found}
    return {
        **head(settings_of(out), "patch-lfw", PROTOCOL, len(rows)),
        "random": {kind: _errors([r.chance for r in own], kind) for kind, own in kinds.items()},
        "methods": {
            name: {
                kind: _table([r.methods[name] for r in own if name in r.methods], kind)
                for kind, own in kinds.items()
                if any(name in r.methods for r in own)
            }
            for name in methods_of(rows)
        },
    }


def _table(located: Sequence[Located], kind: str) -> dict[str, Any]:
    auroc, auroc_interval = mean_interval([x.auroc for x in located])
    pointing, pointing_interval = share_interval([x.pointing for x in located])
    return {
        "n": len(located),
        "auroc": auroc,
        "auroc_interval": auroc_interval,
        "pointing": pointing,
        "pointing_interval": pointing_interval,
        **_errors([x.accepted for x in located], kind),
        "passes_per_pair": float(np.mean([x.passes for x in located])),
        "seconds_per_pair": float(np.mean([x.seconds for x in located])),
    }


def _errors(accepted: Sequence[Sequence[bool]], kind: str) -> dict[str, Any]:
    """FNMR of genuine or FMR of impostor pairs, from (n,10): over SHARES, and its mean in %."""
    wrong = np.asarray(accepted) == (kind == "impostor")
    mean, interval = mean_interval(100 * wrong.mean(1), within=(0, 100))
    return {"error": mean, "error_interval": interval, "error_curve": wrong.mean(0).tolist()}
