"""The networks by architecture: what builds one from a weight file, and what it will be able to."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

import torch
from torch import nn

from xfv_core.models.base import (
    FaceEmbedder,
    FaceModel,
    FindsParts,
    SumsOverPatches,
    embed_all,
)
from xfv_core.models.own import NetworkError, check_embedder, own_card
from xfv_core.models.registry import Architecture, architectures, register
from xfv_core.weights.hub import Progress, Source, load_bytes
from xfv_core.weights.manifest import Manifest, ModelCard, load_manifest

__all__ = [
    "FaceEmbedder",
    "FaceModel",
    "FindsParts",
    "NetworkError",
    "SumsOverPatches",
    "architecture_names",
    "check_embedder",
    "embed_all",
    "load_model",
    "network_class",
    "own_card",
    "register",
]  # fmt: skip

ENTRY_POINTS = "xfv.networks"  # group of entry points under which other packages announce theirs


def architecture_names() -> tuple[str, ...]:
    """Every ``arch`` that an entry of a manifest may name."""
    _discover()
    return tuple(sorted(architectures()))


def network_class(card: ModelCard) -> type[Architecture]:
    """The class that an entry's network will be of, which tells its capabilities unloaded.

    Raises NetworkError for an architecture that is not known here, and for an entry that cannot be
    of it.
    """
    _discover()
    if card.arch not in architectures():
        raise NetworkError(
            f"{card.name}: there is no architecture {card.arch!r}; "
            f"choose from {', '.join(architecture_names())}."
        )
    kind = architectures()[card.arch].kind(card)
    try:
        kind.check(card)
    except ValueError as error:
        raise NetworkError(f"{card.name}: {error}.") from error
    return kind


def load_model(
    name: str,
    *,
    manifest: Manifest | None = None,
    device: torch.device | str = "cpu",
    source: Source = "auto",
    progress: Progress | None = None,
) -> FaceEmbedder:
    """The model ``name`` of the manifest, verified, frozen and ready for inference.

    Raises ManifestError for an unknown name, NetworkError for an unknown architecture and
    WeightsError where no good copy can be had.
    """
    manifest = manifest or load_manifest()
    card = manifest.card(name)
    kind = network_class(card)
    data = load_bytes(card, root=manifest.folder, source=source, progress=progress)
    model = kind.from_bytes(card, data, manifest.folder)
    model.name = name
    if not isinstance(model, nn.Module):
        return model
    model.eval().requires_grad_(False).to(device)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1):
            # Means nothing to a kernel of one pixel; but without it PyTorch on a single core leaves
            # batches below 16 to a slower library (SFace, one photo: 1.4 times as long).
            layer.dilation = (2, 2)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@cache
def _discover() -> None:
    """Import what registers networks: this folder's modules, and what packages announce."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    for announced in entry_points(group=ENTRY_POINTS):
        announced.load()
