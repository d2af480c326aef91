"""Only pinned safetensors inside the folder of the manifest are read."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.weights.hub.case import (
    BUNDLED,
    TENSORS,
    card_for,
    is_right,
)
from xfv_core.weights.hub import WeightsError, load_tensors, read_pinned
from xfv_core.weights.manifest import HubFile, PinnedFile


def test_the_bytes_that_were_checked_are_the_bytes_that_are_parsed(
    load: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = root / "weights" / "net.safetensors", Path.read_bytes

    def read_then_swap(self: Path) -> bytes:
        data = read(self)
        path.write_bytes(b"something else")
        return data

    monkeypatch.setattr(Path, "read_bytes", read_then_swap)
    assert is_right(load(BUNDLED))
    assert read(path) == b"something else"


class _Trap:
    sprung = False

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (setattr, (_Trap, "sprung", True))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickles_are_refused_unopened_even_with_the_right_hash(root: Path, protocol: int) -> None:
    data = pickle.dumps(_Trap(), protocol=protocol)
    (root / "weights" / "net.safetensors").write_bytes(data)
    with pytest.raises(WeightsError, match="no safetensors file"):
        load_tensors(card_for(data, bundled=BUNDLED.bundled), root=root)
    assert not _Trap.sprung


def test_links_do_not_lead_out_of_the_folder_of_the_manifest(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.safetensors"
    (root / "weights" / "net.safetensors").replace(outside)
    (root / "weights" / "net.safetensors").symlink_to(outside)
    with pytest.raises(WeightsError, match="lies outside"):
        load_tensors(BUNDLED, root=root)


def test_a_file_beside_the_weights_is_read_only_as_it_is_pinned(root: Path) -> None:
    (root / "net.parts.json").write_bytes(b"{}")
    pin = PinnedFile("net.parts.json", hashlib.sha256(b"{}").hexdigest(), 2)
    assert read_pinned(pin, root) == b"{}"
    (root / "net.parts.json").write_bytes(b"[]")
    with pytest.raises(WeightsError, match=r"net\.parts\.json is missing or damaged"):
        read_pinned(pin, root)


def test_a_torch_checkpoint_is_refused(root: Path) -> None:
    path = root / "weights" / "net.safetensors"
    torch.save(TENSORS, path)
    card = card_for(path.read_bytes(), bundled=BUNDLED.bundled)
    with pytest.raises(WeightsError, match="no safetensors file"):
        load_tensors(card, root=root)


def test_a_name_that_resolves_to_nothing_useful_cannot_leave_the_cache() -> None:
    with pytest.raises(ValueError, match="relative path"):
        HubFile("owner/name", "a" * 40, "../../outside.safetensors")
