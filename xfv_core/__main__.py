"""The command line: python -m xfv_core verify | explain | models | calibrate | evaluate."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from xfv_core import Verdict, Verifier, XfvError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Face verification that explains itself.",
)
Model = Annotated[str, typer.Option(help="Registry name; see the models command.")]
Point = Annotated[str, typer.Option("--at", help="Operating point: balanced, best_accuracy, …")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def said(verdict: Verdict) -> str:
    """The verdict in one line."""
    words = "same person" if verdict.same else "different people"
    if verdict.probability_same is None:
        return f"{words} (similarity {verdict.similarity:.3f}, not calibrated)"
    return f"{words} (P(same) {verdict.probability_same:.4f}, similarity {verdict.similarity:.3f})"


@app.command()
def verify(
    a: Path, b: Path, model: Model = "sface", at: Point = "balanced", as_json: Json = False
) -> None:
    """Are the faces in photos A and B the same person?"""
    verdict = Verifier().verify(a, b, model=model, operating_point=at)
    typer.echo(json.dumps(asdict(verdict), indent=2) if as_json else said(verdict))
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
    explanation = Verifier().final(a, b, model=model, operating_point=at, method=method, **options)
    if out:
        out.write_bytes(explanation.picture(out.suffix, strength))
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
Images = Annotated[Path | None, typer.Option(help="Folder or tar of aligned crops.")]
Photos = Annotated[Path | None, typer.Option(help="Folder or tar of whole photos.")]


@app.command()
def calibrate(
    model: Model = "sface",
    pairs: Pairs = "lfw",
    images: Images = None,
    photos: Photos = None,
    partial: Annotated[bool, typer.Option(help="Leave out pairs whose photos are absent.")] = False,
) -> None:
    """Fit and check a model's probability on labelled pairs; store it in weights.json.

    --pairs lfw fetches LFW through scikit-learn (200 MB) and uses its photos.
    """
    from xfv_core.evaluation.calibration import calibrate_model

    verifier = Verifier()
    pair_set = fetch_lfw() if pairs == "lfw" else read_pairs(pairs)
    calibration = calibrate_model(
        verifier.model(model),
        pair_set,
        images=images,
        photos=photos or (pair_set.root if pairs == "lfw" else None),
        crop_photo=central_crop(verifier, model),
        partial=partial,
    )
    save_manifest(verifier.manifest.with_calibration(model, calibration.to_dict()))
    typer.echo(json.dumps(calibration.to_dict(), indent=2))


@app.command()
def evaluate(
    pairs: Pairs = "lfw",
    model: Model = "sface",
    images: Images = None,
    aligned: Annotated[bool, typer.Option(help="The photos are aligned crops already.")] = False,
    partial: Annotated[bool, typer.Option(help="Leave out pairs whose photos are absent.")] = False,
    as_json: Json = False,
) -> None:
    """Verification accuracy on labelled pairs, with intervals."""
    from xfv_core.evaluation.calibration import measure
    from xfv_core.evaluation.verification import verify as verification

    verifier = Verifier()
    pair_set = fetch_lfw() if pairs == "lfw" else read_pairs(pairs)
    calibration = verifier.calibration(model)
    root = images or pair_set.root
    similarities = measure(
        verifier.model(model),
        pair_set,
        images=root if aligned else None,
        photos=None if aligned else root,
        crop_photo=central_crop(verifier, model),
        partial=partial,
        degrade=False,
    )
def main() -> None:
    """Run; a problem the user can act on is one line on stderr and exit code 1."""
    try:
        app()
    except XfvError as problem:
        sys.exit(f"{problem}")


if __name__ == "__main__":
    main()
