"""The command line: python -m xfv_core verify | explain | models | calibrate | evaluate."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from xfv_core import Verifier, XfvError
from xfv_core.manifest import save_manifest
from xfv_core.results import PictureKind

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Face verification that explains itself.",
)
Model = Annotated[str, typer.Option(help="Registry name; see the models command.")]
Point = Annotated[str, typer.Option("--at", help="Operating point: balanced, best_accuracy, …")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def verify(
    a: Path, b: Path, model: Model = "sface", at: Point = "balanced", as_json: Json = False
) -> None:
    """Are the faces in photos A and B the same person?"""
    verdict = Verifier().verify(a, b, model=model, operating_point=at)
    typer.echo(json.dumps(asdict(verdict), indent=2) if as_json else verdict.sentence)
    for note in () if as_json else verdict.notes:
        typer.echo(f"note: {note}", err=True)


@app.command()
def explain(
    a: Path,
    b: Path,
    model: Model = "sface",
    at: Point = "balanced",
    method: Annotated[str, typer.Option(help="occlusion, fggb or xssab.")] = "occlusion",
    preset: Annotated[str, typer.Option(help="Occlusion only: fast, standard or paper.")] = "",
    out: Annotated[Path | None, typer.Option(help="Picture to write: .png or .jpg.")] = None,
    strength: Annotated[float, typer.Option(min=0, max=1)] = 0.85,
    as_json: Json = False,
) -> None:
    """Why? Maps of one pair, what they show in words, and their measured fidelity."""
    options = {"preset": preset} if preset else {}
    explanation = Verifier().explained(
        a, b, model=model, operating_point=at, method=method, **options
    )
    if out:
        kind: PictureKind = "png" if out.suffix.lower() == ".png" else "jpeg"
        out.write_bytes(explanation.figure(kind, strength=strength))
    typer.echo(json.dumps(explanation.to_dict(), indent=2) if as_json else explanation.sentence)


@app.command()
def models(as_json: Json = False) -> None:
    """The models of weights.json."""
    cards = Verifier().manifest.models.values()
    rows = [
        {
            "name": card.name,
            "title": card.title,
            "calibrated": card.calibration is not None,
            "bundled": card.bundled is not None,
            "hub": str(card.hub) if card.hub else None,
            "license": card.license,
        }
        for card in cards
    ]
    for row in [] if as_json else rows:
        state = "calibrated" if row["calibrated"] else "not calibrated"
        typer.echo(f"{row['name']:12} {row['title']} · {state} · {row['license']}")
    if as_json:
        typer.echo(json.dumps(rows, indent=2))


Pairs = Annotated[str, typer.Option(help="LFW's pairs.txt, a CSV (path_a,path_b,label), or lfw.")]
Partial = Annotated[bool, typer.Option(help="Leave out pairs whose photos are absent.")]


@app.command()
def calibrate(
    model: Model = "sface",
    pairs: Pairs = "lfw",
    images: Annotated[Path | None, typer.Option(help="Folder or tar of aligned crops.")] = None,
    photos: Annotated[Path | None, typer.Option(help="Folder or tar of whole photos.")] = None,
    dataset: Annotated[str | None, typer.Option(help="What the page calls the pairs.")] = None,
    partial: Partial = False,
) -> None:
    """Fit and check a model's probability on labelled pairs; store it in weights.json.

    --pairs lfw fetches LFW, its photos too, through scikit-learn (200 MB).
    """
    from xfv_core.evaluation.calibration import calibrate_model
    from xfv_core.evaluation.pairs import fetch_lfw, read_pairs

    verifier = Verifier()
    pair_set = fetch_lfw() if pairs == "lfw" else read_pairs(pairs)
    calibration = calibrate_model(
        verifier.model(model),
        pair_set,
        images=images,
        photos=photos or (pair_set.root if pairs == "lfw" else None),
        crop_photo=lambda photo: verifier.central_crop(photo, model).pixels,
        partial=partial,
        dataset=dataset,
    )
    save_manifest(verifier.manifest.with_calibration(model, calibration.to_dict()))
    typer.echo(json.dumps(calibration.to_dict(), indent=2))


@app.command()
def evaluate(
    pairs: Pairs = "lfw",
    model: Model = "sface",
    images: Annotated[Path | None, typer.Option(help="Where the photos are.")] = None,
    aligned: Annotated[bool, typer.Option(help="They are aligned crops already.")] = False,
    partial: Partial = False,
    as_json: Json = False,
) -> None:
    """Verification accuracy on labelled pairs, with 95 % intervals.

    Sets with folds are judged at the threshold of the other folds, other sets at the model's
    calibrated one.
    """
    from xfv_core.evaluation.pairs import fetch_lfw, read_pairs
    from xfv_core.evaluation.verification import evaluate_model

    verifier = Verifier()
    pair_set = fetch_lfw() if pairs == "lfw" else read_pairs(pairs)
    table = evaluate_model(
        verifier.model(model),
        pair_set,
        images or pair_set.root,
        crop_photo=None if aligned else lambda photo: verifier.central_crop(photo, model).pixels,
        calibration=verifier.calibration(model),
        partial=partial,
    )
    accuracy, lost = table["accuracy"], len(table["lost"])
    typer.echo(
        json.dumps(table, indent=2)
        if as_json
        else f"{model} on {table['pairs']}, {table['n']} pairs, {table['path']} crops: accuracy "
        f"{accuracy['mean']:.2%} (95 % interval {accuracy['low']:.2%} to {accuracy['high']:.2%}), "
        f"EER {table['eer']:.2%}, AUC {table['auc']:.4f}, photos lost: {lost}"
    )


def main() -> None:
    """Run; a problem the user can act on is one line on stderr and exit code 1."""
    try:
        app()
    except XfvError as problem:
        sys.exit(f"{problem}")


if __name__ == "__main__":
    main()
