"""What several photos of one claimed person add: ways to join them, measured on labelled people.

A trial: n reference photos of a person against another photo of that person, and against one of
somebody else. Ways to join them, all under the network's conditional curve:

    mean embedding   the similarity to the mean of the embeddings, by the mean of the measures
    by norm          the same, each embedding as long as the network made it: by its quality
    mean evidence    the mean of the photos' own ln LR
    most alike       the greatest of the photos' own ln LR

Intervals: 95 %, from people drawn with replacement; n references are drawn anew for every trial.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from xfv_core.confidence.conditional import PairCurve, evidence
from xfv_core.confidence.curves import Floats
from xfv_core.confidence.likelihood import SURE, cllr_min, sure
from xfv_core.confidence.measures import Table
from xfv_core.evaluation.verdicts.photos import Photos

REFERENCES = (1, 2, 3, 5)
FEWEST = 12  # photos of a person
RESAMPLED = 400
PROTOCOL = (
    "genuine and impostor trials of n reference photos and one other, drawn by the seed from "
    "people whom neither the network's curve nor its cohort has seen; intervals from people drawn "
    "with replacement"
)
Rows = NDArray[np.intp]


class Trials(NamedTuple):
    """T trials of n references: rows of photos, (T,n), (T,), (T,), and the two people, (T,)."""

    references: Rows
    genuine: Rows
    impostor: Rows
    person: Rows
    other: Rows


def measure_fusion(
    photos: Photos, labels: Rows, curve: PairCurve, *, trials: int, seed: int
) -> dict[str, Any]:
    """Error rates and C_llr of each way for each number of references, with intervals."""
    people = [p for p in np.unique(labels) if (labels == p).sum() >= FEWEST]
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(len(people), size=len(people)) for _ in range(RESAMPLED)]
    counts = np.stack([np.bincount(each, minlength=len(people)) for each in drawn])
    table = {}
    for n in REFERENCES:
        found = draw(labels, np.array(people), n, trials, rng)
        log_lr = {
            name: (
                way(photos, found.references, found.genuine, curve),
                way(photos, found.references, found.impostor, curve),
            )
            for name, way in WAYS.items()
        }
        table[str(n)] = {
            name: _judged(*scores, found, counts, curve.cap) for name, scores in log_lr.items()
        }
        losses = {name: _loss(*scores, curve.cap) for name, scores in log_lr.items()}
        for name, sides in losses.items():
            less = (sides[0] - losses[BASE][0], sides[1] - losses[BASE][1])
            spread = [_weighted(less, found, weights) for weights in counts]
            table[str(n)][name]["cllr_less_mean_evidence_interval"] = _interval(spread)
    return {"people": len(people), "photos": len(labels), "trials": trials, "references": table}


def draw(labels: Rows, people: Rows, n: int, trials: int, rng: np.random.Generator) -> Trials:
    """Trials of ``n`` references; ``person`` and ``other`` are places in ``people``."""
    of = [np.flatnonzero(labels == person) for person in people]
    pairs = np.array([rng.choice(len(people), 2, replace=False) for _ in range(trials)])
    own = np.array([rng.choice(of[p], n + 1, replace=False) for p in pairs[:, 0]])
    strangers = np.array([rng.choice(of[q]) for q in pairs[:, 1]])
    return Trials(own[:, :n], own[:, n], strangers, pairs[:, 0], pairs[:, 1])


def by_mean_embedding(
    photos: Photos, references: Rows, other: Rows, curve: PairCurve, *, by_norm: bool = False
) -> Floats:
    """ln LR of the mean of the embeddings and of the measures, (T,)."""
    weights = photos.table.norm if by_norm else np.ones(len(photos.unit))
    mean = (photos.unit[references] * weights[references][..., None]).mean(1)  # (T, D)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    s = (mean * photos.unit[other]).sum(1).astype(np.float64)
    table = Table(**{
        field.name: getattr(photos.table, field.name)[references].mean(1)
        for field in fields(Table)
    })  # fmt: skip
    return evidence(s, curve.bars(table, photos.table[other]))


def own_evidence(photos: Photos, references: Rows, other: Rows, curve: PairCurve) -> Floats:
    """ln LR of each reference by itself, (T,n), within what the curve's pairs allow."""
    most = np.log(curve.cap / (1 - curve.cap))
    columns = []
    for rows in references.T:
        s = (photos.unit[rows] * photos.unit[other]).sum(1).astype(np.float64)
        bars = curve.bars(photos.table[rows], photos.table[other])
        columns.append(np.clip(evidence(s, bars), -most, most))
    return np.stack(columns, axis=1)


BASE = "mean evidence"  # what the other ways are compared with
WAYS: dict[str, Callable[[Photos, Rows, Rows, PairCurve], Floats]] = {
    "mean embedding": by_mean_embedding,
    "by norm": partial(by_mean_embedding, by_norm=True),
    "mean evidence": lambda *trial: np.asarray(own_evidence(*trial).mean(1)),
    "most alike": lambda *trial: np.asarray(own_evidence(*trial).max(1)),
}


def _judged(
    genuine: Floats, impostor: Floats, found: Trials, counts: NDArray[np.intp], cap: float
) -> dict[str, Any]:
    """Rates at P = 0.5 and C_llr, each with its interval by people, and the EER."""
    most = np.log(cap / (1 - cap))
    same = np.clip(genuine, -most, most), np.clip(impostor, -most, most)
    losses = {
        "fnmr": (np.asarray(genuine < 0, float), None),
        "fmr": (None, np.asarray(impostor >= 0, float)),
        "cllr": _loss(genuine, impostor, cap),
    }
    table: dict[str, Any] = {}
    for name, sides in losses.items():
        value = _weighted(sides, found, np.ones(counts.shape[1]))
        spread = [_weighted(sides, found, weights) for weights in counts]
        table[name] = value
        table[f"{name}_interval"] = _interval(spread)
    p = expit(np.concatenate(same))
    labels = np.arange(len(p)) < len(genuine)
    table["cllr_min"] = cllr_min(p, labels)
    table["sure"] = vars(sure(p, labels, SURE["above_99"]))
    rates = [_eer(genuine, impostor, found, weights) for weights in counts]
    table["eer"] = _eer(genuine, impostor, found, np.ones(counts.shape[1]))
    table["eer_interval"] = _interval(rates)
    return table


def _loss(genuine: Floats, impostor: Floats, cap: float) -> tuple[Floats, Floats]:
    """What each trial adds to C_llr, in bits."""
    most = np.log(cap / (1 - cap))
    sides = (np.clip(genuine, -most, most), -np.clip(impostor, -most, most))
    return -log_expit(sides[0]) / np.log(2), -log_expit(sides[1]) / np.log(2)


def _interval(spread: list[float]) -> list[float]:
    return [float(edge) for edge in np.quantile(spread, [0.025, 0.975])]


def _weighted(
    sides: tuple[Floats | None, Floats | None], found: Trials, people: NDArray[np.floating]
) -> float:
    """The mean over the sides of the mean over trials, each as often as its people were drawn."""
    weights = (people[found.person], people[found.person] * people[found.other])
    means = [np.average(v, weights=w) for v, w in zip(sides, weights, strict=True) if v is not None]
    return float(np.mean(means))


def _eer(genuine: Floats, impostor: Floats, found: Trials, people: NDArray[np.floating]) -> float:
    """The rate at which as many genuine as impostor trials fail."""
    own, both = people[found.person], people[found.person] * people[found.other]
    scores = np.concatenate([genuine, impostor])
    order = np.argsort(scores, kind="stable")
    missed = np.concatenate([own, np.zeros(len(both))])[order].cumsum() / own.sum()
    passed = 1 - np.concatenate([np.zeros(len(own)), both])[order].cumsum() / both.sum()
    at = int(np.argmin(np.abs(missed - passed)))
    return float((missed[at] + passed[at]) / 2)
