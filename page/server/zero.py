"""ZeroGPU Spaces: a GPU is lent for seconds. Maps go there; verdicts take no loan, on the CPU.

Everywhere else nothing of this happens: the verifier does all its work where it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from page.server.folder import KEEP_SECONDS
from xfv_core import Verifier, load_model
from xfv_core.explain.judged import Judged, explain_crops
from xfv_core.models import FaceEmbedder

LOAN = 30  # seconds; the slowest preset takes a few
GPU = "cuda"


def make_verifier() -> Verifier:
    """The page's verifier, as the machine wants it."""
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in ("1", "t", "true"):
        return Verifier(keep_seconds=KEEP_SECONDS)
    import spaces

    lent = spaces.GPU(duration=LOAN)(explain_on_loan)
    return Verifier(device="cpu", explain_elsewhere=lent, keep_seconds=KEEP_SECONDS)


@cache
def on_gpu(name: str) -> FaceEmbedder:
    """The network in the process that has the GPU; its weights are on the disk by then."""
    return load_model(name, device=GPU)


def explain_on_loan(name: str, *crops: Any, **judged: Any) -> Iterator[Judged]:
    """`xfv_core.explain.judged.explain_crops`, given the name of a network."""
    yield from explain_crops(on_gpu(name), *crops, **judged)
