"""The commands that measure maps over pairs: fidelity, patch-lfw, sanity.

They are shared out by ``accelerate launch`` and resume in their folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from xfv_core.cli.options import (
    MODEL,
    PAIRS,
    Count,
    Crops,
    Manifest,
    Methods,
    Model,
    On,
    Pairs,
    Result,
    Rows,
    Seed,
    Which,
    verifier_of,
)
from xfv_core.errors import XfvError, needs

if TYPE_CHECKING:
    from xfv_core.evaluation.maps.study import Study

app = typer.Typer()
SHARED = ("accelerate",)  # packages of what runs over several processes


@app.command()
def fidelity(
    images: Crops,
    pairs: Pairs = PAIRS,
    model: Model = MODEL,
    method: Methods = None,
    on: On = "genuine",
    kind: Annotated[Literal["similar", "dissimilar"], typer.Option()] = "similar",
    n: Count = 200,
    seed: Seed = 0,
    out: Rows = Path("runs/fidelity"),
    result: Result = None,
    manifest: Manifest = None,
    cells: Annotated[
        int | None, typer.Option(help="Per side, that are hidden at once; 14 unless given.")
    ] = None,
) -> None:
    """Do maps beat chance, and do methods agree? Deletion, insertion, agreement, cost.

    With a larger --n, or another --method, it goes on from the rows in --out, or else from those
    kept with --result.
    """
    needs(*SHARED, extra="evaluate")
    from xfv_core.evaluation.maps.fidelity import measure_fidelity, summarise
    from xfv_core.explain.fidelity import CELLS

    study = _study(model, pairs, images, method, on, n, seed, manifest)
    _over_processes(
        lambda **shared: measure_fidelity(study, out, kind=kind, cells=cells or CELLS, **shared),
        summarise,
        out,
        result,
    )


@app.command()
def patch_lfw(
    images: Crops,
    pairs: Pairs = PAIRS,
    model: Model = MODEL,
    method: Methods = None,
    on: On = "both",
    n: Count = 200,
    seed: Seed = 0,
    out: Rows = Path("runs/patch-lfw"),
    result: Result = None,
    manifest: Manifest = None,
) -> None:
    """Do maps find places that were pasted? AUROC, pointing, decision-based replacement."""
    needs(*SHARED, extra="evaluate")
    from xfv_core.evaluation.maps.patch_lfw import measure_patches, summarise

    study = _study(model, pairs, images, method, on, n, seed, manifest)
    _over_processes(lambda **shared: measure_patches(study, out, **shared), summarise, out, result)


@app.command()
def sanity(
    images: Crops,
    pairs: Pairs = PAIRS,
    model: Model = MODEL,
    method: Methods = None,
    on: On = "both",
    n: Count = 50,
    seed: Seed = 0,
    out: Rows = Path("runs/sanity"),
    result: Result = None,
    manifest: Manifest = None,
) -> None:
    """Do maps depend on the weights and the order of the photos, and spare identical ones?"""
    needs(*SHARED, extra="evaluate")
    from xfv_core.evaluation.maps.sanity import measure_sanity, summarise

    study = _study(model, pairs, images, method, on, n, seed, manifest)
    _over_processes(lambda **shared: measure_sanity(study, out, **shared), summarise, out, result)


def _study(
    model: str,
    pairs: str,
    images: Path,
    methods: list[str] | None,
    on: Which,
    n: int,
    seed: int,
    manifest: Path | None,
) -> Study:
    from xfv_core.evaluation.data.pairs import fetch_lfw, read_pairs
    from xfv_core.evaluation.maps.study import Study

    verifier = verifier_of(manifest)
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


def _over_processes(
    measure: Callable[..., None],
    summarise: Callable[[Path], dict[str, Any]],
    out: Path,
    result: Path | None,
) -> None:
    """This process's share of the work; the first one then sums up the rows of all of them.

    The rows are kept beside ``result``, in ``rows/``, and gone on from where ``out`` is empty.
    """
    from xfv_core.evaluation.kept import rows_file, write_summary
    from xfv_core.evaluation.maps.rows import ROWS, keep_rows, take_up
    from xfv_core.evaluation.processes import over_processes

    kept = rows_file(result) if result else out / ROWS

    def work(**shared: Any) -> None:
        take_up(out, kept)
        measure(**shared)

    if over_processes(work, "pair"):
        keep_rows(out, kept)
        summary = summarise(out)
        if result:
            write_summary(result, summary)
        text = json.dumps(summary, indent=2)
        (out / "summary.json").write_text(text)
        typer.echo(text)
