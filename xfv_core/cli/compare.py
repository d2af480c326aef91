"""The command line: python -m xfv_core verify | explain | models | calibrate | evaluate | parts |
train | publish, and the commands of ``evidence`` and
``galleries``.

Heavy rooms (evaluation, training) are imported by the commands that need them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from xfv_core import Verifier, XfvError
from xfv_core.cli import gallery as galleries
from xfv_core.cli import measure as evidence
from xfv_core.cli.measure import Model, Pairs, Result
from xfv_core.results import PictureKind
from xfv_core.weights.figures import keep_figures
from xfv_core.weights.manifest import change_entry, keep_calibration, keep_parts, load_manifest

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Face verification that explains itself.",
)
app.add_typer(evidence.app)
app.add_typer(galleries.app, name="gallery")
Point = Annotated[str, typer.Option("--at", help="Operating point: balanced, best_accuracy, …")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[Path | None, typer.Option("--manifest", help="Another weights.json.")]


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
    model: Annotated[str | None, typer.Option(help="Registry name; default: by method.")] = None,
    at: Point = "balanced",
    method: Annotated[str, typer.Option(help="occlusion, fggb, xssab, patches.")] = "occlusion",
    preset: Annotated[str, typer.Option(help="Occlusion only: fast, standard or paper.")] = "",
    view: Annotated[str, typer.Option(help="Patches only: evidence or raw.")] = "",
    out: Annotated[Path | None, typer.Option(help="Picture to write: .png or .jpg.")] = None,
    strength: Annotated[float, typer.Option(min=0, max=1)] = 0.85,
    as_json: Json = False,
) -> None:
    """Why? Maps of one pair, what they show in words, and their measured fidelity."""
    options = {k: v for k, v in (("preset", preset), ("view", view)) if v}
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


Partial = Annotated[bool, typer.Option(help="Leave out pairs whose photos are absent.")]


@app.command()
def calibrate(
    model: Model = "sface",
    pairs: Pairs = "lfw",
    images: Annotated[Path | None, typer.Option(help="Folder or tar of aligned crops.")] = None,
    photos: Annotated[Path | None, typer.Option(help="Folder or tar of whole photos.")] = None,
    dataset: Annotated[str | None, typer.Option(help="What the page calls the pairs.")] = None,
    partial: Partial = False,
    manifest: File = None,
) -> None:
    """Fit and check a model's probability on labelled pairs; store it in weights.json.

    --pairs lfw fetches LFW, its photos too, through scikit-learn (200 MB).
    """
    from xfv_core.evaluation.data.pairs import fetch_lfw, read_pairs
    from xfv_core.evaluation.verdicts.calibration import calibrate_model

    verifier = Verifier(manifest=load_manifest(manifest))
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
    keep_calibration(model, calibration, manifest)
    typer.echo(json.dumps(calibration.to_dict(), indent=2))


@app.command()
def evaluate(
    pairs: Pairs = "lfw",
    model: Model = "sface",
    images: Annotated[Path | None, typer.Option(help="Where the photos are.")] = None,
    aligned: Annotated[bool, typer.Option(help="They are aligned crops already.")] = False,
    middle: Annotated[int, typer.Option(help="Cut this square, px, and find no face.")] = 0,
    partial: Partial = False,
    store: Annotated[str, typer.Option(help="Keep it in results/models under this name.")] = "",
    result: Result = None,
    as_json: Json = False,
    manifest: File = None,
) -> None:
    """Verification accuracy on labelled pairs, with 95 % intervals.

    Sets with folds are judged at the threshold of the other folds, other sets at the model's
    calibrated one.
    """
    from xfv_core.evaluation.data.pairs import fetch_lfw, read_pairs
    from xfv_core.evaluation.maps.study import head, versions
    from xfv_core.evaluation.verdicts.calibration import SERVED, middle_square
    from xfv_core.evaluation.verdicts.verification import PROTOCOL, evaluate_model

    verifier = Verifier(manifest=load_manifest(manifest))
    card = verifier.manifest.card(model)

    def crop(photo: bytes) -> NDArray[np.uint8]:
        if middle:
            return middle_square(photo, middle, card.input.size)
        return verifier.central_crop(photo, model).pixels

    pair_set = fetch_lfw() if pairs == "lfw" else read_pairs(pairs)
    table = evaluate_model(
        verifier.model(model),
        pair_set,
        images or pair_set.root,
        crop_photo=None if aligned else crop,
        calibration=verifier.calibration(model),
        partial=partial,
        path="middle" if middle else SERVED,
    )
    if result:
        settings = {
            "model": model, "weights": card.sha256, "pairs": pair_set.name,
            "images": Path(images or pair_set.root or "").name, "aligned": aligned,
            "middle": middle or False, "seed": 0, "versions": versions(),
        }  # fmt: skip
        found = head(settings, "evaluate", PROTOCOL, table["n"]) | table
        result.write_text(json.dumps(found, indent=2) + "\n")
    accuracy, lost = table["accuracy"], len(table["lost"])
    if store:
        kept = ("path", "n", "accuracy", "best_accuracy", "eer", "eer_interval", "auc",
                "additivity_error")  # fmt: skip
        row = {key: table[key] for key in kept if key in table} | {
            "lost": lost,
            "folds": len(table["fold_thresholds"]),
        }
        known = load_manifest(manifest).card(model).figures.results
        keep_figures(model, verifier.manifest.folder, results={**known, store: row})
    typer.echo(
        json.dumps(table, indent=2)
        if as_json
        else f"{model} on {table['pairs']}, {table['n']} pairs, {table['path']} crops: accuracy "
        f"{accuracy['mean']:.2%} (95 % interval {accuracy['low']:.2%} to {accuracy['high']:.2%}), "
        f"EER {table['eer']:.2%}, AUC {table['auc']:.4f}, photos lost: {lost}"
    )


@app.command()
def parts(
    data: Annotated[Path, typer.Option(help="Training folder: its held-out people name parts.")],
    photos: Annotated[Path, typer.Option(help="Folder or tar of 250 px LFW photos.")],
    model: Model = "ecnet",
    people: Annotated[int, typer.Option(help="holdout_people of its training config.")] = 12,
    n: Annotated[int, typer.Option(help="LFW photos, drawn by the seed.")] = 1000,
    seed: int = 0,
    store: Annotated[bool, typer.Option("--store", help="Keep it beside the weights.")] = False,
    atlas: Annotated[Path | None, typer.Option(help="PNG of mean activations to write.")] = None,
    manifest: File = None,
) -> None:
    """Do single channels find face parts, everywhere, and because of the parts?"""
    from xfv_core.evaluation.channels.atlas import mean_maps, sheet
    from xfv_core.evaluation.channels.covered import measure_parts
    from xfv_core.evaluation.data.face_sets import crops_of_photos, held_out_people
    from xfv_core.evaluation.data.pairs import PhotoStore
    from xfv_core.models.ecnet import ECNet

    verifier = Verifier(manifest=load_manifest(manifest))
    network = verifier.model(model)
    if not isinstance(network, ECNet):
        raise XfvError(f"{model} has no channels to look at; choose an ECNet.")
    size = network.input_size
    with PhotoStore(photos) as files:
        crops = crops_of_photos(
            files, lambda photo: verifier.central_face(photo, model), size, n=n, seed=seed
        )
    found_by, table = measure_parts(
        network.maps,
        size,
        held_out_people(data, people),
        {f"LFW, {name}": found for name, found in crops.items()},
        seed=seed,
    )
    if store:
        keep_parts(model, found_by.to_json(), manifest, table)
    if atlas:
        atlas.write_bytes(sheet(mean_maps(network.maps, crops["moved at random"])))
    typer.echo(json.dumps(table["sets"], indent=2))


@app.command()
def train(
    config: Annotated[str, typer.Option(help="Model name or JSON file.")],
    data: Annotated[Path, typer.Option(help="Folder with faces_train-*.tar.")],
    out: Annotated[Path, typer.Option(help="Checkpoint, curves, weights; the same resumes.")],
    cache: Annotated[Path, typer.Option(help="Decoded photos, 55 kB each.")] = Path("runs/cache"),
    until: Annotated[int | None, typer.Option(help="Stop after this step, to resume.")] = None,
) -> None:
    """Train a network; on N processes: accelerate launch --multi_gpu --num_processes N -m …

    (--multi_gpu also where there are only CPUs: --cpu would start a single process.)
    """
    from xfv_core.training.loop import train as run

    run(config, data, out, cache, until)


@app.command()
def publish(
    model: Annotated[str, typer.Option(help="Registry name of a model to publish.")] = "",
    repo_id: Annotated[str, typer.Option(help="OWNER/NAME of its repository on the Hub.")] = "",
    space: Annotated[str, typer.Option(help="Or OWNER/NAME of a Space for the page.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; show it.")] = False,
    private: Annotated[bool, typer.Option("--private", help="If the repository is new.")] = False,
) -> None:
    """Send a model with card and config to the Hub and note the revision in weights.json, or
    send the page itself to a Space.

    HF_TOKEN has to be a token that may write there.
    """
    from xfv_core.publish import PublishError, publish_model, publish_space

    if space:
        typer.echo(publish_space(space, dry_run=dry_run, private=private).listing)
        return
    if not (model and repo_id):
        raise PublishError("Say what to publish: --model with --repo-id, or --space.")
    sent = publish_model(load_manifest(), model, repo_id, dry_run=dry_run, private=private)
    typer.echo(sent.listing)
    if sent.hub is None:
        typer.echo("\n" + sent.files["README.md"].decode())
        return
    typer.echo(f"published: {sent.hub}")
    change_entry(model, hub=sent.hub)
