"""A list of pairs in one go, beside one call a pair: python -m xfv_core.evaluation.speed.lists

Photos of a folder are repeated, each with bytes of its own, until there are enough; pairs are drawn
from them with a seed. What takes one call a pair is timed on the first pairs only: ours, and the
package ``verifyface``, which detects, aligns and compares as we do.
"""

from __future__ import annotations

import itertools
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import torch
import typer

from xfv_core import Verifier, verify_many
from xfv_core.errors import XfvError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
Pairs = list[tuple[Path, Path]]


def repeated(folder: Path, count: int, into: Path) -> list[Path]:
    """``count`` files: those of ``folder``, over and over, each with a few bytes of its own at its
    end, lest one be known again."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise XfvError(f"{folder} holds no photos.")
    files = []
    for i, path in zip(range(count), itertools.cycle(found)):
        files.append(into / f"{i}{path.suffix}")
        files[-1].write_bytes(path.read_bytes() + i.to_bytes(4, "big"))
    return files


def drawn(photos: Sequence[Path], count: int, seed: int) -> Pairs:
    """``count`` pairs in which every photo occurs, if there are pairs enough."""
    rng = random.Random(seed)
    turns = [rng.sample(photos, len(photos)) for _ in range(2 * count // len(photos) + 1)]
    flat = list(itertools.chain.from_iterable(turns))[: 2 * count]
    return list(zip(flat[::2], flat[1::2], strict=True))


def rate(pairs: Pairs, call: Callable[[Path, Path], object], refusal: type[Exception]) -> float:
    """Pairs a second of one call a pair; ``refusal``: what it raises at a photo without a face."""
    start = perf_counter()
    for pair in pairs:
        try:
            call(*pair)
        except refusal:
            continue
    return len(pairs) / (perf_counter() - start)


def measured(verifier: Verifier, pairs: Pairs, sample: int) -> dict[str, Any]:
    """Pairs a second, by way; and photos a second of the list."""
    from verifyface.engine import FaceEngine
    from verifyface.errors import VerifyFaceError

    engine = FaceEngine()

    def theirs(a: Path, b: Path) -> object:
        return engine.compare(a.read_bytes(), b.read_bytes())

    verifier.verify(*pairs[0])
    start = perf_counter()
    answered = sum(each.verdict is not None for each in verify_many(verifier, pairs))
    seconds = perf_counter() - start
    photos = len(set(itertools.chain.from_iterable(pairs)))
    few = pairs[:sample]
    return {
        "pairs": len(pairs), "photos": photos, "answered": answered,
        "threads": torch.get_num_threads(),
        "list": {"pairs_per_s": len(pairs) / seconds, "photos_per_s": photos / seconds},
        "one_call_a_pair": {
            "pairs": sample,
            "ours_pairs_per_s": rate(few, Verifier().verify, XfvError),
            "verifyface_pairs_per_s": rate(few, theirs, VerifyFaceError),
        },
    }  # fmt: skip


def main(
    photos: Annotated[Path, typer.Option(help="Folder of photos, also in folders of people.")],
    pairs: Annotated[int, typer.Option(min=1)] = 10_000,
    of: Annotated[int, typer.Option(min=2, help="Photos that the pairs are made of.")] = 5_000,
    sample: Annotated[int, typer.Option(min=1, help="Pairs that take a call each.")] = 200,
    seed: int = 0,
) -> None:
    """Pairs a second of a whole list, and of one call a pair."""
    with tempfile.TemporaryDirectory() as folder:
        files = repeated(photos, of, Path(folder))
        found = measured(Verifier(), drawn(files, pairs, seed), sample)
    typer.echo(json.dumps({**found, "seed": seed, "set": photos.name}, indent=2))


if __name__ == "__main__":
    typer.run(main)
