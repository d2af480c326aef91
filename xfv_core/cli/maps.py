"""The commands that measure maps over pairs: fidelity, patch-lfw, sanity.

They are shared out by ``accelerate launch`` and resume in their folder.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import partial
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
Measure = Callable[..., None]
Summarise = Callable[[Path], dict[str, Any]]
SHARED = ("accelerate",)  # packages of what runs over several processes


def study_command(measure: Callable[..., tuple[Measure, Summarise]], n: int, on: Which) -> None:
    """Register ``measure(study, out, …)`` as a command with the options of every study and its own.

    It returns what measures (takes ``process`` and ``steps``) and what sums up a folder of rows.
    """
    name = measure.__name__.replace("_", "-")

    def command(
        images: Crops,
        pairs: Pairs = PAIRS,
        model: Model = MODEL,
        method: Methods = None,
        on: On = on,
        n: Count = n,
        seed: Seed = 0,
        out: Rows = Path("runs") / name,
        result: Result = None,
        manifest: Manifest = None,
        **own: Any,
    ) -> None:
        needs(*SHARED, extra="evaluate")
        study = _study(model, pairs, images, method, on, n, seed, manifest)
        _over_processes(*measure(study, out, **own), out, result)

    *shared, _ = inspect.signature(command, eval_str=True).parameters.values()
    taken = inspect.signature(measure, locals={"Study": Any}, eval_str=True)
    options = [*shared, *[*taken.parameters.values()][2:]]
    command.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    command.__annotations__ = {option.name: option.annotation for option in options}
    app.command(name, help=measure.__doc__)(command)


def fidelity(
    study: Study,
    out: Path,
    kind: Annotated[Literal["similar", "dissimilar"], typer.Option()] = "similar",
    cells: Annotated[
        int | None, typer.Option(help="Per side, that are hidden at once; 14 unless given.")
    ] = None,
) -> tuple[Measure, Summarise]:
    """Do maps beat chance, and do methods agree? Deletion, insertion, agreement, cost.

    With a larger --n, or another --method, it goes on from the rows in --out, or else from those
    kept with --result.
    """
    from xfv_core.evaluation.maps.fidelity import measure_fidelity, summarise
    from xfv_core.explain.fidelity import CELLS

    return partial(measure_fidelity, study, out, kind=kind, cells=cells or CELLS), summarise


def patch_lfw(study: Study, out: Path) -> tuple[Measure, Summarise]:
    """Do maps find places that were pasted? AUROC, pointing, decision-based replacement."""
    from xfv_core.evaluation.maps.patch_lfw import measure_patches, summarise

    return partial(measure_patches, study, out), summarise


def sanity(study: Study, out: Path) -> tuple[Measure, Summarise]:
    """Do maps depend on the weights and the order of the photos, and spare identical ones?"""
    from xfv_core.evaluation.maps.sanity import measure_sanity, summarise

    return partial(measure_sanity, study, out), summarise


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
    measure: Measure,
    summarise: Summarise,
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


study_command(fidelity, n=200, on="genuine")
study_command(patch_lfw, n=200, on="both")
study_command(sanity, n=50, on="both")
