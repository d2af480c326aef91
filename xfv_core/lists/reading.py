"""A list of pairs as CSV (UTF-8) or Parquet: ``path_a``, ``path_b`` and whatever else it has."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xfv_core.errors import XfvError, needs

PATHS = ("path_a", "path_b")
PARQUET = ".parquet"


class ListError(XfvError):
    """A list of pairs that cannot be read, or results that cannot be written."""


@dataclass(frozen=True)
class PairList:
    """``rows`` are values in the order of ``columns``: text from CSV, of any type from Parquet.

    ``sha256`` of the file; ``folder``: what relative paths of photos start from.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    sha256: str
    folder: Path

    def photos(self, row: int) -> tuple[Path, Path]:
        """Where the two photos of a row are."""
        a, b = (self.rows[row][self.columns.index(name)] for name in PATHS)
        return self.folder / str(a), self.folder / str(b)


def read_list(path: Path, folder: Path | None = None) -> PairList:
    """Read a list by its ending, .parquet or CSV; ListError says in a sentence what is wrong.

    ``folder``: of the photos, where it is not the list's own.
    """
    data = _bytes(path)
    read = _parquet if path.suffix.lower() == PARQUET else _csv
    columns, rows = read(path.name, data)
    _check(path.name, columns)
    if not rows:
        raise ListError(f"{path.name} has no rows, only a header.")
    where = folder or path.parent
    return PairList(tuple(columns), tuple(rows), hashlib.sha256(data).hexdigest(), where)


def read_csv(path: Path) -> tuple[list[str], list[tuple[str, ...]]]:
    """Columns and rows of a CSV in UTF-8, all as wide as its header; ListError, a sentence."""
    return _csv(path.name, _bytes(path))


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise ListError(f"{path} is a folder; name the CSV or Parquet file in it.")
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise ListError(f"{path} cannot be read: {problem.strerror}.") from problem
    if not data.strip():
        raise ListError(f"{path.name} is empty.")
    return data


def _check(name: str, columns: list[str]) -> None:
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise ListError(f"{name} has two columns named {twice[0]!r}; rename one.")
    if missing := [column for column in PATHS if column not in columns]:
        raise ListError(
            f"{name} has no column {missing[0]!r}; its header has to name path_a and path_b, and "
            f"it names {', '.join(columns)[:200]}."
        )


def _csv(name: str, data: bytes) -> tuple[list[str], list[tuple[str, ...]]]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ListError(f"{name} is UTF-16; save it as CSV in UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise ListError(f"{name} is not UTF-8 (line {line}); save it as CSV in UTF-8.") from problem
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = next(reader)
        rows = []
        for row in reader:
            if row and len(row) != len(columns):
                raise ListError(
                    f"{name}, line {reader.line_num}: {len(row)} values under {len(columns)} "
                    "columns."
                )
            if row:
                rows.append(tuple(row))
    except csv.Error as problem:
        raise ListError(f"{name}, line {reader.line_num}: {problem}.") from problem
    return columns, rows


def _parquet(name: str, data: bytes) -> tuple[list[str], list[tuple[Any, ...]]]:
    needs("pyarrow", extra="evaluate")
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as problem:
        reason = str(problem).splitlines()[0][:200]
        raise ListError(f"{name} is no Parquet file that can be read: {reason}") from problem
    values = [column.to_pylist() for column in table.columns]
    return table.column_names, list(zip(*values, strict=True))
