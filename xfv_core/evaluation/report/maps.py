"""The sections on maps: what the measurements over pairs wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xfv_core.evaluation.report.results import Result
from xfv_core.evaluation.report.tables import Figure, column, table

GAIN = (
    "Gain: how much further than under the random fields the cosine moves, as the area between the "
    "two curves, mean over pairs."
)


def of(measured: Iterable[Result], measurement: str) -> list[Result]:
    """The results of one kind of measurement."""
    return [result for result in measured if result["measurement"] == measurement]


def _figures(tables: Iterable[Mapping[str, Any]], key: str) -> list[Figure | None]:
    return [Figure(t[key], t[f"{key}_interval"]) if key in t else None for t in tables]


def _section(
    title: str, results: Sequence[Result], parts: Iterable[tuple[str, str]], *notes: str
) -> str:
    """A heading, how it was measured, and a table below each subheading; "" without results."""
    if not results:
        return ""
    protocols = dict.fromkeys(result["protocol"] for result in results)
    tables = [f"### {heading}\n\n{text}" for heading, text in parts]
    return "\n\n".join([f"## {title}", *protocols, *notes, *tables])


def fidelity(measured: Sequence[Result]) -> str:
    results = of(measured, "fidelity")
    parts = ((_heading(r), _fidelity_table(r)) for r in results)
    return _section("Fidelity", results, parts, GAIN)


def _heading(result: Result) -> str:
    settings = result["settings"]
    kind = f"{settings['kind']} maps, " if "kind" in settings else ""
    pairs = f"{settings['on']} pairs" if settings["on"] != "both" else "pairs of both kinds"
    cells = f", {settings['cells']} x {settings['cells']} cells" if "cells" in settings else ""
    return f"{settings['model']}: {kind}{result['n']} {pairs}{cells}"


def _fidelity_table(result: Result) -> str:
    methods = result["methods"].values()
    known = [t if t["n_empty"] < t["n_pairs"] else {"n_empty": t["n_empty"]} for t in methods]
    tables = [*known, result["random"]]
    names = (
        name if t["n_pairs"] == result["n"] else f"{name}, {t['n_pairs']} pairs"
        for name, t in result["methods"].items()
    )
    columns = [
        [*names, "random fields"],
        column(_figures(tables, "deletion"), lowest=True),
        column(_figures(tables, "insertion"), lowest=False),
        column(_figures(tables, "deletion_gain"), lowest=False, digits=3),
        column(_figures(tables, "insertion_gain"), lowest=False, digits=3),
        column(_figures(tables, "deletion_share"), lowest=False, scale=100),
        column(_figures(tables, "insertion_share"), lowest=False, scale=100),
        [str(t.get("n_empty", "–")) for t in tables],
    ]
    header = ["method", "deletion, lower is better", "insertion, higher is better",
              "gain in deletion", "gain in insertion",
              "deletion beats chance, %", "insertion beats chance, %", "empty"]  # fmt: skip
    return table(header, zip(*columns, strict=True))


def agreement(measured: Sequence[Result]) -> str:
    results = [r for r in of(measured, "fidelity") if r["agreement"]]
    parts = [f"### {_heading(r)}\n\n{_matrix(r)}" for r in results]
    text = "Spearman's rank correlation of two methods' maps as shown, mean over pairs (least)."
    return "\n\n".join(["## Agreement", text, *parts]) if parts else ""


def _matrix(result: Result) -> str:
    names = list(result["methods"])

    def cell(one: str, other: str) -> str:
        known = result["agreement"]
        found = known.get(f"{one} | {other}") or known.get(f"{other} | {one}")
        if not found or found["mean"] is None:
            return "–"
        return f"{found['mean']:.2f} ({found['least']:.2f})"

    return table(["", *names], [[one, *[cell(one, other) for other in names]] for one in names])


def cost(measured: Sequence[Result]) -> str:
    rows = {
        f"{r['settings']['model']}, {name}": (t["passes_per_pair"], _seconds(r, name))
        for r in sorted(of(measured, "fidelity"), key=lambda r: r["n"])  # most pairs come last
        for name, t in r["methods"].items()
    }
    if not rows:
        return ""
    text = (
        "Both maps of a pair: network passes (forward and backward count one each) and seconds on "
        "CPU cores."
    )
    cells = ([name, f"{passes:.0f}", s] for name, (passes, s) in sorted(rows.items()))
    return "\n\n".join(["## Cost", text, table(["model, method", "passes", "seconds"], cells)])


def _seconds(result: Result, method: str) -> str:
    gpu = {m for part in result.get("added", ()) if part["gpu"] for m in part["methods"]}
    return "–" if method in gpu else f"{result['methods'][method]['seconds_per_pair']:.2f}"


def patches(measured: Sequence[Result]) -> str:
    results = of(measured, "patch-lfw")
    return _section("Patch-LFW", results, ((_heading(r), _patch_table(r)) for r in results))


def _patch_table(result: Result) -> str:
    columns, header = [[*result["methods"], "random pixels"]], ["method"]
    for kind, error in (("genuine", "FNMR"), ("impostor", "FMR")):
        if kind not in result["random"]:
            continue
        own = [found[kind] for found in (*result["methods"].values(), result["random"])]
        columns += [
            column(_figures(own, "auroc"), lowest=False, digits=3),
            column(_figures(own, "pointing"), lowest=False, scale=100),
            column(_figures(own, "error"), lowest=True),
        ]
        header += [f"AUROC, {kind}", f"pointing, {kind}, %", f"{error}, %"]
    return table(header, zip(*columns, strict=True))


def sanity(measured: Sequence[Result]) -> str:
    results = of(measured, "sanity")
    return _section("Sanity", results, ((_heading(r), _sanity_table(r)) for r in results))


def _sanity_table(result: Result) -> str:
    header = ["method", "re-initialised: correlation", "most", "swapped: largest difference",
              "identical: dissimilar mass, %", "most, %", "limit, %"]  # fmt: skip
    return table(header, ([name, *_checked(t)] for name, t in result["methods"].items()))


def _checked(t: Mapping[str, Any]) -> list[str]:
    limit, most = t["identical_limit"], t["identical_most"]
    learned = ["–", "–"]
    if t["reinitialised"] is not None:
        mean = Figure(t["reinitialised"], t["reinitialised_interval"]).written(2)
        learned = [mean, f"{t['reinitialised_most']:.2f}"]
    return [
        *learned,
        f"{t['swapped_most']:.1e}",
        f"{100 * t['identical']:.2f}",
        f"{100 * most:.2f}",
        "–" if limit is None else f"{100 * limit:.0f}, {'kept' if most <= limit else 'broken'}",
    ]


def peers(measured: Sequence[Result]) -> str:
    results = of(measured, "peers")
    return _section("Peers", results, ((_machine(r), _peer_tables(r)) for r in results))


def _machine(result: Result) -> str:
    return f"{result['machine']}, {result['threads']} threads, median of {result['n']} rounds"


def _peer_tables(result: Result) -> str:
    races = [
        [r["what"], r["rival"], f"{r['ours']:.3f}", f"{r['theirs']:.3f}", f"{r['ratio']:.2f}"]
        for r in result["races"]
    ]
    agreements = [[what, f"{rho:.4f}"] for what, rho in result["agreement"].items()]
    memory = [[what, f"{mib:.0f}"] for what, mib in result["peak_mib"].items()]
    return "\n\n".join(
        [
            table(["what", "against", "ours, s", "theirs, s", "ratio"], races),
            table(["maps", "rank correlation"], agreements),
            table(["in a process of its own", "peak memory, MiB"], memory),
        ]
    )
