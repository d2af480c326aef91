"""A result that is kept: its summary as JSON, the rows it is computed from as Parquet beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from xfv_core import strict_json

Row = TypeVar("Row")


def keep(result: Path, rows: Iterable[Any], summary: Mapping[str, Any]) -> None:
    """Write ``result``, a JSON file, and the dataclasses it sums up to its :func:`rows_file`."""
    write_rows(rows_file(result), rows, summary["settings"])
    write_summary(result, summary)


def write_summary(result: Path, summary: Mapping[str, Any]) -> None:
    """The JSON of a result; it names the file of its rows."""
    told = {**summary, "rows": f"rows/{rows_file(result).name}"}
    strict_json.write_text(result, json.dumps(told, indent=2) + "\n")


def rows_file(result: Path) -> Path:
    """``FOLDER/NAME.json`` -> ``FOLDER/rows/NAME.parquet``."""
    return result.parent / "rows" / f"{result.stem}.parquet"


def store_rows(
    folder: Path, name: str, rows: Iterable[Any], settings: Mapping[str, Any]
) -> dict[str, str]:
    """Rows of what ``results/models`` in ``folder`` keeps; returns what names their file there."""
    file = rows_file(folder / "results" / (re.sub(r"[^\w.]+", "-", name) + ".json"))
    write_rows(file, rows, settings)
    return {"rows": f"rows/{file.name}"}


def write_rows(file: Path, rows: Iterable[Any], settings: Mapping[str, Any]) -> None:
    """Dataclasses, or as plain data, as a Parquet file that carries what settings they rest on."""
    plain = (asdict(row) if is_dataclass(row) else row for row in rows)  # type: ignore[arg-type]
    # Parquet has no objects without keys
    filled = [{key: value for key, value in row.items() if value != {}} for row in plain]
    table = pa.Table.from_pylist(filled)
    told = {"settings": json.dumps(settings)}
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    pq.write_table(table.replace_schema_metadata(told), part, compression="zstd")
    part.replace(file)


def read_rows(file: Path, kind: type[Row]) -> list[Row]:
    """The rows of a file that :func:`keep` wrote as dataclasses ``kind``; JsonError, one sentence,
    where they are others."""
    return [strict_json.build(kind, row, "row") for row in pq.read_table(file).to_pylist()]
