"""The table of labelled training photos, ``faces_train.csv``, beside its tar shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from xfv_core.lists.reading import ListError, read_csv

TABLE = "faces_train.csv"


@dataclass(frozen=True)
class FaceRow:
    """A photo: where it lies, and what is known of it, None or "" for nothing.

    ``label``: the person's number; ``age`` in years; ``set``: the collection it comes from.
    """

    index: int
    shard: int
    file: str
    set: str = ""
    label: int | None = None
    age: float | None = None
    gender: str = ""
    group: str = ""
    __pydantic_config__ = ConfigDict(extra="ignore", allow_inf_nan=False)


def read_faces(folder: Path) -> list[FaceRow]:
    """The photos of a folder, by index; ListError where there is no table or a row is wrong."""
    columns, rows = read_csv(folder / TABLE)
    known = TypeAdapter(FaceRow)
    found = []
    for number, row in enumerate(rows, start=2):
        told = {key: value for key, value in zip(columns, row, strict=True) if value}
        try:
            found.append(cast(FaceRow, known.validate_strings(told)))
        except ValidationError as error:
            (place, *_), said = error.errors()[0]["loc"], error.errors()[0]["msg"]
            raise ListError(f"{folder / TABLE}, row {number}, {place}: {said}.") from error
    return sorted(found, key=lambda row: row.index)


def shard_file(folder: Path, shard: int) -> Path:
    """The tar of a shard."""
    return folder / f"faces_train-{shard:03d}.tar"
