"""The training photos: packed tar shards -> one uint8 memory map, teachers and labels in rows.

A data folder holds ``faces_train-NNN.tar`` (WebP, 136x136, the template crop plus a 12 px margin),
``faces_train.csv`` (index, shard, file, label ...) and ``faces_train_teacher.npz`` (one array of
L2-normalised embeddings per teacher, row = index). Only what the table lists is ever read, and the
table holds nobody from LFW, so LFW stays a test set.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from xfv_core.errors import XfvError
from xfv_core.weights.held_out import held_out

PHOTO_SIZE = 136


class TrainingDataError(XfvError):
    """The training data folder is not what the reader expects."""


@dataclass(frozen=True)
class TrainingSet:
    """Photos and what is known of them, row by row.

    Attributes
    ----------
    photos : uint8 (N,136,136,3) RGB, usually a read-only memory map.
    targets : float32 (N,D), the centred teachers side by side, each row of unit length.
    labels : int64 (N,), the identity or -1 where it is not known.
    """

    photos: NDArray[np.uint8]
    targets: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def identities(self) -> int:
        """Number of labelled identities (labels are 0 ... identities-1)."""
        return int(self.labels.max(initial=-1)) + 1

    def split(self, every: int, people: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows to train on, and every ``every``-th row, held out to watch the loss (0: none).

        Of the labelled people every ``people``-th is in neither, see :func:`held_out`; 0: none.
        """
        rows = np.arange(len(self))
        held = rows % every == every - 1 if every else np.zeros(len(self), dtype=bool)
        away = held_out(self.labels, people) if people else np.zeros_like(held)
        return rows[~held & ~away], rows[held & ~away]

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Photos uint8 (B,3,136,136), targets (B,D), labels (B,) of these rows."""
        photos = torch.from_numpy(self.photos[rows]).permute(0, 3, 1, 2)  # (B,3,136,136)
        return photos, torch.from_numpy(self.targets[rows]), torch.from_numpy(self.labels[rows])


def load_training_set(folder: Path, cache: Path, teachers: Sequence[str]) -> TrainingSet:
    """Read a data folder; the photos are decoded once into ``cache`` and mapped from there."""
    table = _read_table(folder / "faces_train.csv")
    photos = _photo_cache(folder, cache, table)
    targets = _read_teachers(folder / "faces_train_teacher.npz", teachers, len(table))
    labels = [int(row["label"]) if row["label"] else -1 for row in table]
    return TrainingSet(photos, targets, np.array(labels, dtype=np.int64))


def centred_targets(teachers: Iterable[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Concatenate teachers, each minus its mean and renormalised; rows have unit length.

    The cosine of two rows is the mean over teachers of their centred cosines.
    """
    parts = []
    for embeddings in teachers:
        part = embeddings.astype(np.float64)
        part -= part.mean(axis=0)
        parts.append(part / np.linalg.norm(part, axis=1, keepdims=True))
    return (np.concatenate(parts, axis=1) / np.sqrt(len(parts))).astype(np.float32)


def batch_rows(rows: NDArray[np.int64], step: int, size: int, seed: int) -> NDArray[np.int64]:
    """Rows of global batch ``step``: a pure function, so that training resumes at any step.

    Every epoch is its own permutation; the incomplete batch at its end is dropped.
    """
    per_epoch = len(rows) // size
    if per_epoch == 0:
        raise TrainingDataError(
            f"The batch of {size} is larger than the {len(rows)} training photos; make it smaller."
        )
    epoch, position = divmod(step, per_epoch)
    order = np.random.default_rng((seed, epoch)).permutation(rows)
    return order[position * size : (position + 1) * size]


def _read_table(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        raise TrainingDataError(f"No {path.name} in {path.parent}; name the folder of shards.")
    with path.open(newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: int(row["index"]))


def _read_teachers(path: Path, names: Sequence[str], count: int) -> NDArray[np.float32]:
    with np.load(path) as arrays:
        missing = [name for name in names if name not in arrays]
        if missing:
            raise TrainingDataError(f"{path.name} has no teacher {missing}; it has {arrays.files}.")
        targets = centred_targets(arrays[name] for name in names)
    if len(targets) != count:
        raise TrainingDataError(f"{path.name} has {len(targets)} rows, the table has {count}.")
    return targets


def _photo_cache(folder: Path, cache: Path, table: list[dict[str, str]]) -> NDArray[np.uint8]:
    path = cache / f"faces_train-{len(table)}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        shape = (len(table), PHOTO_SIZE, PHOTO_SIZE, 3)
        photos = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        _decode_shards(folder, table, photos)
        photos.flush()
        partial.rename(path)
    return np.load(path, mmap_mode="r")


def _decode_shards(folder: Path, table: list[dict[str, str]], out: NDArray[np.uint8]) -> None:
    with ThreadPoolExecutor(2) as pool:
        for shard in sorted({row["shard"] for row in table}, key=int):
            wanted = {row["file"]: int(row["index"]) for row in table if row["shard"] == shard}
            files = _read_shard(folder / f"faces_train-{int(shard):03d}.tar", wanted)
            for index, photo in zip(wanted.values(), pool.map(_decode, files), strict=True):
                out[index] = photo


def _read_shard(path: Path, names: Iterable[str]) -> list[bytes]:
    if not path.exists():
        raise TrainingDataError(f"The shard {path.name} is missing in {path.parent}.")
    with tarfile.open(path) as tar:
        contents = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]
    missing = [name for name in names if name not in contents]
    if missing:
        raise TrainingDataError(f"{path.name} lacks {len(missing)} listed photos ({missing[0]}).")
    return [contents[name] for name in names]


def _decode(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
