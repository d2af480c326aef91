"""False matches by group: how often two strangers who resemble each other in age, sex and origin
are taken for one person.

The photos of UTKFace carry the collectors' labels (age, gender, group) but no names. All pairs
within a cell count as impostors; the few people who occur twice make the rates an upper bound.
Strangers of one group are more alike than strangers at large, whom the first cell mixes. Misses
(FNMR) cannot be measured without names. Intervals: 95 %, bootstrap over photos, because pairs that
share a photo are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xfv_core.confidence.cohort import Cohort
from xfv_core.confidence.conditional import PairCurve
from xfv_core.confidence.measures import Table
from xfv_core.confidence.scores import Interval
from xfv_core.errors import XfvError
from xfv_core.evaluation.data.pairs import PhotoStore
from xfv_core.evaluation.verdicts.calibration import decode
from xfv_core.lists.faces import FaceRow, read_faces, shard_file
from xfv_core.models.base import FaceEmbedder, HasRaw, embed_all, raw_all
from xfv_core.strict_json import STRICT

SET = "utkface"
ADULT = (20, 60)  # years, for the cells by group
AGES = {"under 13": (0, 12), "13 to 19": (13, 19), "20 to 39": (20, 39), "40 to 59": (40, 59),
        "60 and over": (60, 200)}  # fmt: skip
MARGIN = 12  # px around the template crop in the packed photos
FEWEST = 50  # photos of a cell
PROTOCOL = (
    "UTKFace, labels of its collectors; every pair of two photos of a cell counts as two people, "
    "so the few who occur twice make the rates an upper bound; intervals by bootstrap over photos"
)
RESAMPLES = 300

Rows = Sequence[FaceRow]
# (n,n) similarities and the measures of the n photos -> by rule, which pairs it accepts
Judge = Callable[[NDArray[np.floating], "Table | None"], Mapping[str, NDArray[np.bool_]]]


class GroupsError(XfvError):
    """The folder holds too few labelled photos."""


@dataclass(frozen=True)
class PhotoRow:
    """A photo of a cell, by its ``index`` in the table: by rule, the other photos of the cell that
    are taken for the same person."""

    cell: str
    photo: int
    matches: Mapping[str, Sequence[int]]
    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Cell:
    """``fmr``: share of the ``pairs`` of ``photos`` strangers accepted, by operating point."""

    name: str
    photos: int
    pairs: int
    fmr: Mapping[str, float]
    interval: Mapping[str, Interval]


def measure_groups(
    model: FaceEmbedder,
    folder: Path,
    judge: Judge,
    *,
    most: int = 400,
    seed: int = 0,
    cohort: Cohort | None = None,
) -> list[PhotoRow]:
    """``most`` photos of each cell, drawn by ``seed``, and whom they are taken for.

    ``folder``: with ``faces_train.csv`` and its shards. The model takes template crops of 112 px.
    ``cohort``: what the measures that ``judge`` takes are measured with.
    """
    rng = np.random.default_rng(seed)
    drawn = {name: _draw(rows, most, rng) for name, rows in cells(_complete(read_faces(folder)))}
    if not drawn:
        raise GroupsError(f"{folder} has no {FEWEST} photos of {SET} with age, gender and group.")
    indices, unit, table = _embedded(
        model, folder, [row for rows in drawn.values() for row in rows], cohort
    )
    found = []
    for name, rows in drawn.items():
        photos = np.array([row.index for row in rows])
        at = np.array([indices[photo] for photo in photos.tolist()])
        accepted = judge(unit[at] @ unit[at].T, table and table[at])
        for i, photo in enumerate(photos.tolist()):
            others = {
                rule: photos[of[i] & (photos != photo)].tolist() for rule, of in accepted.items()
            }
            found.append(PhotoRow(name, photo, others))
    return found


def summarise(rows: Sequence[PhotoRow], seed: int = 0) -> list[dict[str, Any]]:
    """The cells as plain data, their intervals resampled by ``seed``."""
    rng = np.random.default_rng(seed)
    return [
        asdict(_cell(name, list(photos), rng))
        for name, photos in groupby(rows, key=lambda row: row.cell)
    ]


def by_thresholds(thresholds: Mapping[str, float]) -> Judge:
    """Accept by one similarity for all pairs, for each rule."""
    return lambda s, _: {name: s >= threshold for name, threshold in thresholds.items()}


def by_curve(curve: PairCurve, rules: Sequence[str]) -> Judge:
    """Accept by a bar for each pair, for each of these rules of a curve."""

    def judge(s: NDArray[np.floating], table: Table | None) -> dict[str, NDArray[np.bool_]]:
        if table is None:
            raise GroupsError("A conditional curve needs the measures of the photos.")
        n = len(s)
        a, b = np.divmod(np.arange(n * n), n)
        bars = curve.bars(table[a], table[b])
        return {rule: s >= curve.thresholds(bars, rule).reshape(n, n) for rule in rules}

    return judge


def tested_photos(rows: Rows, most: int = 400, seed: int = 0) -> list[int]:
    """Index of every photo that ``measure_groups`` looks at, of all rows of the table."""
    rng = np.random.default_rng(seed)
    drawn = (_draw(cell, most, rng) for _, cell in cells(_complete(rows)))
    return sorted({row.index for cell in drawn for row in cell})


def cells(rows: Rows) -> Iterator[tuple[str, Rows]]:
    """Adults mixed, adults by group and gender, everybody by age and gender; of ``FEWEST`` or
    more."""
    genders = sorted({row.gender for row in rows})
    yield from _enough("adults, mixed", [row for row in rows if _aged(row, ADULT)])
    for group in sorted({row.group for row in rows}):
        for gender in genders:
            yield from _enough(
                f"{group}, {gender}",
                [r for r in rows if (r.group, r.gender) == (group, gender) and _aged(r, ADULT)],
            )
    for words, ages in AGES.items():
        for gender in genders:
            yield from _enough(
                f"{words}, {gender}", [r for r in rows if r.gender == gender and _aged(r, ages)]
            )


def false_matches(matches: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, Interval]:
    """FMR over the pairs of (n,n) accepted ones, with its interval over resampled photos."""
    n = len(matches)
    accepted = matches.astype(np.float64)
    np.fill_diagonal(accepted, 0)
    counts = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)
    both = np.einsum("bi,ij,bj->b", counts, accepted, counts)
    pairs = counts.sum(1) ** 2 - (counts**2).sum(1)
    low, high = np.quantile(both / np.maximum(pairs, 1), (0.025, 0.975)).tolist()
    return float(accepted.sum() / (n * (n - 1))), (low, high)


def _cell(name: str, rows: Sequence[PhotoRow], rng: np.random.Generator) -> Cell:
    n, photos = len(rows), [row.photo for row in rows]
    found = {
        rule: false_matches(np.stack([np.isin(photos, row.matches[rule]) for row in rows]), rng)
        for rule in rows[0].matches
    }
    return Cell(
        name, n, n * (n - 1) // 2,
        {point: rate for point, (rate, _) in found.items()},
        {point: interval for point, (_, interval) in found.items()},
    )  # fmt: skip


def _complete(rows: Rows) -> Rows:
    """The photos of the set whose three labels are known, in the order of the table."""
    return [r for r in rows if r.set == SET and r.age is not None and r.gender and r.group]


def _aged(row: FaceRow, ages: tuple[int, int]) -> bool:
    return row.age is not None and ages[0] <= row.age <= ages[1]


def _enough(name: str, rows: Rows) -> Iterator[tuple[str, Rows]]:
    if len(rows) >= FEWEST:
        yield name, rows


def _draw(rows: Rows, most: int, rng: np.random.Generator) -> Rows:
    return [rows[i] for i in sorted(rng.permutation(len(rows))[:most])]


def _embedded(
    model: FaceEmbedder, folder: Path, rows: Rows, cohort: Cohort | None
) -> tuple[dict[int, int], NDArray[np.float32], Table | None]:
    """Where each photo's index stands, unit embeddings (N,D) and, with a cohort, measures."""
    by_shard: dict[int, dict[int, str]] = {}
    for row in rows:
        by_shard.setdefault(row.shard, {})[row.index] = row.file
    found: list[int] = []
    units: list[NDArray[np.float32]] = []
    tables: list[Table] = []
    inner = slice(MARGIN, MARGIN + model.input_size)
    for shard, files in sorted(by_shard.items()):
        with PhotoStore(shard_file(folder, shard)) as store:
            crops = np.stack([decode(store.read(file))[inner, inner] for file in files.values()])
        x = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        found += files
        if cohort is not None and isinstance(model, HasRaw):
            raw = raw_all(model, x, fast=False).cpu().numpy()
            units.append(raw / np.linalg.norm(raw, axis=1, keepdims=True))
            tables.append(cohort.measure(raw, crops))
        else:
            units.append(embed_all(model, x, fast=False).cpu().numpy())
    places = {index: place for place, index in enumerate(found)}
    return places, np.concatenate(units), Table.joined(tables) if tables else None
