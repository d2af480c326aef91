"""Calibrate a network conditionally: its cohort and the curve that takes measures.

Fitted on LFW's pairs, the same pairs with one or both photos degraded, hard pairs of labelled
people whom the network has not been trained on and who are not kept for the test, their degraded
copies, and strangers of one kind (age, gender, group) whose names are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from xfv_core.confidence import Calibration
from xfv_core.confidence.cohort import Cohort
from xfv_core.confidence.conditional import PairCurve
from xfv_core.confidence.curves import CalibrationError
from xfv_core.confidence.measures import Pixels
from xfv_core.errors import XfvError
from xfv_core.evaluation.data.degrade import SETTINGS, Setting, degraded
from xfv_core.evaluation.data.pairs import PairSet, PhotoStore
from xfv_core.evaluation.verdicts.calibration import decode
from xfv_core.evaluation.verdicts.cohorts import build_cohort
from xfv_core.evaluation.verdicts.evaluate import PairRow
from xfv_core.evaluation.verdicts.pair_blocks import Pairs, alike_pairs, block, draw_pairs
from xfv_core.evaluation.verdicts.pair_fit import Block, fit_gap, fit_pair_curve
from xfv_core.evaluation.verdicts.pair_rules import rules_for, with_rates
from xfv_core.evaluation.verdicts.people_folds import HardPairs, judge_in_folds
from xfv_core.evaluation.verdicts.photos import (
    CHUNK,
    SIDE,
    SQUARE_BELOW,
    Photos,
    measure_photos,
    raw_rows,
)
from xfv_core.evaluation.verdicts.research import ResearchPhotos
from xfv_core.faces import NoFaceError
from xfv_core.models.base import FaceEmbedder, HasRaw

FACES, STRANGERS, DEGRADED, COVERED = 5500, 1500, 3000, 1500  # unlabelled photos, by use
PER_PERSON, WORSE_PER_PERSON = 36, 12  # photos at most
HARD_PAIRS, WORSE_PAIRS, STRANGER_PAIRS = 6000, 4000, 2500
HELD_PAIRS, HELD_OUT = 2000, "people held out"


class People(NamedTuple):
    """The people of hard pairs: those whose label leaves one of ``left`` divided by ``every``."""

    every: int
    left: tuple[int, ...]


def people_of(text: str) -> People | None:
    """ "8:0,3": people whose label leaves 0 or 3 divided by 8; None for "". XfvError otherwise."""
    if not text:
        return None
    try:
        every, left = text.split(":")
        return People(int(every), tuple(map(int, left.split(","))))
    except ValueError:
        raise XfvError(f"{text!r} names no people; write 8:0,3 for label mod 8 in 0, 3.") from None


class LabelledCrops(NamedTuple):
    """Labelled pairs and the crops of their photos, as ``measure_photos`` takes them."""

    pairs: Pairs
    crops: Pixels
    seen: Pixels | None = None


def aligned_crops(pairs: PairSet, images: Path) -> LabelledCrops:
    """Of template crops in ``images``."""
    names = pairs.photos
    with PhotoStore(images) as store:
        crops = np.stack([decode(store.read(name)) for name in names])
    return LabelledCrops(Pairs(*pairs.rows(names), pairs.labels), crops)


def served_crops(
    pairs: PairSet, photos: Path, look: Callable[[bytes], tuple[Pixels, Pixels]]
) -> LabelledCrops:
    """Of whole photos, cut by ``look``: the network's crop, and the template's, which goes on
    below. Pairs with an absent photo, or one without a face, are left out."""
    found: dict[str, tuple[Pixels, Pixels]] = {}
    with PhotoStore(photos) as store:
        pairs = pairs.having(store)
        for name in tqdm(pairs.photos, desc="faces", unit="photo"):
            with suppress(NoFaceError):
                found[name] = look(store.read(name))
    names = sorted(found)
    place = {name: i for i, name in enumerate(names)}
    a, b = (np.array([place.get(x, -1) for x in side]) for side in (pairs.paths_a, pairs.paths_b))
    kept = (a >= 0) & (b >= 0)
    seen, crops = (np.stack([found[name][i] for name in names]) for i in (0, 1))
    return LabelledCrops(Pairs(a[kept], b[kept], pairs.labels[kept]), crops, seen)


class Conditional(NamedTuple):
    """What a calibration makes; ``rows``: pairs of its people, judged in folds."""

    curve: PairCurve
    cohort: Cohort
    rows: list[PairRow]


def calibrate_pairs(
    network: FaceEmbedder,
    research: ResearchPhotos,
    lfw: LabelledCrops,
    people: People | None,
    held: People | None,
    alone: Calibration | None = None,
    seed: int = 0,
) -> Conditional:
    """The curve of a network, its cohort and its rules.

    ``research`` and ``lfw`` go on equally far below the template. ``people``: None where the
    network has seen them all; ``held``: people that neither it nor the fit has seen, whom the rules
    are measured on. ``alone``: the curve of the similarity alone, beside which ``people`` are then
    judged in folds. CalibrationError for a network whose raw embedding cannot be had.
    """
    if not isinstance(network, HasRaw):
        raise CalibrationError(f"{network.name} has no embedding before it is normalised")
    rng = np.random.default_rng(seed)
    pairs, crops, seen = lfw
    pool = rng.permutation(research.unlabelled())
    parts = np.split(pool, np.cumsum([FACES, STRANGERS, DEGRADED, COVERED]))[:4]
    faces, strangers, worse, covered = (np.sort(part) for part in parts)
    cohort = _cohort(network, research, faces, worse, covered, seed)

    def measured(crops: Pixels, settings: Sequence[Setting | None]) -> Photos:
        return measure_photos(network, cohort, crops, settings, seed)

    plain = measure_photos(network, cohort, crops, [None] * len(crops), seed, seen)
    blocks = _lfw_blocks(measured, crops, plain, pairs, rng)
    blocks.append(_strangers(measured, research, strangers, rng))
    hard = [] if people is None else _hard_pairs(measured, research, people, rng)

    def fit(blocks: Sequence[Block]) -> PairCurve:
        ordinary = next((block.a for block in blocks if block.name == "hard"), plain.table)
        protocol = _protocol(blocks, people, research.mixed, served=seen is not None)
        curve = fit_pair_curve(blocks, plain.table, ordinary, protocol)
        return replace(curve, gap=fit_gap(curve, blocks))

    curve = fit([*blocks, *(each.block() for each in hard)])
    curve = replace(curve, rules=rules_for(curve, blocks[0], "LFW"))
    if held is not None:
        curve = with_rates(curve, _held_out(measured, research, held, rng), HELD_OUT)
    rows = judge_in_folds(fit, blocks, hard, alone, seed) if hard and alone else []
    return Conditional(curve, cohort, rows)


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
        raw = np.concatenate([raw_rows(network, part) for part in _chunks(crops[:, -SIDE:])])
        unit.append(raw / np.linalg.norm(raw, axis=1, keepdims=True))
    return build_cohort(unit[0], unit[1], settings, plain[:, :SIDE], bad[:, :SIDE])


def _chunks(crops: Pixels) -> list[Pixels]:
    return [crops[i : i + CHUNK] for i in range(0, len(crops), CHUNK)]


Measured = Callable[[Pixels, Sequence[Setting | None]], Photos]


def _lfw_blocks(
    measured: Measured, crops: Pixels, plain: Photos, pairs: Pairs, rng: np.random.Generator
) -> list[Block]:
    """The pairs as they are, with the second photo degraded, and with both degraded alike."""
    drawn = [SETTINGS[i] for i in rng.integers(len(SETTINGS), size=len(pairs.labels))]
    first, second = (measured(crops[side], drawn) for side in (pairs.a, pairs.b))
    every = Pairs(np.arange(len(drawn)), np.arange(len(drawn)), pairs.labels)
    return [
        block("lfw", plain, plain, pairs),
        block("lfw, one degraded", plain, second, Pairs(pairs.a, every.b, pairs.labels)),
        block("lfw, degraded alike", first, second, every),
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
    return block(
        "strangers", photos, photos, Pairs(drawn[:, 0], drawn[:, 1], np.zeros(len(drawn), bool))
    )


def _hard_pairs(
    measured: Measured, research: ResearchPhotos, people: People, rng: np.random.Generator
) -> list[HardPairs]:
    """Labelled people: as they are, one photo degraded, both degraded alike."""
    known = np.flatnonzero(research.people(*people))
    rows = _some_of_each(research, known, PER_PERSON, rng)
    bad_rows = _some_of_each(research, known, WORSE_PER_PERSON, rng)
    plain = measured(research.crops(rows), [None] * len(rows))
    drawn = [SETTINGS[i] for i in rng.integers(len(SETTINGS), size=len(bad_rows))]
    bad = measured(research.crops(bad_rows), drawn)
    who, bad_who = research.labels[rows], research.labels[bad_rows]
    pairs = draw_pairs(who, who, HARD_PAIRS, rng, rows, rows)
    one_bad = draw_pairs(who, bad_who, WORSE_PAIRS, rng, rows, bad_rows)
    alike = alike_pairs(drawn, bad_who, rng)
    return [
        HardPairs("hard", plain, plain, who, who, pairs),
        HardPairs("hard, one degraded", plain, bad, who, bad_who, one_bad),
        HardPairs("hard, degraded alike", bad, bad, bad_who, bad_who, alike),
    ]


def _held_out(
    measured: Measured, research: ResearchPhotos, held: People, rng: np.random.Generator
) -> Block:
    """Pairs of people who are in no fit."""
    rows = np.flatnonzero(research.people(*held))
    photos, who = measured(research.crops(rows), [None] * len(rows)), research.labels[rows]
    return block("hard", photos, photos, draw_pairs(who, who, HELD_PAIRS, rng, rows, rows))


def _some_of_each(
    research: ResearchPhotos, rows: NDArray[np.intp], most: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    labels = research.labels[rows]
    drawn = [rng.permutation(rows[labels == person])[:most] for person in np.unique(labels)]
    return np.concatenate(drawn)


def _protocol(
    blocks: Sequence[Block], people: People | None, mixed: Sequence[int], *, served: bool
) -> str:
    counts = "; ".join(
        f"{block.name}: {int(block.labels.sum())} genuine, {int((~block.labels).sum())} impostor"
        for block in blocks
    )
    who = (
        "no hard pairs, because the network was trained on all labelled people"
        if people is None
        else f"hard pairs of the labelled people whose number, divided by {people.every}, leaves "
        + ", ".join(map(str, people.left))
    )
    absent = f", without {', '.join(map(str, mixed))}, which are several each" if mixed else ""
    crops = f"the detector's squares, else {SQUARE_BELOW} px below the template; " if served else ""
    return f"{crops}both classes weigh the same in every block; {counts}; {who}{absent}"
