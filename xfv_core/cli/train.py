"""The command of training: train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xfv_core.errors import needs

app = typer.Typer()


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
    needs("accelerate", extra="train")
    from xfv_core.training.loop import train as run

    run(config, data, out, cache, until)
