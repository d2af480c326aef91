"""A small file of weights, the card that pins it, and a look into the cache."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from huggingface_hub import constants, try_to_load_from_cache

from xfv_core.weights.manifest import HubFile, InputSpec, ModelCard

TENSORS = {"w": torch.arange(700_000, dtype=torch.float32), "b": torch.tensor([1.5])}
DATA = safetensors.torch.save(TENSORS)
FILE = HubFile("owner/name", "a1" * 20, "model.safetensors")
BRIEF = 0.3  # seconds of silence


def card_for(data: bytes, **changes: Any) -> ModelCard:
    card = ModelCard(
        name="net",
        title="A net",
        arch="net",
        config={},
        hub=FILE,
        bundled=None,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        license="MIT",
        source="here",
        trained_on="nothing",
        input=InputSpec(size=8, crop="template", normalisation="x"),
    )
    return replace(card, **changes)


CARD = card_for(DATA)
BUNDLED = replace(CARD, bundled="weights/net.safetensors")


def is_right(tensors: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensors[key], TENSORS[key]) for key in TENSORS)


def cached() -> Path:
    """Where the cache has the file."""
    found = try_to_load_from_cache(
        FILE.repo_id, FILE.filename, constants.HF_HUB_CACHE, FILE.revision
    )
    assert isinstance(found, str)
    return Path(found)


def kept(cache: Path) -> list[Path]:
    """What the cache holds of models, finished or not."""
    folders = ("blobs", "snapshots", "refs", ".no_exist")
    return [p for f in folders for p in cache.glob(f"*/{f}/**/*") if not p.is_dir()]


def tamper(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.resolve().write_bytes(data)
