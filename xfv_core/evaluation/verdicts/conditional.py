"""Calibrate a network conditionally: its cohort and the curve that takes measures.

Fitted on LFW's pairs, the same pairs with one or both photos degraded, hard pairs of labelled
people whom the network has not been trained on and who are not kept for the test, their degraded
copies, and strangers of one kind (age, gender, group) whose names are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from xfv_core.confidence.cohort import Cohort
from xfv_core.confidence.conditional import PairCurve
from xfv_core.confidence.curves import CalibrationError, Floats, Labels
from xfv_core.confidence.measures import Pixels, Table
from xfv_core.evaluation.data.degrade import SETTINGS, Setting, degraded
from xfv_core.evaluation.data.pairs import PairSet, PhotoStore
from xfv_core.evaluation.verdicts.calibration import decode
from xfv_core.evaluation.verdicts.cohorts import build_cohort
from xfv_core.evaluation.verdicts.pair_fit import Block, fit_gap, fit_pair_curve
from xfv_core.evaluation.verdicts.research import ResearchPhotos
from xfv_core.models.base import FaceEmbedder, HasRaw, raw_all

FACES, STRANGERS, DEGRADED, COVERED = 5500, 1500, 3000, 1500  # unlabelled photos, by use
PER_PERSON, WORSE_PER_PERSON = 36, 12  # photos at most
HARD_PAIRS, WORSE_PAIRS, STRANGER_PAIRS, ALIKE_PAIRS = 6000, 4000, 2500, 120  # the last: a setting
MASS = {"lfw": 1.0, "lfw, one degraded": 0.6, "lfw, degraded alike": 0.4, "hard": 1.0,
        "hard, one degraded": 0.5, "hard, degraded alike": 0.5, "strangers": 0.1}  # fmt: skip
MILD = 2.0  # a mild degradation weighs as much as so many others
CHUNK = 256


class People(NamedTuple):
    """The people of hard pairs: those whose label leaves one of ``left`` divided by ``every``."""

    every: int
    left: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Photos:
    """N measured photos: unit embeddings, measures, and how each was degraded."""

    unit: NDArray[np.float32]
    table: Table
    settings: Sequence[Setting | None]


class Pairs(NamedTuple):
    """Index of either photo, and whether they show one person; (N,) each."""

    a: NDArray[np.intp]
    b: NDArray[np.intp]
    labels: Labels


def calibrate_pairs(
    network: FaceEmbedder,
    research: ResearchPhotos,
    lfw: PairSet,
    images: Path,
    people: People | None,
    seed: int = 0,
) -> tuple[PairCurve, Cohort]:
    """The curve, without rules, and the cohort of a network.

    ``images``: aligned crops of ``lfw``. ``people``: None where the network has seen them all.
    CalibrationError for a network whose raw embedding cannot be had.
    """
    if not isinstance(network, HasRaw):
        raise CalibrationError(f"{network.name} has no embedding before it is normalised")
    rng = np.random.default_rng(seed)
    pool = rng.permutation(research.unlabelled())
    parts = np.split(pool, np.cumsum([FACES, STRANGERS, DEGRADED, COVERED]))[:4]
    faces, strangers, worse, covered = (np.sort(part) for part in parts)
    cohort = _cohort(network, research, faces, worse, covered, seed)

    def measured(crops: Pixels, settings: Sequence[Setting | None]) -> Photos:
        return measure_photos(network, cohort, crops, settings, seed)

    pairs, crops = _lfw_crops(lfw, images)
    plain = measured(crops, [None] * len(crops))
    blocks = _lfw_blocks(measured, crops, plain, pairs, rng)
    blocks.append(_strangers(measured, research, strangers, rng))
    if people is not None:
        blocks += _hard_blocks(measured, research, people, rng)
    hard = [block for block in blocks if block.name == "hard"]
    ordinary = Table.joined([b.a for b in hard]) if hard else plain.table
    curve = fit_pair_curve(blocks, plain.table, ordinary, _protocol(blocks, people))
    return replace(curve, gap=fit_gap(curve, blocks)), cohort


def measure_photos(
    network: HasRaw,
    cohort: Cohort,
    crops: Pixels,
    settings: Sequence[Setting | None],
    seed: int = 0,
) -> Photos:
    """Embeddings and measures of template crops (N,112,112,3), degraded first where they are to
    be."""
    raws, tables = [], []
    for i in tqdm(range(0, len(crops), CHUNK), desc="photos", unit="batch"):
        part = _worse(crops[i : i + CHUNK], settings[i : i + CHUNK], seed + i)
        raws.append(raw_rows(network, part))
        tables.append(cohort.measure(raws[-1], part))
    raw = np.concatenate(raws)
    return Photos(raw / np.linalg.norm(raw, axis=1, keepdims=True), Table.joined(tables), settings)


def raw_rows(network: HasRaw, crops: Pixels, *, fast: bool = True) -> NDArray[np.float32]:
    """Raw embeddings (N,D) of crops (N,S,S,3)."""
    x = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255
    x = x.contiguous(memory_format=torch.channels_last)
    return np.asarray(raw_all(network, x, fast=fast).cpu().numpy())


def _worse(crops: Pixels, settings: Sequence[Setting | None], seed: int) -> Pixels:
    there = [setting for setting in settings if setting is not None]
    if not there:
        return crops
    assert len(there) == len(crops)
    return degraded(crops, there, seed)


def _cohort(
    network: HasRaw,
    research: ResearchPhotos,
    faces: NDArray[np.intp],
    worse: NDArray[np.intp],
    covered: NDArray[np.intp],
    seed: int,
) -> Cohort:
    """Centres of ordinary and of degraded photos; covered ones come in addition, because what is
    drawn over a face hides it in many ways."""
    rng = np.random.default_rng(seed)
    covers = [setting for setting in SETTINGS if setting.kind in ("mask", "glasses", "both")]
    settings = [SETTINGS[i] for i in rng.integers(len(SETTINGS), size=len(worse))]
    settings += [covers[i] for i in rng.integers(len(covers), size=len(covered))]
    plain = research.crops(faces)
    bad = degraded(research.crops(np.concatenate([worse, covered])), settings, seed)
    unit = []
    for crops in (plain, bad):
        raw = np.concatenate([raw_rows(network, part) for part in _chunks(crops)])
        unit.append(raw / np.linalg.norm(raw, axis=1, keepdims=True))
    return build_cohort(*unit, settings, plain, bad)


def _chunks(crops: Pixels) -> list[Pixels]:
    return [crops[i : i + CHUNK] for i in range(0, len(crops), CHUNK)]


def _lfw_crops(lfw: PairSet, images: Path) -> tuple[Pairs, Pixels]:
    names = lfw.photos
    with PhotoStore(images) as store:
        crops = np.stack([decode(store.read(name)) for name in names])
    return Pairs(*lfw.rows(names), lfw.labels), crops


Measured = Callable[[Pixels, Sequence[Setting | None]], Photos]


def _lfw_blocks(
    measured: Measured, crops: Pixels, plain: Photos, pairs: Pairs, rng: np.random.Generator
) -> list[Block]:
    """The pairs as they are, with the second photo degraded, and with both degraded alike."""
    drawn = [SETTINGS[i] for i in rng.integers(len(SETTINGS), size=len(pairs.labels))]
    first, second = (measured(crops[side], drawn) for side in (pairs.a, pairs.b))
    every = Pairs(np.arange(len(drawn)), np.arange(len(drawn)), pairs.labels)
    return [
        _block("lfw", plain, plain, pairs),
        _block("lfw, one degraded", plain, second, Pairs(pairs.a, every.b, pairs.labels)),
        _block("lfw, degraded alike", first, second, every),
    ]


def _strangers(
    measured: Measured,
    research: ResearchPhotos,
    rows: NDArray[np.intp],
    rng: np.random.Generator,
) -> Block:
    """Pairs of two photos of one kind, which hardly ever show one person."""
    photos = measured(research.crops(rows), [None] * len(rows))
    kinds: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(rows):
        kinds.setdefault(research.kind(int(row)), []).append(place)
    large = [places for places in kinds.values() if len(places) >= 8]
    drawn = np.array(
        [
            rng.choice(large[rng.integers(len(large))], 2, replace=False)
            for _ in range(STRANGER_PAIRS)
        ]
    )
    return _block("strangers", photos, photos, Pairs(*drawn.T, np.zeros(len(drawn), bool)))


def _hard_blocks(
    measured: Measured, research: ResearchPhotos, people: People, rng: np.random.Generator
) -> list[Block]:
    """Labelled people: as they are, one photo degraded, both degraded alike."""
    known = np.flatnonzero(research.people(*people))
    rows = _some_of_each(research, known, PER_PERSON, rng)
    bad_rows = _some_of_each(research, known, WORSE_PER_PERSON, rng)
    plain = measured(research.crops(rows), [None] * len(rows))
    drawn = [SETTINGS[i] for i in rng.integers(len(SETTINGS), size=len(bad_rows))]
    bad = measured(research.crops(bad_rows), drawn)
    who, bad_who = research.labels[rows], research.labels[bad_rows]
    return [
        _block("hard", plain, plain, draw_pairs(who, who, HARD_PAIRS, rng, rows, rows)),
        _block("hard, one degraded", plain, bad,
               draw_pairs(who, bad_who, WORSE_PAIRS, rng, rows, bad_rows)),
        _block("hard, degraded alike", bad, bad, alike_pairs(drawn, bad_who, rng)),
    ]  # fmt: skip


def _some_of_each(
    research: ResearchPhotos, rows: NDArray[np.intp], most: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    labels = research.labels[rows]
    drawn = [rng.permutation(rows[labels == person])[:most] for person in np.unique(labels)]
    return np.concatenate(drawn)


def draw_pairs(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    n: int,
    rng: np.random.Generator,
    ids_a: NDArray[np.intp],
    ids_b: NDArray[np.intp],
) -> Pairs:
    """``n`` genuine and ``n`` impostor pairs of a photo of ``a`` and one of ``b`` (labels (N,) and
    (M,)), never of a photo with itself; people count by the root of their photos."""
    people = np.unique(b)
    rows_a, rows_b = ([np.flatnonzero(x == p) for p in people] for x in (a, b))
    weight = np.array([min(len(x), len(y)) ** 0.5 if len(x) > 1 else 0
                       for x, y in zip(rows_a, rows_b, strict=True)])  # fmt: skip
    drawn: list[tuple[int, int]] = []
    while len(drawn) < n:
        person = rng.choice(len(people), p=weight / weight.sum())
        i, j = rng.choice(rows_a[person]), rng.choice(rows_b[person])
        if ids_a[i] != ids_b[j]:
            drawn.append((i, j))
    while len(drawn) < 2 * n:
        i, j = rng.integers(len(a)), rng.integers(len(b))
        if a[i] != b[j]:
            drawn.append((i, j))
    return Pairs(*np.array(drawn).T, np.arange(2 * n) < n)


def alike_pairs(
    settings: Sequence[Setting], labels: NDArray[np.int64], rng: np.random.Generator
) -> Pairs:
    """All genuine pairs of photos degraded alike, and ``ALIKE_PAIRS`` impostor pairs a setting."""
    which = np.array([SETTINGS.index(setting) for setting in settings])
    found = []
    for setting in np.unique(which):
        rows = np.flatnonzero(which == setting)
        pairs = np.column_stack(np.triu_indices(len(rows), 1))
        same = labels[rows[pairs[:, 0]]] == labels[rows[pairs[:, 1]]]
        impostors = rng.permutation(np.flatnonzero(~same))[:ALIKE_PAIRS]
        found.append(rows[pairs[np.concatenate([np.flatnonzero(same), impostors])]])
    a, b = np.concatenate(found).T
    return Pairs(a, b, labels[a] == labels[b])


def _block(name: str, first: Photos, second: Photos, pairs: Pairs) -> Block:
    """Pairs of a photo of ``first`` and one of ``second``."""
    a, b, labels = pairs
    kinds = [(first.settings[i], second.settings[j]) for i, j in zip(a, b, strict=True)]
    weights: Floats = np.array([MILD if any(k and k.mild for k in pair) else 1 for pair in kinds])
    return Block(
        name,
        (first.unit[a] * second.unit[b]).sum(1).astype(np.float64),
        first.table[a],
        second.table[b],
        labels,
        MASS[name],
        weights,
        np.array([one.kind if one and one == other else "" for one, other in kinds]),
    )


def _protocol(blocks: Sequence[Block], people: People | None) -> str:
    counts = "; ".join(
        f"{block.name}: {int(block.labels.sum())} genuine, {int((~block.labels).sum())} impostor"
        for block in blocks
    )
    who = (
        "no hard pairs, because the network was trained on all labelled people"
        if people is None
        else f"hard pairs of people with label mod {people.every} in {list(people.left)}"
    )
    return f"both classes weigh the same in every block; {counts}; {who}"
