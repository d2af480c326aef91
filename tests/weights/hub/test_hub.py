"""Weights from cache, bundled copy and Hub; every way a Hub can fail, on a Hub on loopback."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants, hf_hub_download, scan_cache_dir

from tests.weights.hub.case import (
    BUNDLED,
    CARD,
    DATA,
    FILE,
    cached,
    is_right,
    kept,
    tamper,
)
from tests.weights.hub_server import HubServer
from xfv_core.weights.hub import WeightsError

# --- the three places ---------------------------------------------------------------------------


@pytest.mark.parametrize("redirect", [False, True])
def test_a_download_arrives_whole(hub: HubServer, load: Any, redirect: bool) -> None:
    hub.redirect = redirect
    assert is_right(load(CARD))
    assert cached().read_bytes() == DATA


def test_the_second_load_comes_from_the_cache_without_a_request(hub: HubServer, load: Any) -> None:
    load(CARD)
    hub.requests.clear()
    assert is_right(load(CARD))
    assert hub.count() == 0


def test_the_cache_is_the_one_that_other_programs_use(
    hub: HubServer, load: Any, cache: Path
) -> None:
    place = (FILE.repo_id, FILE.filename)
    hf_hub_download(*place, revision=FILE.revision, cache_dir=cache, endpoint=hub.endpoint)
    hub.requests.clear()
    assert is_right(load(CARD))
    assert hub.count() == 0
    report = scan_cache_dir(cache)
    assert not report.warnings
    assert report.size_on_disk == len(DATA)


@pytest.mark.parametrize("fault", [None, "silent"])
def test_the_bundled_copy_is_used_without_a_request(hub: HubServer, load: Any, fault: Any) -> None:
    hub.fault = fault
    assert is_right(load(BUNDLED))
    assert hub.count() == 0


def test_the_cache_goes_before_the_bundled_copy(load: Any, root: Path) -> None:
    load(CARD)
    tamper(root / "weights" / "net.safetensors")
    assert is_right(load(BUNDLED, endpoint="http://no.such.host.invalid"))


def test_the_hub_can_be_forced_past_the_bundled_copy(hub: HubServer, load: Any) -> None:
    assert is_right(load(BUNDLED, source="hub"))
    assert hub.count("GET") == 1


# --- other bytes than the pinned ones -----------------------------------------------------------

BODY_FAULTS = ["other_bytes", "short_without_length", "long_body"]


@pytest.mark.parametrize("fault", BODY_FAULTS)
def test_a_wrong_body_is_tried_once_more_then_refused_by_name(
    hub: HubServer, load: Any, cache: Path, fault: Any
) -> None:
    hub.fault = fault
    with pytest.raises(WeightsError) as caught:
        load(CARD)
    for part in (FILE.filename, FILE.repo_id, FILE.revision, hub.endpoint):
        assert part in str(caught.value)
    assert hub.count("GET") == 2
    assert kept(cache) == []


@pytest.mark.parametrize("fault", [*BODY_FAULTS, "short_body"])
def test_a_body_that_is_wrong_once_is_fetched_again(hub: HubServer, load: Any, fault: Any) -> None:
    hub.fault, hub.fault_gets = fault, 1
    assert is_right(load(CARD))
    assert hub.count("GET") == 2


def test_the_message_holds_the_hashes_expected_and_found(hub: HubServer, load: Any) -> None:
    hub.fault = "other_bytes"
    found = hashlib.sha256(DATA[:-1] + bytes([DATA[-1] ^ 1])).hexdigest()
    with pytest.raises(WeightsError, match=f"sha256: expected {CARD.sha256}, found {found}"):
        load(CARD)


def test_the_message_holds_the_lengths_expected_and_found(hub: HubServer, load: Any) -> None:
    hub.fault = "short_without_length"
    with pytest.raises(WeightsError, match=f"size {len(DATA)} but has size {len(DATA) // 2}"):
        load(CARD)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("wrong_commit", f"commit: expected {FILE.revision}, found {'f' * 40}"),
        ("no_commit", f"commit: expected {FILE.revision}, found None"),
        ("other_size", f"bytes: expected {len(DATA)}, found {len(DATA) + 1}"),
    ],
)
def test_another_commit_or_size_is_refused_before_anything_is_fetched_or_noted(
    hub: HubServer, load: Any, cache: Path, fault: Any, words: str
) -> None:
    hub.fault = fault
    with pytest.raises(WeightsError, match=words):
        load(CARD)
    assert hub.count("GET") == 0
    assert kept(cache) == []
    hub.fault = None
    assert is_right(load(CARD))
    assert cached().parent.name == FILE.revision


# --- a damaged local copy -----------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["tampered", "cut", "grown", "emptied"])
def test_a_damaged_cache_is_healed(hub: HubServer, load: Any, damage: str) -> None:
    load(CARD)
    blob = cached().resolve()
    wrong = bytes([DATA[0] ^ 1]) + DATA[1:]
    blob.write_bytes(
        {"tampered": wrong, "cut": DATA[:9], "grown": DATA + b"\0", "emptied": b""}[damage]
    )
    assert is_right(load(CARD))
    assert blob.read_bytes() == DATA
    assert hub.count("GET") == 2


def test_a_damaged_blob_is_deleted_even_when_no_other_can_be_had(
    hub: HubServer, load: Any, cache: Path
) -> None:
    load(CARD)
    tamper(cached())
    with pytest.raises(WeightsError):
        load(CARD, endpoint=hub.refused)
    assert kept(cache) == []


def test_a_damaged_cache_gives_way_to_the_bundled_copy(
    hub: HubServer, load: Any, cache: Path
) -> None:
    load(CARD)
    tamper(cached())
    hub.requests.clear()
    assert is_right(load(BUNDLED))
    assert hub.count() == 0
    assert kept(cache) == []


def test_a_damaged_blob_without_its_link_is_healed(hub: HubServer, load: Any) -> None:
    load(CARD)
    tamper(cached())
    cached().unlink()
    assert is_right(load(CARD))
    assert cached().read_bytes() == DATA


def test_a_blob_shared_between_repositories_is_healed(load: Any, cache: Path) -> None:
    load(CARD)
    blob, shared = cached().resolve(), cache / "blobs" / "ab" / "abcd"
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to(os.path.relpath(shared, blob.parent))
    tamper(cached())
    assert is_right(load(CARD))
    assert not shared.exists()
    assert cached().read_bytes() == DATA


def test_a_cache_without_links_is_healed(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    load(CARD)
    assert not cached().is_symlink()
    tamper(cached())
    assert is_right(load(CARD))
    assert cached().read_bytes() == DATA


def test_a_cache_behind_a_link_is_healed(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "link"))
    load(CARD)
    tamper(cached())
    assert is_right(load(CARD))
    assert cached().read_bytes() == DATA


def test_nothing_outside_the_cache_is_deleted(load: Any, tmp_path: Path) -> None:
    load(CARD)
    path, mine = cached(), tmp_path / "mine.safetensors"
    mine.write_bytes(b"something else")
    path.unlink()
    path.symlink_to(mine)
    assert is_right(load(CARD))
    assert mine.read_bytes() == b"something else"


def test_nothing_is_deleted_in_a_folder_that_lies_outside_the_cache(
    load: Any, tmp_path: Path
) -> None:
    load(CARD)
    snapshot, mine = cached().parent, tmp_path / "mine"
    snapshot.rename(mine)
    snapshot.symlink_to(mine)
    (mine / FILE.filename).unlink()
    (mine / FILE.filename).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="expected"):
        load(CARD)
    assert (mine / FILE.filename).read_bytes() == b"something else"


def test_a_damaged_bundled_copy_is_left_alone_and_the_hub_asked(load: Any, root: Path) -> None:
    bundled = root / "weights" / "net.safetensors"
    tamper(bundled)
    assert is_right(load(BUNDLED))
    assert bundled.exists()


@pytest.mark.parametrize("damage", [tamper, Path.unlink])
def test_without_a_hub_a_bad_bundled_copy_is_to_be_restored(
    load: Any, root: Path, damage: Any
) -> None:
    damage(root / "weights" / "net.safetensors")
    with pytest.raises(WeightsError, match=r"weights/net\.safetensors is missing or damaged"):
        load(replace(BUNDLED, hub=None))


def test_the_hub_cannot_be_forced_where_nothing_is_published(load: Any) -> None:
    with pytest.raises(WeightsError, match=r"not on the Hub, and its .* was left out"):
        load(replace(BUNDLED, hub=None), source="hub")
