"""The commands that measure networks on data sets: calibrate, evaluate, parts, groups; report."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xfv_core.cli.options import (
    MODEL,
    PAIRS,
    Aligned,
    Json,
    Manifest,
    Mixed,
    Model,
    Pairs,
    Partial,
    Result,
    Seed,
    Store,
    output,
    verifier_of,
)
from xfv_core.errors import XfvError, needs
from xfv_core.weights.held_out import HELD_OUT_PEOPLE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


app = typer.Typer()
Images = Annotated[Path | None, typer.Option(help="Where the photos are.")]


@app.command()
def calibrate(
    model: Model = MODEL,
    pairs: Pairs = PAIRS,
    images: Annotated[Path | None, typer.Option(help="Folder or tar of aligned crops.")] = None,
    photos: Annotated[Path | None, typer.Option(help="Folder or tar of whole photos.")] = None,
    dataset: Annotated[str | None, typer.Option(help="What the page calls the pairs.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of faces_train-*.tar: fit a probability that takes measures."),
    ] = None,
    people: Annotated[
        str, typer.Option(help="Whom the network has not been trained on, 8:0,1,2: label mod 8.")
    ] = "",
    held: Annotated[str, typer.Option(help="Whom nothing is fitted on, as --people.")] = "8:7",
    mixed: Mixed = None,
    keep_curve: Annotated[
        bool, typer.Option("--keep-curve", help="With --data: keep the curve that takes none.")
    ] = False,
    partial: Partial = False,
    manifest: Manifest = None,
    result: Result = None,
) -> None:
    """Fit and check a model's probability on labelled pairs; store it in weights.json.

    --pairs lfw fetches LFW, its photos too, through scikit-learn (200 MB). With --people, --result
    keeps how the probability does on people it was not fitted to: each judged by a fit to others.
    """
    from xfv_core.evaluation.data.pairs import fetch_lfw, read_pairs
    from xfv_core.evaluation.verdicts.calibration import calibrate as fitted
    from xfv_core.evaluation.verdicts.calibration import measure
    from xfv_core.weights.manifest import keep_calibration

    if result and not (data and people):
        raise XfvError("--result is of labelled people the network has not seen: --data, --people.")
    verifier = verifier_of(manifest)
    pair_set = fetch_lfw() if pairs == "lfw" else read_pairs(pairs)
    known = verifier.manifest.card(model).whole_calibration
    if keep_curve and known:
        calibration = known
    else:
        similarities = measure(
            verifier.model(model),
            pair_set,
            images=images,
            photos=photos or (pair_set.root if pairs == "lfw" else None),
            crop_photo=lambda photo: verifier.central_crop(photo, model).pixels,
            partial=partial,
        )
        calibration = fitted(
            similarities, pair_set.labels, pair_set.folds, dataset=dataset or pair_set.name
        )
    if data:
        from xfv_core.cli.people import with_measures

        calibration = with_measures(verifier, model, calibration, pair_set, (images, photos), data,
                                    (people, held), mixed or (), manifest, result)  # fmt: skip
    keep_calibration(model, calibration, manifest)
    typer.echo(json.dumps(calibration.to_dict(), indent=2))


@app.command()
def evaluate(
    pairs: Pairs = PAIRS,
    model: Model = MODEL,
    images: Images = None,
    aligned: Aligned = False,
    middle: Annotated[int, typer.Option(help="Cut this square, px, and find no face.")] = 0,
    partial: Partial = False,
    store: Annotated[str, typer.Option(help="Keep it in results/models under this name.")] = "",
    result: Result = None,
    plots: Annotated[
        Path | None, typer.Option(help="Folder for SVG of Tippett, DET and ROC curves.")
    ] = None,
    as_json: Json = False,
    manifest: Manifest = None,
) -> None:
    """Verification accuracy on labelled pairs, with 95 % intervals.

    Sets with folds are judged at the threshold of the other folds, other sets at the model's
    calibrated one.
    """
    if plots:
        needs("matplotlib", extra="evaluate")
    if aligned and images is None and Path(pairs).suffix.lower() not in (".bin", ".csv"):
        raise XfvError("--aligned needs --images: the folder or tar in which the crops are.")
    from xfv_core.evaluation.data.pairs import fetch_lfw, read_pairs
    from xfv_core.evaluation.kept import keep, store_rows
    from xfv_core.evaluation.maps.study import head, versions
    from xfv_core.evaluation.verdicts.calibration import SERVED, middle_square
    from xfv_core.evaluation.verdicts.evaluate import evaluate_model
    from xfv_core.evaluation.verdicts.verification import PROTOCOL
    from xfv_core.faces import align
    from xfv_core.weights.figures import keep_figures
    from xfv_core.weights.manifest import load_manifest

    verifier = verifier_of(manifest)
    card = verifier.manifest.card(model)

    def crop(photo: bytes) -> NDArray[np.uint8]:
        if middle:
            return middle_square(photo, middle, card.input.size)
        return verifier.central_crop(photo, model).pixels

    def look(photo: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        seen, face, crop = verifier.central_face(photo, model)
        return crop.pixels, align(seen.pixels, face.landmarks).pixels

    pair_set = fetch_lfw() if pairs == "lfw" else read_pairs(pairs)
    rows, table = evaluate_model(
        verifier.model(model),
        pair_set,
        images or pair_set.root,
        crop_photo=None if aligned else crop,
        calibration=verifier.calibration(model),
        cohort=verifier.cohort(model),
        look=None if middle else look,
        partial=partial,
        path="middle" if middle else SERVED,
    )
    if plots:
        from xfv_core.evaluation.report.plots import draw, likelihood, roc_panel

        drawn = {f"likelihood_{model}": likelihood(table)} if "tippett" in table else {}
        draw({f"roc_{model}": [roc_panel([table])], **drawn}, plots)
    settings = {
        "model": model, "weights": card.sha256, "pairs": pair_set.name,
        "images": Path(images or pair_set.root or "").name, "aligned": aligned,
        "middle": middle or False, "seed": 0, "versions": versions(),
    }  # fmt: skip
    if result:
        keep(result, rows, head(settings, "evaluate", PROTOCOL, table["n"]) | table)
    if store:
        folder = verifier.manifest.folder
        stored = store_rows(folder, f"evaluate_{model}_{store}", rows, settings)
        known = load_manifest(manifest).card(model).figures.results
        keep_figures(model, folder, results={**known, store: _summary(table) | stored})
    typer.echo(json.dumps(table, indent=2) if as_json else _accuracy_sentence(model, table))


def _summary(table: dict[str, Any]) -> dict[str, Any]:
    """What results/models keeps of an evaluation."""
    kept = ("path", "n", "accuracy", "best_accuracy", "eer", "eer_interval", "auc",
            "additivity_error", "rule", "measures", "probability", "fmr", "fmr_interval", "fnmr",
            "fnmr_interval", "alone")  # fmt: skip
    row = {key: table[key] for key in kept if key in table}
    return {**row, "lost": len(table["lost"]), "folds": len(table["fold_thresholds"])}


def _accuracy_sentence(model: str, table: dict[str, Any]) -> str:
    accuracy = table["accuracy"]
    return (
        f"{model} on {table['pairs']}, {table['n']} pairs, {table['path']} crops: accuracy "
        f"{accuracy['mean']:.2%} (95 % interval {accuracy['low']:.2%} to {accuracy['high']:.2%}), "
        f"EER {table['eer']:.2%}, AUC {table['auc']:.4f}, photos lost: {len(table['lost'])}"
    )


@app.command()
def parts(
    data: Annotated[Path, typer.Option(help="Training folder: its held-out people name parts.")],
    photos: Annotated[Path, typer.Option(help="Folder or tar of 250 px LFW photos.")],
    model: Model = "ecnet",
    people: Annotated[
        int, typer.Option(help="holdout_people of its training config.")
    ] = HELD_OUT_PEOPLE,
    n: Annotated[int, typer.Option(help="LFW photos, sampled by the seed.")] = 1000,
    seed: Seed = 0,
    store: Store = False,
    atlas: Annotated[
        Path | None,
        typer.Option(callback=output(".png"), help="PNG of mean activations to write."),
    ] = None,
    manifest: Manifest = None,
) -> None:
    """Do single channels find face parts, everywhere, and because of the parts?"""
    from xfv_core.evaluation.channels.atlas import mean_maps, sheet
    from xfv_core.evaluation.channels.covered import measure_parts, summarise
    from xfv_core.evaluation.data.face_sets import crops_of_photos, held_out_people
    from xfv_core.evaluation.data.pairs import PhotoStore
    from xfv_core.evaluation.kept import store_rows
    from xfv_core.evaluation.maps.study import versions
    from xfv_core.models.ecnet import ECNet
    from xfv_core.weights.manifest import keep_parts

    verifier = verifier_of(manifest)
    network = verifier.model(model)
    if not isinstance(network, ECNet):
        raise XfvError(f"{model} has no channels to look at; choose an ECNet.")
    size = network.input_size
    with PhotoStore(photos) as files:
        crops = crops_of_photos(
            files, lambda photo: verifier.central_face(photo, model), size, n=n, seed=seed
        )
    rows = measure_parts(
        network.maps,
        size,
        held_out_people(data, people),
        {f"LFW, {name}": found for name, found in crops.items()},
        seed=seed,
    )
    found_by, table = summarise(rows, seed)
    if store:
        settings = {"model": model, "weights": verifier.manifest.card(model).sha256, "n": n,
                    "people": people, "seed": seed, "versions": versions()}  # fmt: skip
        table |= store_rows(verifier.manifest.folder, f"parts_{model}", rows, settings)
        keep_parts(model, found_by.to_json(), manifest, table)
    if atlas:
        atlas.write_bytes(sheet(mean_maps(network.maps, crops["moved at random"])))
    typer.echo(json.dumps(table["sets"], indent=2))


@app.command()
def groups(
    data: Annotated[Path, typer.Option(help="Folder with faces_train.csv and its shards.")],
    model: Model = MODEL,
    n: Annotated[int, typer.Option("--n", help="Photos of each group, sampled by the seed.")] = 400,
    seed: Seed = 0,
    store: Store = False,
    manifest: Manifest = None,
) -> None:
    """How often are strangers of one group taken for one person? By labels of UTKFace."""
    from xfv_core.evaluation.kept import store_rows
    from xfv_core.evaluation.maps.study import versions
    from xfv_core.evaluation.verdicts import groups as by_group
    from xfv_core.evaluation.verdicts.photos import SQUARE_BELOW
    from xfv_core.weights.figures import keep_figures

    verifier = verifier_of(manifest)
    calibration = verifier.calibration(model)
    if calibration is None:
        raise XfvError(f"{model} has no threshold: run the calibrate command first.")
    rules = ("balanced", "fmr_1e-3")
    points = {name: calibration.point(name).threshold for name in rules}
    cohort, curve = verifier.cohort(model), calibration.conditional
    judge = by_group.by_curve(curve, rules) if curve and cohort else by_group.by_thresholds(points)
    below = SQUARE_BELOW if verifier.manifest.card(model).input.crop == "square" else 0
    rows = by_group.measure_groups(
        verifier.model(model), data, judge, most=n, seed=seed, cohort=cohort, below=below
    )
    found = {"protocol": by_group.PROTOCOL, "n": n, "seed": seed, "thresholds": points,
             "cells": by_group.summarise(rows, seed)}  # fmt: skip
    if store:
        settings = {"model": model, "weights": verifier.manifest.card(model).sha256, "n": n,
                    "seed": seed, "versions": versions()}  # fmt: skip
        found |= store_rows(verifier.manifest.folder, f"groups_{model}", rows, settings)
        keep_figures(model, verifier.manifest.folder, groups=found)
    typer.echo(json.dumps(found, indent=2))


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
    out: Annotated[Path, typer.Option(callback=output(".md"), help="Markdown to write.")] = Path(
        "RESULTS.md"
    ),
    manifest: Manifest = None,
) -> None:
    """Write RESULTS.md and its curves from what has been measured."""
    needs("matplotlib", extra="evaluate")
    from xfv_core.evaluation import report as written
    from xfv_core.evaluation.report import plots
    from xfv_core.evaluation.report.results import read_results
    from xfv_core.weights.manifest import load_manifest

    found, models = read_results(results), load_manifest(manifest)
    folder = results / "plots"
    out.write_text(written.report(found, models, os.path.relpath(folder, out.parent)))
    plots.draw(plots.pictures(found, written.calibrations(models)), folder)
    typer.echo(f"{out}: {len(found)} results")
