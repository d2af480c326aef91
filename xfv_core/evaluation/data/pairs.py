"""Labelled pairs of photos: LFW's ten folds or anyone's CSV, in a folder or a tar, read by name."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from xfv_core.errors import XfvError
from xfv_core.evaluation.data.bins import read_bin
from xfv_core.lists.reading import read_csv

BIN_FOLDS = 10
CSV_COLUMNS = ("path_a", "path_b", "label")


class PairsError(XfvError):
    """A pair list or its photos cannot be read."""


@dataclass(frozen=True, eq=False)
class PairSet:
    """N pairs of photo names, relative to ``root`` (a folder or a tar).

    ``labels``: (N,) bool, True for a genuine pair; ``folds``: (N,) int, or None where the set has
    no folds of its own; ``columns``: what else is known of the pairs, (N,) texts each.
    """

    name: str
    paths_a: tuple[str, ...]
    paths_b: tuple[str, ...]
    labels: NDArray[np.bool_]
    folds: NDArray[np.intp] | None
    root: Path | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths_a)

    @property
    def photos(self) -> tuple[str, ...]:
        """Every photo once, sorted by name."""
        return tuple(sorted({*self.paths_a, *self.paths_b}))

    def rows(self, photos: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the two photos of each pair stand in ``photos``: two (N,) index arrays."""
        row = {name: i for i, name in enumerate(photos)}
        a, b = ([row[name] for name in side] for side in (self.paths_a, self.paths_b))
        return np.array(a, np.intp), np.array(b, np.intp)

    def having(self, photos: PhotoStore) -> PairSet:
        """Only the pairs whose two photos are there."""
        both = zip(self.paths_a, self.paths_b, strict=True)
        keep = np.array([a in photos and b in photos for a, b in both], bool)
        return PairSet(
            name=self.name,
            paths_a=tuple(np.array(self.paths_a, object)[keep]),
            paths_b=tuple(np.array(self.paths_b, object)[keep]),
            labels=self.labels[keep],
            folds=None if self.folds is None else self.folds[keep],
            root=self.root,
            columns={k: tuple(np.array(v, object)[keep]) for k, v in self.columns.items()},
        )


class PhotoStore:
    """The files of a folder, of a tar without unpacking it, or of a .bin file, by their name."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._tar: tarfile.TarFile | None = None
        self._packed: dict[str, bytes] | None = None
        if self.root.is_dir():
            return
        if self.root.suffix == ".bin":
            self._packed = read_bin(self.root)[0]
            return
        try:
            self._tar = tarfile.open(self.root)  # noqa: SIM115
        except (OSError, tarfile.TarError):
            raise PairsError(f"{self.root} is neither a folder, a tar nor a .bin file") from None
        files = (member for member in self._tar if member.isfile())
        self._members = {str(PurePosixPath(member.name)): member for member in files}

    @property
    def names(self) -> list[str]:
        """Every file there is, sorted."""
        if self._packed is not None:
            return sorted(self._packed)
        if self._tar is not None:
            return sorted(self._members)
        files = (path for path in self.root.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.root)) for path in files)

    def __contains__(self, name: str) -> bool:
        if self._packed is not None:
            return name in self._packed
        return (self.root / name).is_file() if self._tar is None else name in self._members

    def read(self, name: str) -> bytes:
        """The bytes of one photo; PairsError if there is none of that name."""
        if name not in self:
            raise PairsError(f"there is no photo {name} in {self.root}")
        if self._packed is not None:
            return self._packed[name]
        if self._tar is None:
            return (self.root / name).read_bytes()
        member = self._tar.extractfile(self._members[name])
        assert member is not None  # only regular files are listed
        return member.read()

    def __enter__(self) -> PhotoStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._tar is not None:
            self._tar.close()


def read_pairs(path: str | Path, root: str | Path | None = None) -> PairSet:
    """A pair list: ``.csv`` (see ``read_csv_pairs``), ``.bin`` (see ``bins``), anything else as
    LFW's ``pairs.txt``."""
    if Path(path).suffix.lower() == ".bin":
        return read_bin_pairs(path)
    if Path(path).suffix.lower() == ".csv":
        return read_csv_pairs(path, root)
    return read_lfw_pairs(path, root)


def read_lfw_pairs(path: str | Path, root: str | Path | None = None) -> PairSet:
    """LFW's format: ``folds n``, then per fold n genuine rows ``name i j`` and n impostor rows
    ``name i name j``; a file with only ``n`` in its first line is one set without folds."""
    header, *lines = _lines(path)
    rows = [line.split("\t") for line in lines]
    try:
        *folds, per_class = (int(word) for word in header.split())
        pairs = [_lfw_pair(row) for row in rows]
    except (ValueError, TypeError):
        raise PairsError(f"{path} is not in the format of LFW's pairs.txt") from None
    n_folds = folds[0] if folds else 1
    if len(pairs) != n_folds * 2 * per_class:
        raise PairsError(
            f"{path} announces {n_folds * 2 * per_class} pairs but lists {len(pairs)}: it is cut"
        )
    fold = np.arange(len(pairs)) // (2 * per_class)
    return PairSet(
        name=Path(path).name,
        paths_a=tuple(a for a, _ in pairs),
        paths_b=tuple(b for _, b in pairs),
        labels=np.array([len(row) == 3 for row in rows], bool),
        folds=fold if n_folds > 1 else None,
        root=None if root is None else Path(root),
    )


def _lfw_pair(row: list[str]) -> tuple[str, str]:
    if len(row) == 3:
        row = [row[0], row[1], row[0], row[2]]
    name_a, a, name_b, b = row
    return f"{name_a}/{name_a}_{int(a):04d}.jpg", f"{name_b}/{name_b}_{int(b):04d}.jpg"


def read_csv_pairs(path: str | Path, root: str | Path | None = None) -> PairSet:
    """A CSV headed ``path_a,path_b,label`` (1 same person, 0 not), paths relative to the CSV.

    Any other column is kept, to look at the pairs of each of its values alone.
    """
    columns, found = read_csv(Path(path))
    rows = [dict(zip(columns, row, strict=True)) for row in found]
    if not rows or any(name not in columns for name in CSV_COLUMNS):
        raise PairsError(f"{path} needs the header {','.join(CSV_COLUMNS)} and at least one pair")
    for number, row in enumerate(rows, start=2):
        if not row["path_a"] or not row["path_b"] or row["label"] not in ("0", "1"):
            raise PairsError(f"{path}, line {number}: expected two paths and a label of 0 or 1")
    return PairSet(
        name=Path(path).name,
        paths_a=tuple(row["path_a"] for row in rows),
        paths_b=tuple(row["path_b"] for row in rows),
        labels=np.array([row["label"] == "1" for row in rows], bool),
        folds=None,
        root=Path(path).parent if root is None else Path(root),
        columns={
            name: tuple(row[name] for row in rows)
            for name in columns
            if name and name not in CSV_COLUMNS
        },
    )


def read_bin_pairs(path: str | Path) -> PairSet:
    """A ``.bin`` verification file; its pairs in ten consecutive folds, as everybody evaluates
    them. Raises BinError for what is none."""
    photos, same = read_bin(path)
    names, n = tuple(photos), len(same)
    return PairSet(
        name=Path(path).name,
        paths_a=names[0::2],
        paths_b=names[1::2],
        labels=np.array(same, bool),
        folds=np.arange(n) * BIN_FOLDS // n if n >= 2 * BIN_FOLDS else None,
        root=Path(path),
    )


def _lines(path: str | Path) -> list[str]:
    """The lines that are not blank; at least one."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PairsError(f"the pair list {path} cannot be read: {error}") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise PairsError(f"the pair list {path} is empty")
    return lines


def fetch_lfw(data_home: str | Path | None = None) -> PairSet:
    """LFW's ten folds with the 250 px funneled photos, downloaded once by scikit-learn (200 MB)."""
    try:
        from sklearn.datasets import fetch_lfw_pairs, get_data_home
    except ImportError:
        raise PairsError("downloading LFW needs scikit-learn: pip install scikit-learn") from None
    home = Path(get_data_home(data_home)) / "lfw_home"
    try:  # the smallest subset: we only want the files that come with it
        fetch_lfw_pairs(subset="test", data_home=data_home, resize=0.1)
    except OSError as error:
        raise PairsError(f"LFW could not be downloaded: {error}") from None
    return read_lfw_pairs(home / "pairs.txt", home / "lfw_funneled")
