"""The commands of training: pack | train | prototypes | people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xfv_core.errors import needs

app = typer.Typer()
Data = Annotated[Path, typer.Option(help="Folder with faces_train-*.tar, or a packed file.")]


@app.command()
def pack(
    data: Data,
    out: Annotated[Path, typer.Option(help="File to write: NAME.safetensors.")],
    size: Annotated[int, typer.Option(min=112, help="Pixels of a photo; the crop has 112.")] = 120,
    quality: Annotated[int, typer.Option(min=0, max=100, help="Of WebP.")] = 30,
    share: Annotated[int, typer.Option(min=1, help="Keep one photo in so many.")] = 1,
) -> None:
    """Put the training photos and their teachers into one small file, for a machine elsewhere."""
    from xfv_core.training.sources import open_source
    from xfv_core.training.sources import pack as write

    count = write(open_source(data), out, size=size, quality=quality, share=share)
    typer.echo(f"{out}: {count} photos, {out.stat().st_size / 2**20:.1f} MiB")


@app.command()
def train(
    config: Annotated[str, typer.Option(help="Model name or JSON file.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Checkpoint, curves, weights; the same resumes.")],
    cache: Annotated[Path, typer.Option(help="Decoded photos, 55 kB each.")] = Path("runs/cache"),
    until: Annotated[int | None, typer.Option(help="Stop after this step, to resume.")] = None,
    decay: Annotated[
        int | None,
        typer.Option(min=1, help="End the training: the step size falls over so many steps."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.1, help="Instead of the config's steps: as many as fit this time."),
    ] = None,
) -> None:
    """Train a network; on N processes: accelerate launch --multi_gpu --num_processes N -m …

    (--multi_gpu also where there are only CPUs: --cpu would start a single process.)
    """
    needs("accelerate", extra="train")
    from xfv_core.training.loop import train as run

    run(config, data, out, cache, until, decay, minutes)


@app.command()
def prototypes(
    run: Annotated[Path, typer.Option(help="Folder of a training of an ECNet.")],
    data: Annotated[Path, typer.Option(help="Folder with faces_train-*.tar.")],
    out: Annotated[Path, typer.Option(help="File to write: NAME.safetensors.")],
    below: Annotated[
        float, typer.Option(min=0, max=1, help="Share of faces on which a channel hits its part.")
    ] = 0.2,
    faces: Annotated[int, typer.Option(min=1, help="Of people it has learnt from.")] = 1500,
    seed: int = 0,
) -> None:
    """Keep what an ECNet has found parts to look like, for a config's "prototypes".

    Those whose channels look beside the face come last.
    """
    import numpy as np

    from xfv_core.evaluation.channels.beside import beside_the_face
    from xfv_core.evaluation.data.face_sets import jittered, people_learnt_from
    from xfv_core.training.prototypes import beside_last, found_in, save_prototypes

    found = found_in(run)
    size, rng = found.network.input_size, np.random.default_rng(seed)
    crops = [jittered(face, size, rng) for face in people_learnt_from(data, faces)]
    beside = beside_the_face(found.network.maps, crops, below=below)
    order, fitting = beside_last(found.weights, found.network.channels, beside)
    save_prototypes(found, order, out)
    entries = {name: getattr(fitting, name) for name in ("parts", "pairs", "beside")}
    typer.echo(json.dumps({"prototypes": out.name, **entries}))


@app.command()
def people(
    data: Annotated[Path, typer.Option(help="Folder with faces_train-*.tar.")],
    model: Annotated[str, typer.Option(help="Registry name; see the models command.")] = "rrf56",
    seed: int = 0,
    manifest: Annotated[Path | None, typer.Option(help="Another weights.json.")] = None,
) -> None:
    """How well does a network tell apart the people whom no training sees? Recipes are chosen by
    this figure."""
    from xfv_core import Verifier
    from xfv_core.evaluation.verdicts.people import evaluate_people
    from xfv_core.weights.manifest import load_manifest

    network = Verifier(manifest=load_manifest(manifest)).model(model)
    typer.echo(json.dumps(evaluate_people(network, data, seed=seed), indent=2))
