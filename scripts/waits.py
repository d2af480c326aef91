"""How long one visitor waits: python -m scripts.waits [--rounds 5] [--checkout DIR]

Prints, per checkout, median seconds on a warm verifier until the verdict on two photos that were
never seen, and from the verdict on until the first map, the final map and its fidelity. With
``--checkout`` another version takes every other round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Any

import typer

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = [ROOT / "examples" / name for name in ("obama.jpg", "obama2.jpg")]
METHODS: dict[str, dict[str, str]] = {
    "fast": {"method": "occlusion", "preset": "fast"},
    "standard": {"method": "occlusion", "preset": "standard"},
    "FGGB": {"method": "fggb"},
}


def main(
    rounds: int = 5,
    checkout: Annotated[Path | None, typer.Option(help="Another version, in turn.")] = None,
) -> None:
    """Ask both versions in turn and print one line of JSON."""
    folders = [ROOT, *([checkout] if checkout else [])]
    taken: dict[Path, list[dict[str, list[float]]]] = {folder: [] for folder in folders}
    for _ in range(rounds):
        for folder in folders:
            taken[folder].append(a_round(folder))
    told = {
        str(folder): {
            name: [round(median(times), 2) for times in zip(*(r[name] for r in found), strict=True)]
            for name in METHODS
        }
        for folder, found in taken.items()
    }
    print(json.dumps({"rounds": rounds, "verdict, first, final, judged": told}, indent=2))


def a_round(checkout: Path) -> dict[str, list[float]]:
    """What a process of that version waited."""
    from scripts.visitors import never_seen  # of this checkout; the process sees the other

    with TemporaryDirectory() as folder:
        photos = [
            never_seen(photo, Path(folder)) for _ in range(2) for _ in METHODS for photo in PHOTOS
        ]
        command = [sys.executable, __file__, "--one-round", *map(str, photos)]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        said = subprocess.run(
            command, cwd=checkout, env=environment, check=True, capture_output=True, text=True
        ).stdout
    found: dict[str, list[float]] = json.loads(said)
    return found


def one_round(photos: Iterator[str]) -> None:
    """Seconds in this process, after a round that warms it; a wait takes the next two photos."""
    from xfv_core import Verifier

    verifier = Verifier()
    pairs = zip(photos, photos, strict=True)
    for options in METHODS.values():
        waits(verifier, next(pairs), options)
    print(json.dumps({name: waits(verifier, next(pairs), o) for name, o in METHODS.items()}))


def waits(verifier: Any, photos: tuple[str, str], options: dict[str, str]) -> list[float]:
    """Seconds until the verdict; after it until the first, the final and the judged map."""
    began = perf_counter()
    verifier.verify(*photos)
    answered = perf_counter()
    seen: dict[str, float] = {}
    for found in verifier.explain(*photos, **options):
        after = perf_counter() - answered
        seen.setdefault("first", after)
        if found.maps.progress == 1:
            seen.setdefault("final", after)
        seen["judged"] = after
    return [answered - began, seen["first"], seen["final"], seen["judged"]]


if __name__ == "__main__":
    one_round(iter(sys.argv[2:])) if "--one-round" in sys.argv else typer.run(main)
