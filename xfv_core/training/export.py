"""A trained network as one safetensors file and the facts that its manifest entry needs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from xfv_core.models.blocks import TrainedModel
from xfv_core.training.config import TrainConfig
from xfv_core.weights.figures import keep_figures
from xfv_core.weights.manifest import InputSpec, Manifest, ModelCard, save_manifest

BYTE_LIMIT = 10 * 2**20
INPUTS = {"ecnet": InputSpec(112, "square", "x*4 - 2", margin=8)}
ALIGNED = InputSpec(112, "template", "x*4 - 2")


def export_weights(model: TrainedModel, path: Path) -> dict[str, Any]:
    """Write ``model`` with BN folded, in float32 where that fits 10 MiB, else in float16.

    Returns ``bytes``, ``sha256`` and ``dtype`` of the file.
    """
    tensors = model.for_inference().state_dict()
    size = sum(4 * t.numel() for t in tensors.values())
    dtype = torch.float32 if size <= 0.99 * BYTE_LIMIT else torch.float16
    kept = {name: t.to("cpu", dtype).contiguous() for name, t in tensors.items()}
    save_file(kept, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "bytes": path.stat().st_size,
        "sha256": digest,
        "dtype": str(dtype).removeprefix("torch."),
    }


def export_manifest(config: TrainConfig, weights: Path, summary: Mapping[str, Any]) -> Path:
    """A ``weights.json`` of its own beside the weights, for the commands that measure."""
    card = ModelCard(
        name=config.name,
        title=config.name,
        arch=config.arch,
        config=config.model,
        hub=None,
        bundled=weights.name,
        sha256=summary["sha256"],
        bytes=summary["bytes"],
        license="for research only, as the photos it was trained on",
        source="trained by python -m xfv_core train",
        trained_on=f"{summary['photos']} photos, see training",
        input=INPUTS.get(config.arch, ALIGNED),
    )
    beside = weights.with_name("weights.json")
    save_manifest(Manifest(default=card.name, models={card.name: card}), beside)
    told = {k: v for k, v in summary.items() if k not in ("sha256", "bytes", "config")}
    keep_figures(card.name, beside.parent, training=told)
    return beside
