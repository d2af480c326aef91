"""The commands that make the evidence: fidelity | patch-lfw | sanity | groups |
report.

The first three go over pairs, are shared out by ``accelerate launch`` and resume in their folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from xfv_core import Verifier, XfvError
from xfv_core.explain.fidelity import CELLS
from xfv_core.weights.figures import keep_figures
from xfv_core.weights.manifest import load_manifest

if TYPE_CHECKING:
    from xfv_core.evaluation.maps.study import Study, Which

app = typer.Typer()

Images = Annotated[Path, typer.Option(help="Folder or tar of aligned crops.")]
Pairs = Annotated[str, typer.Option(help="LFW's pairs.txt, a CSV (path_a,path_b,label), or lfw.")]
Model = Annotated[str, typer.Option(help="Registry name; see the models command.")]
Methods = Annotated[
    list[str] | None,
    typer.Option("--method", help="Repeatable: fggb, occlusion:PRESET, occlusion:mode=2, …"),
]
On = Annotated[Literal["genuine", "impostor", "both"], typer.Option(help="Which pairs.")]
Count = Annotated[int, typer.Option("--n", help="Pairs, drawn by the seed.")]
Skip = Annotated[int, typer.Option(help="Leave out the first pairs drawn: measured before.")]
Out = Annotated[Path, typer.Option(help="Folder of rows; the same resumes.")]
Result = Annotated[Path | None, typer.Option(help="JSON to keep in results/, for the report.")]
Into = Annotated[
    Path | None, typer.Option(help="Result of the same pairs that new methods are added to.")
]


@app.command()
def fidelity(
    images: Images,
    pairs: Pairs = "lfw",
    model: Model = "sface",
    method: Methods = None,
    on: On = "genuine",
    kind: Annotated[Literal["similar", "dissimilar"], typer.Option()] = "similar",
    n: Count = 200,
    skip: Skip = 0,
    seed: int = 0,
    out: Out = Path("runs/fidelity"),
    result: Result = None,
    onto: Annotated[Path | None, typer.Option(help="Result of the pairs of --skip.")] = None,
    into: Into = None,
    cells: Annotated[int, typer.Option(help="Per side, that are hidden at once.")] = CELLS,
) -> None:
    """Do maps beat chance, and do methods agree? Deletion, insertion, agreement, cost.

    --skip 100 --n 150 --onto RESULT goes on from a result of 100 pairs, on any machine.
    """
    from xfv_core.evaluation.maps.fidelity import measure_fidelity, summarise
    from xfv_core.evaluation.maps.joined import joined

    def summed(rows: Path) -> dict[str, Any]:
        found = summarise(rows)
        return joined(json.loads(onto.read_text()), found) if onto else found

    study = replace(_study(model, pairs, images, method, on, n, seed), skip=skip)
    _over_processes(
        lambda **shared: measure_fidelity(study, out, kind=kind, cells=cells, **shared),
        _added(summed, into),
        out,
        result,
    )


@app.command()
def patch_lfw(
    images: Images,
    pairs: Pairs = "lfw",
    model: Model = "sface",
    method: Methods = None,
    on: On = "both",
    n: Count = 200,
    seed: int = 0,
    out: Out = Path("runs/patch-lfw"),
    result: Result = None,
    into: Into = None,
) -> None:
    """Do maps find places that were pasted? AUROC, pointing, decision-based replacement."""
    from xfv_core.evaluation.maps.patch_lfw import measure_patches, summarise

    study = _study(model, pairs, images, method, on, n, seed)
    _over_processes(
        lambda **shared: measure_patches(study, out, **shared),
        _added(summarise, into),
        out,
        result,
    )


@app.command()
def sanity(
    images: Images,
    pairs: Pairs = "lfw",
    model: Model = "sface",
    method: Methods = None,
    on: On = "both",
    n: Count = 50,
    seed: int = 0,
    out: Out = Path("runs/sanity"),
    result: Result = None,
) -> None:
    """Do maps depend on the weights and the order of the photos, and spare identical ones?"""
    from xfv_core.evaluation.maps.sanity import measure_sanity, summarise

    study = _study(model, pairs, images, method, on, n, seed)
    _over_processes(lambda **shared: measure_sanity(study, out, **shared), summarise, out, result)


@app.command()
def groups(
    data: Annotated[Path, typer.Option(help="Folder with faces_train.csv and its shards.")],
    model: Model = "sface",
    n: Annotated[int, typer.Option("--n", help="Photos of each group, drawn by the seed.")] = 400,
    seed: int = 0,
    store: Annotated[bool, typer.Option("--store", help="Keep it in results/models.")] = False,
) -> None:
    """How often are strangers of one group taken for one person? By labels of UTKFace."""
    from xfv_core.evaluation.verdicts import groups as by_group

    verifier = Verifier()
    calibration = verifier.calibration(model)
    if calibration is None:
        raise XfvError(f"{model} has no threshold: run the calibrate command first.")
    points = {name: calibration.point(name).threshold for name in ("balanced", "fmr_1e-3")}
    cells = by_group.measure_groups(verifier.model(model), data, points, most=n, seed=seed)
    found = {"protocol": by_group.PROTOCOL, "n": n, "seed": seed, "thresholds": points,
             "cells": cells}  # fmt: skip
    if store:
        keep_figures(model, verifier.manifest.folder, groups=found)
    typer.echo(json.dumps(found, indent=2))


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
    out: Annotated[Path, typer.Option(help="Markdown to write.")] = Path("RESULTS.md"),
    manifest: Annotated[Path | None, typer.Option(help="Another weights.json.")] = None,
) -> None:
    """Write RESULTS.md and its curves from what has been measured."""
    from xfv_core.evaluation import report as written
    from xfv_core.evaluation.report import plots

    found, models = written.read_results(results), load_manifest(manifest)
    folder = results / "plots"
    out.write_text(written.report(found, models, os.path.relpath(folder, out.parent)))
    plots.draw(plots.pictures(found, written.calibrations(models)), folder)
    typer.echo(f"{out}: {len(found)} results")


def _study(
    model: str, pairs: str, images: Path, methods: list[str] | None, on: Which, n: int, seed: int
) -> Study:
    from xfv_core.evaluation.data.pairs import fetch_lfw, read_pairs
    from xfv_core.evaluation.maps.study import Study

    verifier = Verifier()
    calibration = verifier.calibration(model)
    if calibration is None:
        raise XfvError(f"{model} has no threshold: run the calibrate command first.")
    return Study(
        verifier.model(model),
        fetch_lfw() if pairs == "lfw" else read_pairs(pairs),
        images,
        methods or verifier.studied(model),
        threshold=calibration.point("balanced").threshold,
        decide_at=calibration.point("eer").threshold,
        which=on,
        n=n,
        seed=seed,
        weights=verifier.manifest.card(model).sha256,
    )


def _added(
    summarise: Callable[[Path], dict[str, Any]], into: Path | None
) -> Callable[[Path], dict[str, Any]]:
    """``summarise``, and what it finds added to the result in ``into``, where one is given."""
    from xfv_core.evaluation.maps.joined import added

    if into is None:
        return summarise
    return lambda rows: added(json.loads(into.read_text()), summarise(rows))


def _over_processes(
    measure: Callable[..., None],
    summarise: Callable[[Path], dict[str, Any]],
    out: Path,
    result: Path | None,
) -> None:
    """This process's share of the work; the first one then sums up what all of them found."""
    from xfv_core.evaluation.processes import over_processes

    if over_processes(measure, "pair"):
        text = json.dumps(summarise(out), indent=2) + "\n"
        for file in {out / "summary.json", result or out / "summary.json"}:
            file.write_text(text)
        typer.echo(text)
