"""A list worked through row by row, by one or several processes, and gone on with after a stop.

Rows are appended to a part per process in the folder ``OUT.partial``; when all are there they are
joined to OUT and the folder goes. A part is a CSV of the two paths and what was found.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from xfv_core import strict_json
from xfv_core.errors import XfvError
from xfv_core.lists.columns import COLUMNS, cells, typed
from xfv_core.lists.reading import PARQUET, PATHS, ListError, PairList
from xfv_core.many import Comparer
from xfv_core.verifier import Verifier

Steps = Callable[[int, int], None]  # rows done, rows to do
HEADER = [*PATHS, *COLUMNS]


@dataclass(frozen=True)
class Run:
    """What is done with a list.

    ``out``: .csv or .parquet.    ``maps``: folder for a picture of each pair, None for none.
    ``model``, ``operating_point``, ``threshold`` as in ``verify_many``.
    """

    pairs: PairList
    out: Path
    model: str | None = None
    operating_point: str = "balanced"
    threshold: float | None = None
    maps: Path | None = None
    method: str = "occlusion"

    @property
    def folder(self) -> Path:
        """Where unfinished rows lie."""
        return self.out.with_name(f"{self.out.name}.partial")

    def part(self, process: int) -> Path:
        return self.folder / f"{process}.csv"


def work_through(
    verifier: Verifier,
    run: Run,
    *,
    process: tuple[int, int] = (0, 1),
    steps: Steps = lambda done, todo: None,
) -> None:
    """The share of one process (index, count), from the first row that is not there yet.

    Raises ListError where the results are there, or were begun otherwise, or another does it.
    """
    _check(run)
    compare = Comparer(
        verifier, model=run.model, operating_point=run.operating_point, threshold=run.threshold,
        dated=True,
    )  # fmt: skip
    if run.maps and run.method not in (fits := verifier.methods_for(compare.card.name, "study")):
        raise ListError(
            f"{compare.card.name} is not explained by {run.method!r}; "
            f"choose from {', '.join(fits)}."
        )
    _begin(run, _settings(run, compare, process[1]))
    share = _share(len(run.pairs.rows), *process)
    with _part(run, process[0]) as part:
        done = _resume(run, part, share)
        steps(len(done), len(share))
        for count, row in enumerate(share[len(done) :], start=len(done) + 1):
            a, b = run.pairs.photos(row)
            found = compare(a, b)
            drawn = _draw(verifier, run, compare, row) if run.maps and found.verdict else ("", "")
            csv.writer(part, lineterminator="\n").writerow(
                [*_paths(run.pairs, row), *cells(found, compare.card.name, *drawn)]
            )
            part.flush()
            steps(count, len(share))


def finish(run: Run, processes: int = 1) -> None:
    """Join the parts to ``run.out`` once every process is through."""
    rows = [row for i in range(processes) for row in _rows(run.part(i).read_text("utf-8"))]
    found = [row[len(PATHS) :] for row in rows]
    write = _write_parquet if run.out.suffix.lower() == PARQUET else _write_csv
    write(run.pairs, found, run.out)
    shutil.rmtree(run.folder)


def _check(run: Run) -> None:
    if run.out.exists():
        raise ListError(f"{run.out} is there already; choose another name or remove it.")
    if taken := [name for name in run.pairs.columns if name in COLUMNS]:
        raise ListError(
            f"The list has a column {taken[0]!r}, and so will the result; rename that of the list."
        )


def _settings(run: Run, compare: Comparer, processes: int) -> dict[str, Any]:
    """All that the rows depend on, by what a reader would call it."""
    return {
        "list": run.pairs.sha256,
        "photos": str(run.pairs.folder.resolve()),
        "model": compare.card.name,
        "weights": compare.card.sha256,
        "calibration": sha256(repr(compare.card.calibration).encode()).hexdigest(),
        "operating point": run.operating_point,
        "threshold": run.threshold,
        "maps": run.maps and [str(run.maps.resolve()), run.method],
        "number of processes": processes,
    }


def _begin(run: Run, settings: dict[str, Any]) -> None:
    """Note the settings, or raise ListError where the rows that are there were made with others."""
    file = run.folder / "settings.json"
    run.folder.mkdir(exist_ok=True)
    with strict_json.locked(file):
        if not file.exists():
            strict_json.write_text(file, json.dumps(settings, indent=2))
        before = strict_json.parse(file.read_text("utf-8"))
    if other := [name for name in settings if before.get(name) != settings[name]]:
        raise ListError(
            f"{run.folder} was begun with another {other[0]}; go on as before, or remove it."
        )
    if run.maps:
        run.maps.mkdir(parents=True, exist_ok=True)


@contextmanager
def _part(run: Run, process: int) -> Iterator[TextIO]:
    """This process's part, open for reading and writing, and nobody else's meanwhile."""
    path = run.part(process)
    try:
        with FileLock(path.with_suffix(".lock"), timeout=0):
            path.touch()
            with path.open("r+", encoding="utf-8", newline="") as part:
                yield part
    except Timeout as problem:
        raise ListError(f"Another process is writing to {run.folder}; let it finish.") from problem


def _resume(run: Run, part: TextIO, share: range) -> list[list[str]]:
    """The rows that are there, whole ones only; the file is cut after them."""
    done = _rows(part.read())
    if [row[: len(PATHS)] for row in done] != [_paths(run.pairs, i) for i in share[: len(done)]]:
        raise ListError(f"{part.name} holds rows of another list; remove {run.folder}.")
    part.seek(0)
    part.truncate()
    csv.writer(part, lineterminator="\n").writerows([HEADER, *done])
    part.flush()
    return done


def _rows(text: str) -> list[list[str]]:
    """The rows of a part, without its header and without a last one that was cut off."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if rows and not text.endswith("\n"):
        rows.pop()
    return [row for row in rows[1:] if len(row) == len(HEADER)]


def _paths(pairs: PairList, row: int) -> list[str]:
    return [str(pairs.rows[row][pairs.columns.index(name)]) for name in PATHS]


def _share(rows: int, index: int, count: int) -> range:
    """Neighbouring rows, which often have a photo in common."""
    return range(rows * index // count, rows * (index + 1) // count)


def _draw(verifier: Verifier, run: Run, compare: Comparer, row: int) -> tuple[str, str]:
    """The file with the picture of a pair, or the sentence that says why there is none."""
    assert run.maps is not None
    file = run.maps / f"{row + 1:06d}.png"
    try:
        explanation = verifier.explained(
            *map(compare.photo, run.pairs.photos(row)), model=compare.card.name,
            method=run.method, operating_point=run.operating_point, threshold=run.threshold,
        )  # fmt: skip
    except XfvError as problem:
        return "", str(problem)
    strict_json.write_bytes(file, explanation.figure("png"))
    return file.name, ""


def _write_csv(pairs: PairList, found: list[list[str]], out: Path) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*pairs.columns, *COLUMNS])
    for row, more in zip(pairs.rows, found, strict=True):
        writer.writerow(["" if value is None else value for value in row] + more)
    strict_json.write_text(out, text.getvalue())


def _write_parquet(pairs: PairList, found: list[list[str]], out: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {float: pa.float64(), bool: pa.bool_(), str: pa.string(), int: pa.int64()}
    columns = [pa.array(values) for values in zip(*pairs.rows, strict=True)]
    for (name, kind), texts in zip(COLUMNS.items(), zip(*found, strict=True), strict=True):
        columns.append(pa.array([typed(name, text) for text in texts], kinds[kind]))
    table = pa.table(columns, names=[*pairs.columns, *COLUMNS])
    scratch = out.with_name(f"{out.name}.new")
    parquet.write_table(table, scratch)
    scratch.replace(out)
