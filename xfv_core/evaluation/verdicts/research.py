"""The labelled research photos, for calibrations: who may be used for what, and the crops.

``faces_train.csv`` and its shards lie in one folder (see ``training.data``). No labelled person is
in a cohort, nor are the UTKFace photos that false matches by group are measured on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xfv_core.evaluation.data.pairs import PhotoStore
from xfv_core.evaluation.verdicts.calibration import decode
from xfv_core.evaluation.verdicts.groups import MARGIN, tested_photos
from xfv_core.lists.faces import FaceRow, read_faces, shard_file

GENERATED = "stylegan_generated"
SIDE = 112


@dataclass(frozen=True, eq=False)
class ResearchPhotos:
    """Rows of ``faces_train.csv``, by index; ``labels``: (N,) person or -1."""

    folder: Path
    rows: Sequence[FaceRow]
    labels: NDArray[np.int64]

    @classmethod
    def read(cls, folder: Path) -> ResearchPhotos:
        """ListError where there is no such table."""
        rows = read_faces(folder)
        labels = np.array([-1 if row.label is None else row.label for row in rows])
        return cls(folder, rows, labels)

    def people(self, every: int, remainders: Sequence[int]) -> NDArray[np.bool_]:
        """(N,) photos of the people whose label leaves one of these when divided by ``every``."""
        return (self.labels >= 0) & np.isin(self.labels % every, remainders)

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
        """Template crops (M,112,112,3) of these rows, in their order."""
        found = np.empty((len(indices), SIDE, SIDE, 3), np.uint8)
        shards = np.array([self.rows[i].shard for i in indices])
        inner = slice(MARGIN, MARGIN + SIDE)
        for shard in np.unique(shards):
            with PhotoStore(shard_file(self.folder, shard)) as store:
                for place in np.flatnonzero(shards == shard):
                    photo = decode(store.read(self.rows[indices[place]].file))
                    found[place] = photo[inner, inner]
        return found
