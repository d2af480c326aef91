"""Two results as one: of different pairs of one lot, or of different methods on the same pairs.

Long measurements go on anywhere, and a new method joins those that are measured.

A result holds means, their intervals and counts, which is all that pooling takes: with n₁ + n₂ = n
pairs, n·mean = Σ n_i·mean_i and n·(sd² + mean²) = Σ n_i·(sd_i² + mean_i²). So rows need not travel
from machine to machine. The figures are those of all pairs measured at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from xfv_core.confidence.scores import wilson
from xfv_core.evaluation.maps.fidelity import AREAS, PERCENT
from xfv_core.evaluation.maps.study import StudyError, head, normal_interval

Table = Mapping[str, Any]
COUNTS = ("n_pairs", "n_empty")
OWN = ("n", "skip", "methods")  # settings in which the two may differ
MACHINE = ("bfloat16", "versions", "gpu")  # and, where methods are added, these


def joined(first: Table, more: Table) -> dict[str, Any]:
    """``first`` with the pairs of ``more`` added, whose ``skip`` says which were in ``first``.

    ``more`` may have fewer methods; the others stay as they are, and every table says its pairs.
    It may also catch up: take methods of fewer pairs on to pairs that ``first`` has of others.
    Raises StudyError where the two do not fit together.
    """
    _fit(first, more)
    sizes = first["n"], more["n"] if more["settings"]["n"] > first["n"] else 0
    methods = dict(first["methods"])
    for name, table in more["methods"].items():
        known = methods[name]
        methods[name] = _pooled(known, table, (known["n_pairs"], table["n_pairs"]))
    agreement = dict(first["agreement"])
    for pair, found in more["agreement"].items():
        agreement[pair] = _agreement(agreement[pair], found)
    return {
        **first,
        **_head(first, more),
        "random": _pooled(first["random"], more["random"], sizes),
        "methods": methods,
        "agreement": agreement,
    }


def added(first: Table, more: Table) -> dict[str, Any]:
    """``first`` with the methods of ``more`` that it lacks, measured on its first pairs or on all.

    What is known stays as it is. Raises StudyError where the two do not fit together.
    """
    _same(first, more, OWN + MACHINE)
    if more["settings"].get("skip") or more["n"] > first["n"]:
        raise StudyError("Only what was measured on the same pairs, or the first, can be added.")
    new = {name: table for name, table in more["methods"].items() if name not in first["methods"]}
    where = {key: more["settings"].get(key) for key in MACHINE} | {"methods": list(new)}
    result = {
        **first,
        "command": f"{first['command']} --result A && {more['command']} --into A",
        "methods": {**first["methods"], **new},
        "added": [*first.get("added", ()), where],
    }
    if "agreement" in first:
        theirs = more["agreement"].items()
        agreed = {key: found for key, found in theirs if set(key.split(" | ")) & set(new)}
        result["agreement"] = {**first["agreement"], **agreed}
    return result


def _same(first: Table, more: Table, but: Collection[str] = OWN) -> None:
    one, other = (
        {k: v for k, v in r["settings"].items() if k not in but and v is not False}
        for r in (first, more)
    )
    if one != other or first["protocol"] != more["protocol"]:
        raise StudyError("The result to go on from is of another measurement.")


def _fit(first: Table, more: Table) -> None:
    _same(first, more)
    skipped = int(more["settings"]["skip"])
    for name in more["methods"]:
        known = first["methods"].get(name, {}).get("n_pairs", 0)
        if known != skipped:
            raise StudyError(
                f"{name} was measured on {known} pairs there, but --skip is {skipped}."
            )
    if skipped < first["n"] < more["settings"]["n"]:
        raise StudyError(f"Go on to {first['n']} pairs first, as many as the result has.")


def _head(first: Table, more: Table) -> dict[str, Any]:
    """One command where it would do the same, else one after the other."""
    n = max(first["n"], more["settings"]["n"])
    settings = {**first["settings"], "n": n}
    found = head(settings, first["measurement"], first["protocol"], n)
    if set(first["methods"]) > set(more["methods"]):
        found["command"] = f"{first['command']} --result A && {more['command']} --onto A"
    return found


def _pooled(first: Table, more: Table, sizes: tuple[int, int]) -> dict[str, Any]:
    """Every figure over the pairs of both, ``sizes`` many."""
    found: dict[str, Any] = {}
    for key, value in first.items():
        interval = f"{key}_interval"
        if key in COUNTS:
            found[key] = value + more[key]
        elif key.endswith("_curve"):
            found[key] = np.average([value, more[key]], axis=0, weights=sizes).tolist()
        elif not key.endswith("_interval"):
            found[key] = float(np.average([value, more[key]], weights=sizes))
        if interval not in first:
            continue
        n = sum(sizes)
        if key.endswith("_share"):
            found[interval] = wilson(round(found[key] * n), n)
        else:
            spreads = [_spread(t, key, k) for t, k in zip((first, more), sizes, strict=True)]
            squares = [sd**2 + t[key] ** 2 for t, sd in zip((first, more), spreads, strict=True)]
            variance = np.average(squares, weights=sizes) - found[key] ** 2
            within = PERCENT if key in AREAS else (-np.inf, np.inf)
            found[interval] = normal_interval(found[key], max(variance, 0.0) ** 0.5, n, within)
    return found


def _spread(table: Table, key: str, n: int) -> float:
    """The standard deviation behind an interval, of which one side may have been cut."""
    mean, (low, high) = table[key], table[f"{key}_interval"]
    if key in AREAS and (low, high) == PERCENT:  # of four pairs or more it never is
        raise StudyError(f"{n} pairs are too few to be joined with others.")
    return float(max(mean - low, high - mean) * np.sqrt(n) / 1.96)


def _agreement(first: Table, more: Table) -> dict[str, Any]:
    parts = [part for part in (first, more) if part["n"]]
    if not parts:
        return dict(first)
    sizes = [part["n"] for part in parts]
    mean = float(np.average([part["mean"] for part in parts], weights=sizes))
    return {"n": sum(sizes), "mean": mean, "least": min(part["least"] for part in parts)}
