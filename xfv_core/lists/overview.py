"""One HTML page on the results of a list: counts, distributions, pairs nearest to the bar first.

The page is one file and asks nothing of any network.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from xfv_core.lists.columns import COLUMNS, typed
from xfv_core.lists.reading import PATHS, ListError, PairList, read_list

BINS = np.linspace(-1, 1, 81)
TRUE, FALSE = ("1", "true", "same", "genuine"), ("0", "false", "different", "impostor")
LABEL = "label"
SHOWN = ("similarity", "threshold", "answer", "probability_same", "log10_lr", "map", "notes",
         "error")  # fmt: skip


@dataclass(frozen=True)
class Distribution:
    """How many pairs of one kind lie in each of ``BINS``; ``name`` in words."""

    name: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)


def overview_page(results: Path) -> str:
    """HTML of a file that ``verify --pairs`` wrote; ListError where it did not."""
    found = read_list(results)
    if missing := [name for name in COLUMNS if name not in found.columns]:
        raise ListError(
            f"{results.name} has no column {missing[0]!r}; name what verify --pairs has written."
        )
    rows = sorted(_rows(found), key=_distance)
    names = [*PATHS, *(n for n in found.columns if n not in PATHS and n not in COLUMNS), *SHOWN]
    environment = Environment(
        loader=PackageLoader("xfv_core.lists"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("overview.html").render(
        title=results.name,
        counts=_counts(rows),
        errors=_error_rates(rows),
        bins=BINS.tolist(),
        distributions=_distributions(rows),
        columns=[name for name in names if any(row[name] not in (None, "") for row in rows)],
        rows=rows,
        bars=sorted({row["threshold"] for row in rows if row["threshold"] is not None}),
    )


def _rows(found: PairList) -> list[dict[str, Any]]:
    """Each row by column; what we wrote as text is read back."""
    return [
        {
            name: typed(name, value) if name in COLUMNS and isinstance(value, str) else value
            for name, value in zip(found.columns, row, strict=True)
        }
        for row in found.rows
    ]


def _distance(row: dict[str, Any]) -> float:
    """From the bar of the pair; rows without an answer come last."""
    if row["similarity"] is None:
        return float("inf")
    return abs(row["similarity"] - row["threshold"])


def _counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Pairs by their answer; those without one under "error"."""
    return dict(Counter(row["answer"] or "error" for row in rows).most_common())


def _genuine(row: dict[str, Any]) -> bool | None:
    """What a column ``label`` says, None where it says nothing that is understood."""
    said = str(row.get(LABEL, "")).strip().lower()
    return True if said in TRUE else False if said in FALSE else None


def _error_rates(rows: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Wrong decisions by kind, (how many, of how many), where the list has labels."""
    decided = [(_genuine(row), row["same"]) for row in rows if row["same"] is not None]
    impostor = [same for genuine, same in decided if genuine is False]
    genuine = [same for genuine, same in decided if genuine]
    rates = {
        "impostor pairs taken for one person": (sum(impostor), len(impostor)),
        "genuine pairs taken for two people": (genuine.count(False), len(genuine)),
    }
    return {kind: (wrong, of) for kind, (wrong, of) in rates.items() if of}


def _distributions(rows: list[dict[str, Any]]) -> list[Distribution]:
    """Similarities of genuine, impostor and other pairs, those that there are."""
    kinds = {"genuine": True, "impostor": False, "pairs without a label": None}
    found = []
    for name, kind in kinds.items():
        values = [r["similarity"] for r in rows if r["similarity"] is not None
                  and _genuine(r) is kind]  # fmt: skip
        counts = np.histogram(np.clip(values, -1, 1), BINS)[0].tolist()
        found.append(Distribution(name, tuple(counts)))
    return [each for each in found if each.total]
