"""Where training photos come from: a folder of tar shards, or one packed file.

A folder holds ``faces_train-NNN.tar`` (WebP, 136x136, the template crop plus a 12 px margin),
``faces_train.csv`` (index, shard, file, label ...) and ``faces_train_teacher.npz`` (one array of
L2-normalised embeddings per teacher, row = index). Only what the table lists is ever read, and the
table holds nobody from LFW, so LFW stays a test set.

A packed file is that in one safetensors file: ``photos``, the photos one after another (WebP, the
template crop plus a margin of a few px), ``ends``, where each ends, ``labels``, and the teachers'
embeddings in int8, each row scaled to its largest entry (they are unit vectors).
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from xfv_core.errors import XfvError
from xfv_core.lists.faces import TABLE, FaceRow, read_faces, shard_file

TEACHER = "teacher."  # what a packed file puts before a teacher's name
WORKERS = os.cpu_count()
CHUNK = 512  # photos in work at once
T = TypeVar("T")


class TrainingDataError(XfvError):
    """The training data are not what the reader expects."""


@dataclass(frozen=True, eq=False)
class Source:
    """Photos as files, row by row.

    Attributes
    ----------
    key : names the content, for a cache.
    labels : int64 (N,), the identity or -1 where it is not known.
    teachers : name -> embeddings (N,D), rows of unit length.
    files : gives (row, encoded photo) of every row once, in any order.
    """

    key: str
    labels: NDArray[np.int64]
    teachers: Mapping[str, NDArray]
    files: Callable[[], Iterator[tuple[int, bytes]]]

    def photos(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Every (row, photo (P,P,3) uint8 RGB) once, in any order."""
        return _each(_decode, self.files())


def open_source(data: Path) -> Source:
    """A data folder or a packed file."""
    return _packed(data) if data.is_file() else _folder(data)


def pack(source: Source, out: Path, *, size: int, quality: int, share: int = 1) -> int:
    """Write every ``share``-th row to one file; returns the number of photos.

    The photos' middle of ``size`` px is kept, as WebP of ``quality`` (0 … 100).
    """
    rows = np.arange(0, len(source.labels), share)
    place = {int(row): i for i, row in enumerate(rows)}
    kept = ((place[row], data) for row, data in source.files() if row in place)
    shrunk = dict(_each(lambda data: _encode(_decode(data), size, quality), kept))
    files = [shrunk[i] for i in range(len(rows))]
    tensors = {
        "photos": np.frombuffer(b"".join(files), np.uint8),
        "ends": np.cumsum([len(file) for file in files], dtype=np.int64),
        "labels": source.labels[rows],
        **{TEACHER + name: _int8(rows_of[rows]) for name, rows_of in source.teachers.items()},
    }
    save_file(tensors, out)
    return len(rows)


def _folder(folder: Path) -> Source:
    if not (folder / TABLE).exists():
        raise TrainingDataError(
            f"No {TABLE} in {folder}; name the folder of shards or a packed file."
        )
    table = read_faces(folder)
    with np.load(folder / "faces_train_teacher.npz") as arrays:
        teachers = {name: arrays[name] for name in arrays.files}
    for name, rows in teachers.items():
        if len(rows) != len(table):
            raise TrainingDataError(f"{name} has {len(rows)} rows, the table has {len(table)}.")
    labels = np.array([-1 if row.label is None else row.label for row in table], dtype=np.int64)
    return Source(f"faces_train-{len(table)}", labels, teachers, lambda: _files(folder, table))


def _packed(path: Path) -> Source:
    try:
        tensors = load_file(path)
        photos, ends, labels = (tensors.pop(name) for name in ("photos", "ends", "labels"))
    except (SafetensorError, KeyError) as error:
        raise TrainingDataError(f"{path.name} is no packed training set: {error}.") from error
    starts = np.concatenate([[0], ends[:-1]])
    teachers = {name.removeprefix(TEACHER): _unit(rows) for name, rows in tensors.items()}
    digest = hashlib.sha256(photos.tobytes()).hexdigest()

    def files() -> Iterator[tuple[int, bytes]]:
        for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
            yield row, photos[start:end].tobytes()

    return Source(f"{path.stem}-{digest[:12]}", labels, teachers, files)


def _files(folder: Path, table: Sequence[FaceRow]) -> Iterator[tuple[int, bytes]]:
    for shard in sorted({row.shard for row in table}):
        wanted = {row.file: row.index for row in table if row.shard == shard}
        files = _read_shard(shard_file(folder, shard), wanted)
        yield from zip(wanted.values(), files, strict=True)


def _read_shard(path: Path, names: Iterable[str]) -> list[bytes]:
    if not path.exists():
        raise TrainingDataError(f"The shard {path.name} is missing in {path.parent}.")
    with tarfile.open(path) as tar:
        contents = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]
    missing = [name for name in names if name not in contents]
    if missing:
        raise TrainingDataError(f"{path.name} lacks {len(missing)} listed photos ({missing[0]}).")
    return [contents[name] for name in names]


def _each(
    work: Callable[[bytes], T], files: Iterator[tuple[int, bytes]]
) -> Iterator[tuple[int, T]]:
    """(row, work on its file), a few at a time on threads."""
    with ThreadPoolExecutor(WORKERS) as pool:
        while chunk := list(itertools.islice(files, CHUNK)):
            rows, contents = zip(*chunk, strict=True)
            yield from zip(rows, pool.map(work, contents), strict=True)


def _decode(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _encode(photo: NDArray[np.uint8], size: int, quality: int) -> bytes:
    margin = (photo.shape[0] - size) // 2
    if margin < 0:
        raise TrainingDataError(f"Photos of {photo.shape[0]} px have no middle of {size} px.")
    buffer = io.BytesIO()
    middle = photo[margin : margin + size, margin : margin + size]
    Image.fromarray(middle).save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


def _unit(rows: NDArray) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows.astype(np.float32), axis=1, keepdims=True)


def _int8(embeddings: NDArray) -> NDArray[np.int8]:
    rows = embeddings.astype(np.float32)
    return np.round(rows * (127 / np.abs(rows).max(1, keepdims=True))).astype(np.int8)
