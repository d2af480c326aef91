"""The commands that measure maps over pairs: fidelity, patch-lfw, sanity.

They are shared out by ``accelerate launch`` and resume in their folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from xfv_core.cli.options import (
    METHODS,
    MODEL,
    PAIRS,
    Count,
    Crops,
    Methods,
    Model,
    On,
    Pairs,
    Result,
    Rows,
    Seed,
    Which,
)
from xfv_core.errors import XfvError, needs

if TYPE_CHECKING:
    from xfv_core.evaluation.maps.study import Study

app = typer.Typer()
SHARED = ("accelerate",)  # packages of what runs over several processes
Skip = Annotated[int, typer.Option(help="Leave out the first pairs drawn: measured before.")]
Into = Annotated[
    Path | None, typer.Option(help="Result of the same pairs that new methods are added to.")
]


@app.command()
def fidelity(
    images: Crops,
    pairs: Pairs = PAIRS,
    model: Model = MODEL,
    method: Methods = None,
    on: On = "genuine",
    kind: Annotated[Literal["similar", "dissimilar"], typer.Option()] = "similar",
    n: Count = 200,
    skip: Skip = 0,
    seed: Seed = 0,
    out: Rows = Path("runs/fidelity"),
    result: Result = None,
    onto: Annotated[Path | None, typer.Option(help="Result of the pairs of --skip.")] = None,
    into: Into = None,
    cells: Annotated[
        int | None, typer.Option(help="Per side, that are hidden at once; 14 unless given.")
    ] = None,
) -> None:
    """Do maps beat chance, and do methods agree? Deletion, insertion, agreement, cost.

    --skip 100 --n 150 --onto RESULT goes on from a result of 100 pairs, on any machine.
    """
    needs(*SHARED, extra="evaluate")
    from xfv_core.evaluation.maps.fidelity import measure_fidelity, summarise
    from xfv_core.evaluation.maps.joined import joined
    from xfv_core.explain.fidelity import CELLS

    def summed(rows: Path) -> dict[str, Any]:
        found = summarise(rows)
        return joined(json.loads(onto.read_text()), found) if onto else found

    study = replace(_study(model, pairs, images, method, on, n, seed), skip=skip)
    _over_processes(
        lambda **shared: measure_fidelity(study, out, kind=kind, cells=cells or CELLS, **shared),
        _added(summed, into),
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
    into: Into = None,
) -> None:
    """Do maps find places that were pasted? AUROC, pointing, decision-based replacement."""
    needs(*SHARED, extra="evaluate")
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
    images: Crops,
    pairs: Pairs = PAIRS,
    model: Model = MODEL,
    method: Methods = None,
    on: On = "both",
    n: Count = 50,
    seed: Seed = 0,
    out: Rows = Path("runs/sanity"),
    result: Result = None,
) -> None:
    """Do maps depend on the weights and the order of the photos, and spare identical ones?"""
    needs(*SHARED, extra="evaluate")
    from xfv_core.evaluation.maps.sanity import measure_sanity, summarise

    study = _study(model, pairs, images, method, on, n, seed)
    _over_processes(lambda **shared: measure_sanity(study, out, **shared), summarise, out, result)


def _study(
    model: str, pairs: str, images: Path, methods: list[str] | None, on: Which, n: int, seed: int
) -> Study:
    from xfv_core import Verifier
    from xfv_core.evaluation.data.pairs import fetch_lfw, read_pairs
    from xfv_core.evaluation.maps.study import Study

    verifier = Verifier()
    calibration = verifier.calibration(model)
    if calibration is None:
        raise XfvError(f"{model} has no threshold: run the calibrate command first.")
    own = [name for name in ("patches", "parts") if model in verifier.models_for(name)]
    return Study(
        verifier.model(model),
        fetch_lfw() if pairs == "lfw" else read_pairs(pairs),
        images,
        methods or [*METHODS, *own],
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
