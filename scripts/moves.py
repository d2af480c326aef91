"""How long a dragged patch waits on the server: python -m scripts.moves [--moves 200]

Prints, per network, milliseconds from a patch's place to the verdict with it.
"""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter

import numpy as np
import typer

from xfv_core import Ask, Verifier
from xfv_core.explain.occluder import Patch
from xfv_core.occluder import Occluders

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
WARM = 10  # moves that are not counted
SIZES = (0.15, 0.25, 0.4)


def main(moves: int = 200, models: str = "sface,rrf56") -> None:
    """Put a patch at random places of an example and print one line of JSON."""
    occluders, rng = Occluders(Verifier()), np.random.default_rng(0)
    found = {}
    for model in models.split(","):
        pair = (EXAMPLES / "obama.jpg", EXAMPLES / "obama2.jpg")
        token = occluders.open(Ask(pair, model=model))
        took = []
        for i in range(WARM + moves):
            top, left = rng.uniform(0, 1, 2)
            patch = Patch(i % 2, top, left, SIZES[i % len(SIZES)])
            began = perf_counter()
            occluders.cover(token, patch)
            took.append(1000 * (perf_counter() - began))
        found[model] = {f"p{q}": round(float(np.percentile(took[WARM:], q)), 1) for q in (50, 95)}
    print(json.dumps({"moves": moves, "ms": found}))


if __name__ == "__main__":
    typer.run(main)
