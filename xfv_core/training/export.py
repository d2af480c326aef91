"""A trained network as one safetensors file and the facts that its manifest entry needs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from xfv_core.models.blocks import TrainedModel

BYTE_LIMIT = 10 * 2**20


def export_weights(model: TrainedModel, path: Path) -> dict[str, Any]:
    """Write ``model`` with BN folded, in float32 where that fits 10 MiB, else in float16.

    Returns ``bytes``, ``sha256`` and ``dtype`` of the file.
    """
    tensors = model.folded().state_dict()
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
