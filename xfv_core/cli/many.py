"""What ``verify`` does with more than two photos: lists of pairs, several photos of one person.

A list is worked through by one process or by those of accelerate launch, with a bar on stderr.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from tqdm import tqdm

from xfv_core import Verifier, verify_references
from xfv_core.lists import Run, finish, read_list, work_through

LAUNCHED = "WORLD_SIZE"  # how many processes there are, in the environment of each


def compare_list(
    verifier: Verifier, pairs: Path, out: Path, images: Path | None, **options: Any
) -> None:
    """Work through ``pairs`` and write ``out``; ``options`` are those of a `Run`."""
    run = Run(read_list(pairs, images), out, **options)
    work = functools.partial(work_through, verifier, run)
    if (processes := int(os.environ.get(LAUNCHED, "1"))) > 1:
        from xfv_core.evaluation.processes import over_processes

        if over_processes(work, "pair"):
            finish(run, processes)
            typer.echo(f"{out}: {len(run.pairs.rows)} pairs")
        return
    with tqdm(total=len(run.pairs.rows), unit="pair") as bar:
        work(steps=lambda done, todo: bar.update(done - bar.n))
    finish(run)
    typer.echo(f"{out}: {len(run.pairs.rows)} pairs")


def compare_references(
    verifier: Verifier, references: Sequence[Path], photo: Path, as_json: bool, **options: Any
) -> None:
    """Say what several photos of one person tell together, and each of them alone."""
    found = verify_references(verifier, references, photo, **options)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    typer.echo(found.fused.sentence)
    for file, verdict in zip(references, found.each, strict=True):
        typer.echo(f"{file.name} alone: {verdict.sentence}")
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
