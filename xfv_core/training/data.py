"""What a training sees: decoded photos as one uint8 array, teachers as targets, labels; batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xfv_core.training.sources import Source, TrainingDataError, open_source
from xfv_core.weights.held_out import held_out


@dataclass(frozen=True)
class TrainingSet:
    """Photos and what is known of them, row by row.

    Attributes
    ----------
    photos : uint8 (N,P,P,3) RGB, usually a read-only memory map; P is 136 unless packed smaller.
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


class RowsOn:
    """A training set's rows on a device: a GPU holds them all, a CPU reads the memory map."""

    def __init__(self, data: TrainingSet, device: torch.device) -> None:
        self.data, self.device = data, device
        self.held: tuple[Tensor, ...] | None = None
        if device.type != "cpu":
            arrays = (data.photos, data.targets, data.labels)
            self.held = tuple(torch.from_numpy(np.array(array)).to(device) for array in arrays)

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Photos uint8 (B,3,P,P), targets (B,D), labels (B,) of these rows, on the device."""
        if self.held is None:
            data = self.data
            arrays = (data.photos[rows], data.targets[rows], data.labels[rows])
            photos, targets, labels = (torch.from_numpy(array) for array in arrays)
        else:
            wanted = torch.from_numpy(rows).to(self.device)
            photos, targets, labels = (tensor[wanted] for tensor in self.held)
        return photos.permute(0, 3, 1, 2), targets, labels


def load_training_set(data: Path, cache: Path, teachers: Sequence[str]) -> TrainingSet:
    """Read a data folder or a packed file; the photos are decoded once into ``cache`` and mapped
    from there."""
    source = open_source(data)
    missing = [name for name in teachers if name not in source.teachers]
    if missing:
        raise TrainingDataError(
            f"{data.name} has no teacher {missing}; it has {sorted(source.teachers)}."
        )
    targets = centred_targets(source.teachers[name] for name in teachers)
    return TrainingSet(_decoded_once(source, cache), targets, source.labels)


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


def _decoded_once(source: Source, cache: Path) -> NDArray[np.uint8]:
    path = cache / f"{source.key}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        out: NDArray[np.uint8] | None = None
        for row, photo in source.photos():
            if out is None:
                shape = (len(source.labels), *photo.shape)
                out = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
            out[row] = photo
        del out  # closes the file
        partial.rename(path)
    return np.load(path, mmap_mode="r")
