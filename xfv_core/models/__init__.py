"""The registry: architecture name -> the class that builds itself from a weight file."""

from __future__ import annotations

import torch
from torch import nn

from xfv_core.models.base import FaceModel, embed_all
from xfv_core.models.ecnet import Atlas, ECNet
from xfv_core.models.facenet import FaceNet
from xfv_core.models.rrf import FullFaceNet, RegionNet, RRFNet
from xfv_core.models.sface import SFace
from xfv_core.weights.hub import Progress, Source, load_tensors, read_pinned
from xfv_core.weights.manifest import Manifest, ModelCard, load_manifest

__all__ = ["FaceModel", "adds_up", "embed_all", "has_parts", "load_model"]

ARCHITECTURES: dict[
    str, type[SFace] | type[FaceNet] | type[RRFNet] | type[FullFaceNet] | type[ECNet]
] = {
    "sface": SFace,
    "inception_resnet_v1": FaceNet,
    "rrf": RRFNet,
    "rrf_regions": RegionNet,
    "full": FullFaceNet,
    "ecnet": ECNet,
}


def adds_up(card: ModelCard) -> bool:
    """Whether the model's similarity is a sum of patch scores (it has ``contributions``)."""
    return hasattr(ARCHITECTURES[card.arch], "contributions")


def has_parts(card: ModelCard) -> bool:
    """Whether the model's channels find face parts, by name."""
    return ARCHITECTURES[card.arch] is ECNet and card.parts is not None


def load_model(
    name: str,
    *,
    manifest: Manifest | None = None,
    device: torch.device | str = "cpu",
    source: Source = "auto",
    progress: Progress | None = None,
) -> FaceModel:
    """The model ``name`` of the manifest, verified, frozen and ready for inference.

    Raises ManifestError for an unknown name and WeightsError where no good copy can be had.
    """
    manifest = manifest or load_manifest()
    card = manifest.card(name)
    tensors = load_tensors(card, root=manifest.folder, source=source, progress=progress)
    model = ARCHITECTURES[card.arch].from_tensors(tensors, card.config)
    model.name = name
    if card.parts and isinstance(model, ECNet):
        model.atlas = Atlas.from_json(read_pinned(card.parts, manifest.folder))
    model.eval().requires_grad_(False).to(device)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1):
            # Means nothing to a kernel of one pixel; but without it PyTorch on a single core leaves
            # batches below 16 to a slower library (SFace, one photo: 1.4 times as long).
            layer.dilation = (2, 2)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
