"""The registry: architecture name -> the class that builds itself from a weight file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from xfv_core.hub import load_tensors, weights_file
from xfv_core.manifest import Manifest, load_manifest
from xfv_core.models.base import FaceModel
from xfv_core.models.facenet import FaceNet
from xfv_core.models.sface import SFace

ARCHITECTURES = {"sface": SFace, "inception_resnet_v1": FaceNet}


def load_model(
    name: str,
    *,
    manifest: Manifest | None = None,
    device: torch.device | str = "cpu",
    source: str = "auto",
    progress: Callable[[int, int | None], None] | None = None,
) -> FaceModel:
    """The model ``name`` of the manifest, verified, frozen and ready for inference.

    Raises ManifestError for an unknown name and WeightsError where no good copy can be had.
    """
    card = (manifest or load_manifest()).card(name)
    path = weights_file(card, source=source, progress=progress)
    model = ARCHITECTURES[card.arch].from_tensors(load_tensors(path, card), card.config)
    model.name = name
    model = model.eval().requires_grad_(False)
    return model.to(device=device, memory_format=torch.channels_last)
