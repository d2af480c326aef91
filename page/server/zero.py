"""ZeroGPU Spaces: a GPU is lent for seconds. Maps go there; verdicts take no loan, on the CPU.

Everywhere else nothing of this happens: the verifier does all its work where it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from page.server.folder import KEEP_SECONDS
from xfv_core import Verifier, load_model
from xfv_core.explain.judged import Judged, explain_crops
from xfv_core.models import FaceEmbedder
from xfv_core.weights.manifest import Manifest

LOAN = 30  # seconds; the slowest preset takes a few
GPU = "cuda"


def make_verifier() -> Verifier:
    """The page's verifier, as the machine wants it."""
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in ("1", "t", "true"):
        return Verifier(keep_seconds=KEEP_SECONDS)
    import spaces

    lent = spaces.GPU(duration=LOAN)(explain_on_loan)

    def elsewhere(name: str, *crops: Any, **judged: Any) -> Iterator[Judged]:
        yield from lent(verifier.manifest, name, *crops, **judged)

    verifier = Verifier(device="cpu", explain_elsewhere=elsewhere, keep_seconds=KEEP_SECONDS)
    return verifier


_networks: dict[tuple[Path, str, str], FaceEmbedder] = {}


def on_gpu(manifest: Manifest, name: str) -> FaceEmbedder:
    """The network in the process that has the GPU; its weights are on the disk by then."""
    key = (manifest.folder, name, manifest.card(name).sha256)
    if key not in _networks:
        _networks[key] = load_model(name, manifest=manifest, device=GPU)
    return _networks[key]


def explain_on_loan(manifest: Manifest, name: str, *crops: Any, **judged: Any) -> Iterator[Judged]:
    """`xfv_core.explain.judged.explain_crops`, given the name of a network of a manifest."""
    yield from explain_crops(on_gpu(manifest, name), *crops, **judged)
