"""The commands about pairs of photos: verify, explain, and overview of a list's results."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xfv_core.cli.options import (
    LISTS,
    PICTURES,
    POINT,
    FaceA,
    FaceB,
    Json,
    Manifest,
    OfMethod,
    OutputError,
    Point,
    Prior,
    Threshold,
    output,
    verifier_of,
)
from xfv_core.errors import XfvError

if TYPE_CHECKING:
    from xfv_core import Explanation, Verdict

app = typer.Typer()


@app.command()
def verify(
    a: Annotated[Path | None, typer.Argument(help="The first photo.")] = None,
    b: Annotated[Path | None, typer.Argument(help="The second photo.")] = None,
    model: OfMethod = None,
    at: Point = POINT,
    threshold: Threshold = None,
    face_a: FaceA = 1,
    face_b: FaceB = 1,
    more_a: Annotated[
        list[Path] | None,
        typer.Option("--a", help="Up to five photos of the first person, each with its own --a."),
    ] = None,
    named_b: Annotated[Path | None, typer.Option("--b", help="The photo to compare.")] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Or a list: CSV or Parquet with path_a and path_b.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(callback=output(*LISTS), help="Result of a list; the same goes on."),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Where the photos of a list are.")] = None,
    maps: Annotated[
        Path | None, typer.Option(help="Folder for a picture of the maps of each pair of a list.")
    ] = None,
    method: Annotated[str, typer.Option(help="Of those maps.")] = "occlusion",
    prior: Prior = None,
    manifest: Manifest = None,
    as_json: Json = False,
) -> None:
    """Are the faces in photos A and B the same person? Or those of each pair of a list?

    --a, several times, and --b: several photos of one claimed person against one other photo.

    A list is shared out by accelerate launch, and read from BMP, TIFF, PGM, PPM and GIF too.
    """
    if pairs:
        if a or b or more_a or named_b or not out:
            raise XfvError("A list takes --pairs with --out, and no photos beside it.")
        from xfv_core.cli.many import compare_list

        compare_list(
            verifier_of(manifest), pairs, out, images, model=model, operating_point=at,
            threshold=threshold, maps=maps, method=method,
        )  # fmt: skip
        return
    if more_a or named_b:
        if a or b or not (more_a and named_b):
            raise XfvError("Several photos take --a for each of them, and --b, and no others.")
        from xfv_core.cli.many import compare_references

        compare_references(
            verifier_of(manifest), more_a, named_b, as_json, model=model, operating_point=at,
            threshold=threshold,
        )  # fmt: skip
        return
    if not (a and b):
        raise XfvError("Name two photos, or a list of pairs with --pairs and --out.")
    from xfv_core.results import percent

    verdict = verifier_of(manifest).verify(
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
    model: OfMethod = None,
    at: Point = POINT,
    threshold: Threshold = None,
    face_a: FaceA = 1,
    face_b: FaceB = 1,
    method: Annotated[str, typer.Option(help="Its name; see the methods command.")] = "occlusion",
    preset: Annotated[str, typer.Option(help="Occlusion only: fast, standard or paper.")] = "",
    view: Annotated[
        str,
        typer.Option(help="evidence: zero is a pair at the threshold; raw: zero is no effect."),
    ] = "",
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
    manifest: Manifest = None,
    as_json: Json = False,
) -> None:
    """Why? Maps of one pair, what they show in words, and their measured fidelity."""
    named = [f"{name}={value}" for name, value in (("preset", preset), ("view", view)) if value]
    options = _options(method, [*named, *(option or ())])
    explanation = verifier_of(manifest).explained(
        a, b, model=model, operating_point=at, threshold=threshold, method=method,
        pick=(face_a - 1, face_b - 1), **options,
    )  # fmt: skip
    verdict = explanation.verdict
    _write(explanation, out, values, strength)
    if as_json:
        typer.echo(json.dumps(explanation.to_dict(), indent=2))
        return
    typer.echo(f"{verdict.sentence}\n{explanation.sentence}")
    _say_notes(verdict)


@app.command()
def overview(
    results: Annotated[Path, typer.Argument(help="What verify --pairs has written.")],
    out: Annotated[Path, typer.Option(callback=output(".html"), help="Page to write.")],
) -> None:
    """One page on the results of a list: counts, distributions, the pairs nearest to the bar."""
    from xfv_core.lists.overview import overview_page

    out.write_text(overview_page(results), "utf-8")
    typer.echo(f"{out}: written")


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
