"""The commands about one pair of photos: verify, explain; and what there is: models, methods."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xfv_core.cli.options import (
    PICTURES,
    POINT,
    FaceA,
    FaceB,
    Json,
    OutputError,
    Point,
    Prior,
    Threshold,
    output,
)
from xfv_core.errors import XfvError

if TYPE_CHECKING:
    from xfv_core import Explanation, Verdict

app = typer.Typer()
Model = Annotated[str | None, typer.Option(help="Registry name; default: what fits the method.")]


@app.command()
def verify(
    a: Path,
    b: Path,
    model: Model = None,
    at: Point = POINT,
    face_a: FaceA = 1,
    face_b: FaceB = 1,
    threshold: Threshold = None,
    prior: Prior = None,
    as_json: Json = False,
) -> None:
    """Are the faces in photos A and B the same person?"""
    from xfv_core import Verifier
    from xfv_core.results import percent

    verdict = Verifier().verify(
        a, b, model=model, operating_point=at, threshold=threshold, pick=(face_a - 1, face_b - 1)
    )
    moved = None if prior is None else verdict.at_prior(prior)
    if as_json:
        at_prior = {} if prior is None else {"at_prior": {"prior": prior, "probability": moved}}
        typer.echo(json.dumps(asdict(verdict) | at_prior, indent=2))
    else:
        typer.echo(verdict.sentence)
        if verdict.bar_words:
            typer.echo(verdict.bar_words)
        if moved is not None:
            typer.echo(f"P(same person) at a prior of {prior:g}: {percent(moved)}.")
        _say_notes(verdict)


@app.command()
def explain(
    a: Path,
    b: Path,
    model: Model = None,
    at: Point = POINT,
    face_a: FaceA = 1,
    face_b: FaceB = 1,
    method: Annotated[str, typer.Option(help="Its name; see the methods command.")] = "occlusion",
    preset: Annotated[str, typer.Option(help="Occlusion only: fast, standard or paper.")] = "",
    view: Annotated[str, typer.Option(help="Patches only: evidence or raw.")] = "",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="Another of the method, NAME=VALUE; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=output(*PICTURES), help="Picture to write: .png, .jpg, .jpeg or .webp."
        ),
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option(
            callback=output(".npz"), help="Signed maps to write: .npz with a and b, float32."
        ),
    ] = None,
    strength: Annotated[float, typer.Option(min=0, max=1)] = 0.85,
    as_json: Json = False,
) -> None:
    """Why? Maps of one pair, what they show in words, and their measured fidelity."""
    from xfv_core import Verifier

    named = [f"{name}={value}" for name, value in (("preset", preset), ("view", view)) if value]
    options = _options(method, [*named, *(option or ())])
    explanation = Verifier().explained(
        a, b, model=model, operating_point=at, method=method, pick=(face_a - 1, face_b - 1),
        **options,
    )  # fmt: skip
    verdict = explanation.verdict
    _write(explanation, out, values, strength)
    if as_json:
        typer.echo(json.dumps(explanation.to_dict(), indent=2))
        return
    typer.echo(f"{verdict.sentence}\n{explanation.sentence}")
    _say_notes(verdict)


@app.command()
def models(as_json: Json = False) -> None:
    """The models of weights.json."""
    from xfv_core.weights.manifest import load_manifest

    rows = [
        {
            "name": card.name,
            "title": card.title,
            "calibrated": card.calibration is not None,
            "bundled": card.bundled is not None,
            "hub": str(card.hub) if card.hub else None,
            "license": card.license,
        }
        for card in load_manifest().models.values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        state = "calibrated" if row["calibrated"] else "not calibrated"
        typer.echo(f"{row['name']:12} {row['title']} · {state} · {row['license']}")


@app.command()
def methods(as_json: Json = False) -> None:
    """The methods of explanation, with their options."""
    from xfv_core.explain import methods as registered

    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "title": method.title,
            "options": {each.name: list(each.choices) for each in method.options()},
        }
        for name, method in registered().items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        options = ", ".join(
            f"{name} ({', '.join(map(str, choices))})" if choices else name
            for name, choices in row["options"].items()
        )
        typer.echo(f"{row['name']:12} {row['title']} · options: {options or 'none'}")


def _options(method: str, given: list[str]) -> dict[str, Any]:
    """What NAME=VALUE texts mean to the method, which refuses what it does not know itself."""
    from xfv_core.explain import method_named

    known = {each.name: each for each in method_named(method).options()}
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise XfvError(f"--option takes NAME=VALUE, not {text!r}.")
        found[name] = known[name].read(value) if name in known else value
    return found


def _write(
    explanation: Explanation, out: Path | None, values: Path | None, strength: float
) -> None:
    import numpy as np

    try:
        if out:
            kind: Any = PICTURES[out.suffix.lower()]
            out.write_bytes(explanation.figure(kind, strength=strength))
        if values:
            with values.open("wb") as file:
                np.savez(file, a=explanation.maps.a, b=explanation.maps.b)
    except OSError as error:
        raise OutputError(f"{error.filename or out or values}: {error.strerror}.") from error


def _say_notes(verdict: Verdict) -> None:
    """On stderr: the notes, and where there was a choice of faces, what it is."""
    for note in verdict.notes:
        typer.echo(f"note: {note}", err=True)
    for side, faces in zip("ab", verdict.found, strict=True):
        if len(faces) > 1:
            places = ", ".join(
                f"{number} at x {x0:.0f} to {x1:.0f}, y {y0:.0f} to {y1:.0f}"
                for number, face in enumerate(faces, start=1)
                for x0, y0, x1, y1 in [face.box]
            )
            typer.echo(f"note: --face-{side} chooses: {places} px.", err=True)
