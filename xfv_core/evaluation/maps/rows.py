"""Rows of a measurement over pairs: what every summary is computed from.

While it runs, every process appends a line of JSON per finished pair to a file of its own, so that
a kill loses at most one pair; when it is done, all rows become one Parquet file that carries its
settings. A later run goes on from either: with more pairs, or with methods that some pairs lack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq

from xfv_core import strict_json
from xfv_core.errors import XfvError
from xfv_core.evaluation.kept import write_rows

SETTINGS, ROWS = "settings.json", "rows.parquet"
MACHINE = ("bfloat16", "versions", "gpu")  # settings that another machine may have otherwise
NESTED = ("methods", "agreement")  # of a row: what a later run may add to
Row = TypeVar("Row")
Plain = dict[str, Any]


class RowsError(XfvError):
    """A folder or file of rows that belongs to another measurement, or to none."""


def read_rows(out: Path, kind: type[Row]) -> list[Row]:
    """The rows of a folder as dataclasses ``kind``, by pair; a line cut by a kill is left out."""
    return [strict_json.build(kind, row, "row") for row in known_rows(out).values()]


def known_rows(out: Path) -> dict[int, Plain]:
    """The same as plain data by pair, in the order of the pairs."""
    rows: dict[int, Plain] = {}
    for row in [*_parquet_rows(out / ROWS), *_lines(out)]:
        rows[row["pair"]] = _joined(rows.get(row["pair"], {}), row)
    return {pair: rows[pair] for pair in sorted(rows)}


def append(file: Any, row: Any) -> None:
    """One finished pair, a dataclass, as a line that is on its way to the disk."""
    file.write(json.dumps(asdict(row)) + "\n")
    file.flush()


def keep_rows(out: Path, file: Path) -> None:
    """All rows of a folder, with its settings, as one Parquet file."""
    write_rows(file, known_rows(out).values(), settings_of(out))


def take_up(out: Path, file: Path) -> None:
    """Go on in ``out`` from rows kept before, unless work has begun there already.

    Raises RowsError for a file that :func:`keep_rows` has not written.
    """
    if (out / SETTINGS).exists() or not file.exists():
        return
    told = (pq.read_schema(file).metadata or {}).get(b"settings")
    if told is None:
        raise RowsError(f"{file} does not say of which measurement its rows are.")
    out.mkdir(parents=True, exist_ok=True)
    part = out / f"{ROWS}.new"
    part.write_bytes(file.read_bytes())
    part.replace(out / ROWS)
    strict_json.write_text(out / SETTINGS, told.decode())


def settings_of(out: Path) -> Plain:
    """What the rows of a folder depend on; RowsError where it has none."""
    try:
        settings: Plain = strict_json.parse((out / SETTINGS).read_text("utf-8"))
    except OSError as error:
        raise RowsError(f"{out} holds no rows of a measurement.") from error
    return settings


def same_measurement(out: Path, settings: Mapping[str, Any]) -> None:
    """Note the settings in ``out``. More pairs, other methods and another machine go on from it.

    ``added`` of the noted settings says which methods another machine measured. Raises RowsError
    where anything else differs.
    """
    out.mkdir(parents=True, exist_ok=True)
    with strict_json.locked(out / SETTINGS):
        known = settings_of(out) if (out / SETTINGS).exists() else {**settings}
        but = {"n", "methods", "added", *MACHINE}
        if _without(known, but) != _without(settings, but):
            raise RowsError(
                f"{out} holds another measurement ({SETTINGS} says which); choose another folder."
            )
        known["n"] = max(known["n"], settings["n"])
        known["methods"] = list(dict.fromkeys([*known["methods"], *settings["methods"]]))
        here = {key: settings.get(key) for key in MACHINE} | {"methods": settings["methods"]}
        elsewhere = any(known.get(key) != settings.get(key) for key in MACHINE)
        if elsewhere and here not in known.get("added", []):
            known["added"] = [*known.get("added", []), here]
        strict_json.write_text(out / SETTINGS, json.dumps(known, indent=2))


def _without(settings: Mapping[str, Any], keys: set[str]) -> Plain:
    return {key: value for key, value in settings.items() if key not in keys}


def _parquet_rows(file: Path) -> list[Plain]:
    """A method that a pair lacks is null in its row, and left out here."""
    rows: list[Plain] = pq.read_table(file).to_pylist() if file.exists() else []
    for row in rows:
        for key in NESTED:
            if key in row:
                row[key] = row[key] or {}
        row["methods"] = {k: v for k, v in row["methods"].items() if v is not None}
    return rows


def _lines(out: Path) -> list[Plain]:
    rows = []
    for file in sorted(out.glob("rows-*.jsonl")):
        for line in file.read_text().split("\n"):
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return rows


def _joined(first: Plain, more: Plain) -> Plain:
    """What is known of one pair, and what a later run added."""
    nested = {key: {**first.get(key, {}), **more[key]} for key in NESTED if key in more}
    return {**first, **more, **nested}
