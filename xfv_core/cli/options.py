"""Options that several commands share, with their defaults, and the checks made before the work.

Nothing here may import torch: ``xfv --help`` reads this file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from xfv_core.errors import XfvError

if TYPE_CHECKING:
    from xfv_core import Verifier

MODEL = "sface"
POINT = "balanced"
PAIRS = "lfw"
LISTS = (".csv", ".parquet")
PICTURES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


class OutputError(XfvError):
    """A file that could not be written, said before the work that would go into it."""


def output(*endings: str) -> Callable[[Path | None], Path | None]:
    """A check of the path of a file to write: its folder, and its ending where some are named."""

    def checked(path: Path | None) -> Path | None:
        if path is None:
            return None
        if endings and path.suffix.lower() not in endings:
            raise OutputError(f"{path}: the name has to end in {' or '.join(endings)}.")
        if not path.parent.is_dir():
            raise OutputError(f"{path}: there is no folder {path.parent}; make it first.")
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise OutputError(f"{path}: this file cannot be written; choose another.")
        return path

    return checked


def verifier_of(manifest: Path | None) -> Verifier:
    """A verifier of the networks of a manifest, of weights.json unless another is named."""
    from xfv_core import Verifier
    from xfv_core.weights.manifest import load_manifest

    return Verifier(manifest=load_manifest(manifest))


Model = Annotated[str, typer.Option(help="Registry name; see the models command.")]
Models = Annotated[list[str] | None, typer.Option("--model", help="Registry name; repeatable.")]
OfMethod = Annotated[
    str | None, typer.Option("--model", help="Registry name; default: what fits the method.")
]
Point = Annotated[str, typer.Option("--at", help="Operating point: balanced, best_accuracy, …")]
Threshold = Annotated[
    float | None,
    typer.Option(min=-1, max=1, help="A similarity that decides instead of the operating point."),
]
Prior = Annotated[
    float | None,
    typer.Option(min=1e-9, max=1 - 1e-9, help="P(same person) before the photos are seen."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Manifest = Annotated[Path | None, typer.Option("--manifest", help="Another weights.json.")]
FaceA = Annotated[int, typer.Option(min=1, help="Which face of photo A, 1 the largest.")]
FaceB = Annotated[int, typer.Option(min=1, help="Which face of photo B, 1 the largest.")]

Pairs = Annotated[str, typer.Option(help="LFW's pairs.txt, a CSV (path_a,path_b,label), or lfw.")]
Crops = Annotated[Path, typer.Option("--images", help="Folder or tar of aligned crops.")]
Partial = Annotated[bool, typer.Option(help="Leave out pairs whose photos are absent.")]
Aligned = Annotated[bool, typer.Option(help="The photos are aligned crops already.")]
Seed = Annotated[int, typer.Option(help="Of what is sampled.")]
Store = Annotated[
    bool, typer.Option("--store", help="Keep it, in results/models or beside weights.")
]

Methods = Annotated[
    list[str] | None,
    typer.Option("--method", help="Repeatable: fggb, occlusion:PRESET, occlusion:mode=2, …"),
]
Which = Literal["genuine", "impostor", "both"]
On = Annotated[Which, typer.Option(help="Which pairs.")]
Count = Annotated[int, typer.Option("--n", help="Pairs, sampled by the seed.")]
Rows = Annotated[Path, typer.Option("--out", help="Folder of rows; the same resumes.")]
Mixed = Annotated[
    list[int] | None, typer.Option(help="Leave out a label that stands for several people.")
]
Result = Annotated[
    Path | None,
    typer.Option(callback=output(".json"), help="JSON to keep in results/, for the report."),
]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Send nothing; show it.")]
