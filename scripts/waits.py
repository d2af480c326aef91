"""How long one visitor waits: python -m scripts.waits [--rounds 5] [--checkout DIR]

Prints, per checkout, median seconds on a warm verifier until the verdict on two photos that were
never seen, and from the verdict on until the first map, the final map and its fidelity. With
``--checkout`` another version takes every other round.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any

import typer
from PIL import Image

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
            command = [sys.executable, str(Path(__file__).resolve()), "--one-round"]
            environment = {**os.environ, "PYTHONPATH": str(folder)}
            said = subprocess.run(
                command, cwd=folder, env=environment, check=True, capture_output=True, text=True
            ).stdout
            taken[folder].append(json.loads(said))
    told = {
        str(folder): {
            name: [round(median(times), 2) for times in zip(*(r[name] for r in found), strict=True)]
            for name in METHODS
        }
        for folder, found in taken.items()
    }
    print(json.dumps({"rounds": rounds, "verdict, first, final, judged": told}, indent=2))


def one_round() -> None:
    """Seconds in this process, after a round that warms it."""
    from xfv_core import Verifier

    verifier = Verifier()
    for options in METHODS.values():
        waits(verifier, options)
    print(json.dumps({name: waits(verifier, options) for name, options in METHODS.items()}))


def waits(verifier: Any, options: dict[str, str]) -> list[float]:
    """Seconds until the verdict; after it until the first, the final and the judged map."""
    photos = [never_seen(path) for path in PHOTOS]
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


def never_seen(path: Path) -> bytes:
    """The photo with a pixel of another colour."""
    with Image.open(path) as picture:
        picture.putpixel((0, 0), tuple(os.urandom(3)))
        picture.save(file := io.BytesIO(), "JPEG", quality=95)
    return file.getvalue()


if __name__ == "__main__":
    one_round() if "--one-round" in sys.argv else typer.run(main)
