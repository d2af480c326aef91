"""The commands about what there is: models, methods; and about one network: model check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xfv_core.cli.options import Json, Manifest, verifier_of

if TYPE_CHECKING:
    from xfv_core.models.check import NetworkCheck

app = typer.Typer()
one = typer.Typer(no_args_is_help=True, help="About one model.")
app.add_typer(one, name="model")


@app.command()
def models(manifest: Manifest = None, as_json: Json = False) -> None:
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
        for card in load_manifest(manifest).models.values()
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


@one.command()
def check(
    name: Annotated[str, typer.Argument(help="Registry name.")],
    a1: Annotated[Path, typer.Argument(help="A photo of somebody.")],
    a2: Annotated[Path, typer.Argument(help="Another photo of the same person.")],
    b: Annotated[Path, typer.Argument(help="A photo of somebody else.")],
    manifest: Manifest = None,
    as_json: Json = False,
) -> None:
    """Is a network fed as it was trained? Colour order, normalisation, speed, and its methods.

    Exits with 1 where the two photos of one person are less alike than those of two, or another
    way of feeding separates them clearly better.
    """
    from xfv_core.models.check import check_network

    verifier = verifier_of(manifest)
    faces = [verifier.portrait(photo, name).tensor() for photo in (a1, a2, b)]
    found = check_network(verifier.model(name), *faces)
    fitting = verifier.methods_for(name, "study")
    if as_json:
        typer.echo(json.dumps({**found.to_dict(), "methods": fitting}, indent=2))
    else:
        typer.echo(_table(found, fitting))
    if not found.passed:
        raise typer.Exit(1)


def _table(found: NetworkCheck, fitting: list[str]) -> str:
    from xfv_core.explain import methods as registered

    unfit = [
        method.unfit.format(model=found.name)
        for name, method in registered().items()
        if name not in fitting
    ]
    rows = [f"{'fed':40} genuine  impostor      gap  to declared"]
    rows += [
        f"{trial.feeding:40} {trial.genuine:7.3f} {trial.impostor:9.3f} {trial.gap:+8.3f} "
        f"{trial.to_declared:12.3f}"
        for trial in found.trials
    ]
    verdict = "genuine above impostor: fed as it should be"
    if found.better:
        verdict = f"{found.better.feeding}: separates these photos better than as declared"
    elif not found.passed:
        verdict = "genuine not above impostor: it is fed wrongly, or these photos are too hard"
    return "\n".join(
        [
            f"{found.name}: {found.input_size} px -> {found.embedding_dim} values, "
            f"{found.milliseconds_a_face:.0f} ms a face",
            *rows,
            verdict,
            f"methods: {', '.join(fitting)}",
            *(f"not: {sentence}" for sentence in unfit),
        ]
    )
