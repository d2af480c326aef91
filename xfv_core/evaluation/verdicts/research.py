"""The labelled research photos: who may be used for what, their crops, and pairs of people.

``faces_train.csv`` and its shards lie in one folder (see ``training.data``). No labelled person is
in a cohort, nor are the UTKFace photos that false matches by group are measured on.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xfv_core.errors import XfvError
from xfv_core.evaluation.data.pairs import PhotoStore
from xfv_core.evaluation.verdicts.calibration import decode
from xfv_core.evaluation.verdicts.groups import MARGIN, tested_photos
from xfv_core.evaluation.verdicts.pair_blocks import draw_pairs
from xfv_core.evaluation.verdicts.photos import SIDE
from xfv_core.lists.faces import FaceRow, read_faces, shard_file

GENERATED = "stylegan_generated"


class ResearchError(XfvError):
    """People who are not there."""


@dataclass(frozen=True, eq=False)
class ResearchPhotos:
    """Rows of ``faces_train.csv``, by index; ``labels``: (N,) person or -1.

    ``below``: px, at most 12, that crops go on under the template. ``mixed``: labels that stand for
    several people, none of :meth:`people`.
    """

    folder: Path
    rows: Sequence[FaceRow]
    labels: NDArray[np.int64]
    below: int = 0
    mixed: tuple[int, ...] = ()

    @classmethod
    def read(cls, folder: Path, below: int = 0, mixed: Sequence[int] = ()) -> ResearchPhotos:
        """ListError where there is no such table."""
        rows = read_faces(folder)
        labels = np.array([-1 if row.label is None else row.label for row in rows])
        return cls(folder, rows, labels, below, tuple(mixed))

    def people(self, every: int, remainders: Sequence[int]) -> NDArray[np.bool_]:
        """(N,) photos of the people whose label leaves one of these when divided by ``every``."""
        known = (self.labels >= 0) & ~np.isin(self.labels, self.mixed)
        return known & np.isin(self.labels % every, remainders)

    def unlabelled(self) -> NDArray[np.intp]:
        """Photos of unnamed real people that nothing is tested on."""
        tested = np.isin(np.arange(len(self.rows)), tested_photos(self.rows))
        real = np.array([row.set != GENERATED for row in self.rows])
        return np.flatnonzero((self.labels < 0) & real & ~tested)

    def kind(self, index: int) -> tuple[str, ...]:
        """Set, group, gender and age band: strangers of one kind resemble each other more."""
        row = self.rows[index]
        band = str(np.digitize(-1.0 if row.age is None else row.age, (0, 13, 20, 60)))
        return row.set, row.group, row.gender, band

    def crops(self, indices: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Template crops (M,112+below,112,3) of these rows, in their order."""
        found = np.empty((len(indices), SIDE + self.below, SIDE, 3), np.uint8)
        shards = np.array([self.rows[i].shard for i in indices])
        inner = slice(MARGIN, MARGIN + SIDE)
        down = slice(MARGIN, MARGIN + SIDE + self.below)
        for shard in np.unique(shards):
            with PhotoStore(shard_file(self.folder, shard)) as store:
                for place in np.flatnonzero(shards == shard):
                    photo = decode(store.read(self.rows[indices[place]].file))
                    found[place] = photo[down, inner]
        return found


def write_pairs(
    research: ResearchPhotos, who: tuple[int, Sequence[int]], folder: Path, n: int, seed: int
) -> int:
    """Crops of these people as PNG and ``people.csv``; how many pairs there are.

    At most ``n`` genuine and ``n`` impostor ones, with the sets of their photos.
    """
    rows = np.flatnonzero(research.people(*who))
    if not len(rows):
        raise ResearchError(f"{research.folder} has no photo of these people.")
    folder.mkdir(parents=True, exist_ok=True)
    for row, crop in zip(rows, research.crops(rows), strict=True):
        Image.fromarray(crop).save(folder / f"{row}.png")
    labels = research.labels[rows]
    pairs = draw_pairs(labels, labels, n, np.random.default_rng(seed), rows, rows)
    with (folder / "people.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path_a", "path_b", "label", "sets"])
        for a, b, label in zip(rows[pairs.a], rows[pairs.b], pairs.labels, strict=True):
            sets = sorted({research.rows[a].set, research.rows[b].set})
            table.writerow([f"{a}.png", f"{b}.png", int(label), " and ".join(sets)])
    return len(pairs.labels)
