"""Any network, whoever brings it: seconds of a verdict and of its maps beside the plain ways.

python -m xfv_core.evaluation.speed.foreign --manifest mine.json --model mine
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer

from xfv_core import Verifier
from xfv_core.evaluation.speed.bench import EXAMPLES, captum_rivals, final, mask_race, verdict_turns
from xfv_core.evaluation.speed.races import Contender, Turn, race, results_of, seconds_of
from xfv_core.evaluation.speed.rivals import (
    fast_embed,
    looped_fggb,
)
from xfv_core.explain.fggb import FGGB
from xfv_core.explain.occlusion import Occlusion
from xfv_core.models.base import BATCH
from xfv_core.weights.manifest import load_manifest


def bench(
    verifier: Verifier, name: str, files: Sequence[Path], presets: Sequence[str], rounds: int
) -> list[Turn]:
    """A verdict and maps, beside captum's and a loop of gradients."""
    model = verifier.model(name)
    photos = torch.stack([verifier.portrait(file, name).tensor() for file in files])
    turns = [*verdict_turns(verifier, files, rounds, name)]
    ways = {"fp32, one mask at a time": (model.embed, 1), "batched": (fast_embed(model), BATCH)}
    for preset in presets:
        method = Occlusion(preset=preset, view="raw")
        turns += mask_race(model, photos, method, captum_rivals(photos, preset, ways), rounds)
    if "fggb" in verifier.methods_for(name, "study"):
        ours = Contender("ours", lambda: final(FGGB(), model, photos, 0.0))
        loop = Contender("loop of autograd", lambda: looped_fggb(model.embed, photos, 0.0))
        turns += race(f"{name}, FGGB, 2 x {model.embedding_dim} channels", ours, [loop], rounds)
    return turns


def main(
    model: Annotated[str, typer.Option(help="Its name in the manifest.")],
    manifest: Annotated[Path | None, typer.Option(help="Another weights.json.")] = None,
    photos: Annotated[tuple[Path, Path], typer.Option(help="Two photos, a face in each.")] = (
        EXAMPLES / "obama.jpg",
        EXAMPLES / "obama2.jpg",
    ),
    preset: Annotated[list[str], typer.Option(help="Occlusion presets to race.")] = ["standard"],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=1, max=30, help="Rounds of every race.")] = 3,
    device: Annotated[str, typer.Option(help="cuda, where there is one.")] = "cpu",
) -> None:
    """Seconds of a verdict and of maps, medians over rounds, in one run on this machine."""
    verifier = Verifier(manifest=load_manifest(manifest) if manifest else None, device=device)
    turns = bench(verifier, model, photos, preset, rounds)
    found = {
        "machine": f"{platform.machine()}, torch {torch.__version__}",
        "device": device,
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "verdict_s": sorted(seconds_of(turns[:rounds], "ours")),
        "races": [asdict(result) for result in results_of(turns)],
    }
    typer.echo(json.dumps(found, indent=2))


if __name__ == "__main__":
    typer.run(main)
