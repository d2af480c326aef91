"""A Hub on loopback, an empty cache and a repository with a bundled copy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from tests.weights.hub.case import (
    DATA,
    FILE,
)
from tests.weights.hub_server import HubServer
from xfv_core.weights.hub import load_tensors


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.add(FILE.repo_id, FILE.revision, FILE.filename, DATA)
        yield server


@pytest.fixture
def load(hub: HubServer, root: Path) -> Any:
    return partial(load_tensors, endpoint=hub.endpoint, root=root)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "net.safetensors").write_bytes(DATA)
    return folder
