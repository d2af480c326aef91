"""Labelled people whom trainings and fits leave out: their pairs, and the fit to the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xfv_core.cli.options import Mixed, Seed
from xfv_core.errors import XfvError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from xfv_core import Verifier
    from xfv_core.confidence import Calibration
    from xfv_core.evaluation.data.pairs import PairSet

app = typer.Typer()


@app.command()
def people_pairs(
    data: Annotated[Path, typer.Option(help="Folder with faces_train.csv and its shards.")],
    out: Annotated[Path, typer.Option(help="Folder for their crops and people.csv.")],
    who: Annotated[str, typer.Option(help="8:7 is label mod 8 = 7, kept out everywhere.")] = "8:7",
    n: Annotated[int, typer.Option("--n", help="Genuine pairs, and as many impostors.")] = 2000,
    below: Annotated[int, typer.Option(help="px that crops go on below; 8 for ECNet.")] = 0,
    mixed: Mixed = None,
    seed: Seed = 0,
) -> None:
    """Write pairs of labelled people with their aligned crops, for evaluate --aligned."""
    from xfv_core.evaluation.verdicts.conditional import people_of
    from xfv_core.evaluation.verdicts.research import ResearchPhotos, write_pairs

    chosen = people_of(who)
    if chosen is None:
        raise XfvError("--who names the people: 8:7 is label mod 8 = 7.")
    written = write_pairs(ResearchPhotos.read(data, below, mixed or ()), chosen, out, n, seed)
    typer.echo(f"{out}: {written} pairs")


def with_measures(
    verifier: Verifier,
    model: str,
    calibration: Calibration,
    pairs: PairSet,
    sources: tuple[Path | None, Path | None],
    data: Path,
    who: tuple[str, str],
    mixed: Sequence[int],
    manifest: Path | None,
    result: Path | None,
) -> Calibration:
    """The calibration with a conditional curve; its cohort goes beside the weights, and how it does
    on people it has not seen to ``result``."""
    from xfv_core.evaluation.kept import keep
    from xfv_core.evaluation.maps.study import head, versions
    from xfv_core.evaluation.verdicts.conditional import (
        aligned_crops,
        calibrate_pairs,
        people_of,
        served_crops,
    )
    from xfv_core.evaluation.verdicts.evaluate import summarise
    from xfv_core.evaluation.verdicts.people_folds import PROTOCOL
    from xfv_core.evaluation.verdicts.photos import SIDE, SQUARE_BELOW
    from xfv_core.evaluation.verdicts.research import ResearchPhotos
    from xfv_core.faces import align, cut
    from xfv_core.weights.manifest import keep_cohort

    def look(photo: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        seen, face, crop = verifier.central_face(photo, model)
        matrix = align(seen.pixels, face.landmarks).matrix
        long = cut(seen.pixels, matrix, face.landmarks, SIDE + SQUARE_BELOW).pixels
        return crop.pixels, long[:, :SIDE]

    images, photos = sources
    square = verifier.manifest.card(model).input.crop == "square"
    if square and photos:
        lfw = served_crops(pairs, photos, look)
    elif images and not square:
        lfw = aligned_crops(pairs, images)
    else:
        raise XfvError(
            "--data needs --photos: the whole photos of the pairs."
            if square
            else "--data needs --images: the aligned crops of the pairs."
        )
    people, held = map(people_of, who)
    research = ResearchPhotos.read(data, SQUARE_BELOW if square else 0, mixed)
    curve, cohort, rows = calibrate_pairs(
        verifier.model(model), research, lfw, people, held, calibration if result else None
    )
    if result:
        settings = {
            "model": model, "weights": verifier.manifest.card(model).sha256, "pairs": pairs.name,
            "images": images.name if images else False, "data": data.name, "people": who[0],
            "mixed": list(mixed), "seed": 0, "versions": versions(),
        }  # fmt: skip
        told = head(settings, "calibrate", PROTOCOL, len(rows)) | summarise(rows)
        keep(result, rows, told | {"model": model, "pairs": "people, in folds"})
    keep_cohort(model, cohort.to_bytes(), manifest)
    return replace(calibration, conditional=curve)
