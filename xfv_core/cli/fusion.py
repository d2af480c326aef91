"""The command that measures what several reference photos add: fusion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xfv_core.cli.options import MODEL, Manifest, Model, Result, Seed, verifier_of
from xfv_core.errors import XfvError

app = typer.Typer()


@app.command()
def fusion(
    data: Annotated[Path, typer.Option(help="Folder with faces_train.csv and its shards.")],
    model: Model = MODEL,
    people: Annotated[
        str, typer.Option(help="Labelled people nobody was fitted to: 8:7 for label mod 8 in 7.")
    ] = "8:7",
    n: Annotated[int, typer.Option("--n", help="Genuine trials, and as many impostors.")] = 6000,
    seed: Seed = 0,
    result: Result = None,
    manifest: Manifest = None,
) -> None:
    """How much do 2, 3 or 5 photos of one claimed person add, and how are they best joined?"""
    import numpy as np

    from xfv_core.evaluation.maps.study import head, versions
    from xfv_core.evaluation.verdicts.conditional import people_of
    from xfv_core.evaluation.verdicts.fusion import PROTOCOL, measure_fusion
    from xfv_core.evaluation.verdicts.photos import measure_photos
    from xfv_core.evaluation.verdicts.research import ResearchPhotos
    from xfv_core.models.base import HasRaw

    verifier = verifier_of(manifest)
    card, network, cohort = (
        verifier.manifest.card(model), verifier.model(model), verifier.cohort(model)
    )  # fmt: skip
    who = people_of(people)
    calibration = card.calibration
    if not (calibration and calibration.conditional and cohort and isinstance(network, HasRaw)):
        raise XfvError(f"{model} has no probability that takes measures: run calibrate first.")
    if who is None:
        raise XfvError("Name the people, for instance --people 8:7.")
    research = ResearchPhotos.read(data)
    rows = np.flatnonzero(research.people(*who))
    photos = measure_photos(network, cohort, research.crops(rows), [None] * len(rows), seed)
    table = measure_fusion(
        photos, research.labels[rows], calibration.conditional, trials=n, seed=seed
    )
    settings = {
        "model": model, "weights": card.sha256, "people": people, "n": n, "seed": seed,
        "versions": versions(),
    }  # fmt: skip
    text = json.dumps(head(settings, "fusion", PROTOCOL, n) | table, indent=2) + "\n"
    if result:
        result.write_text(text)
    typer.echo(text)
