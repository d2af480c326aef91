"""Weights from cache, bundled copy and Hub; every way a Hub can fail, on a Hub on loopback."""

from __future__ import annotations

import hashlib
import os
import pickle
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from huggingface_hub import hf_hub_download, scan_cache_dir, try_to_load_from_cache

from tests.hub_server import HubServer
from xfv_core.errors import XfvError
from xfv_core.hub import (
    Patience,
    WeightsError,
    load_tensors,
    load_weights,
    unavailable,
    weights_file,
)
from xfv_core.manifest import HubFile, InputSpec, ModelCard, load_manifest

TENSORS = {"w": torch.arange(700_000, dtype=torch.float32), "b": torch.tensor([1.5])}
DATA = safetensors.torch.save(TENSORS)
FILE = load_manifest().card("facenet").hub
assert FILE is not None
HASTY = Patience(answer=0.3, grace=0.2, slowest=1e7)


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


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        assert FILE is not None
        server.add(FILE.repo_id, FILE.revision, FILE.filename, DATA)
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "net.safetensors").write_bytes(DATA)
    return folder


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def tamper(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.resolve().write_bytes(data)


# --- the three places ---------------------------------------------------------------------------


def test_a_download_arrives_whole_and_says_where_it_came_from(hub: HubServer, cache: Path) -> None:
    weights = load_weights(CARD)
    assert weights.origin == "hub"
    assert torch.equal(weights.tensors["w"], TENSORS["w"])
    assert weights.path.is_relative_to(cache)
    assert (hub.count("HEAD"), hub.count("GET")) == (1, 1)


def test_the_second_load_comes_from_the_cache_without_a_request(hub: HubServer) -> None:
    load_weights(CARD)
    hub.requests.clear()
    assert load_weights(CARD).origin == "cache"
    assert hub.count() == 0


def test_the_hub_library_finds_the_download_in_its_own_cache(hub: HubServer, cache: Path) -> None:
    path = weights_file(CARD)
    where = (FILE.repo_id, FILE.filename)
    hub.requests.clear()
    assert try_to_load_from_cache(*where, cache, FILE.revision) == str(path)
    assert hf_hub_download(*where, revision=FILE.revision, cache_dir=cache) == str(path)
    assert hub.count() == 0
    report = scan_cache_dir(cache)
    assert not report.warnings
    assert report.size_on_disk == len(DATA)


def test_a_file_fetched_by_the_hub_library_is_used(hub: HubServer, cache: Path) -> None:
    hf_hub_download(
        FILE.repo_id,
        FILE.filename,
        revision=FILE.revision,
        cache_dir=cache,
        endpoint=hub.endpoint,
    )
    hub.requests.clear()
    assert load_weights(CARD).origin == "cache"
    assert hub.count() == 0


def test_the_bundled_copy_is_used_without_a_request(hub: HubServer, root: Path) -> None:
    weights = load_weights(BUNDLED, root=root)
    assert weights.origin == "bundled"
    assert torch.equal(weights.tensors["b"], TENSORS["b"])
    assert hub.count() == 0


def test_the_bundled_copy_is_used_with_the_hub_dead(hub: HubServer, root: Path) -> None:
    hub.fault = "silent"
    assert load_weights(BUNDLED, root=root).origin == "bundled"


def test_the_cache_goes_before_the_bundled_copy(hub: HubServer, root: Path) -> None:
    weights_file(CARD)
    assert load_weights(BUNDLED, root=root).origin == "cache"


def test_the_hub_can_be_forced_past_the_bundled_copy(hub: HubServer, root: Path) -> None:
    assert load_weights(BUNDLED, root=root, source="hub").origin == "hub"
    assert hub.count("GET") == 1
    assert load_weights(BUNDLED, root=root, source="hub").origin == "cache"


def test_weights_file_gives_the_path_of_the_verified_copy(hub: HubServer, root: Path) -> None:
    assert weights_file(BUNDLED, root=root) == root / "weights" / "net.safetensors"
    assert weights_file(CARD).read_bytes() == DATA


# --- other bytes than the pinned ones -----------------------------------------------------------

BODY_FAULTS = ["other_bytes", "short_body", "short_without_length", "long_body"]


@pytest.mark.parametrize("fault", BODY_FAULTS)
def test_a_wrong_body_is_tried_once_more_then_refused_by_name(
    hub: HubServer, cache: Path, fault: Any
) -> None:
    hub.fault = fault
    with pytest.raises(WeightsError) as caught:
        load_weights(CARD)
    for part in (FILE.repo_id, FILE.revision, CARD.sha256, "expected", "found", hub.endpoint):
        assert part in str(caught.value)
    assert hub.count("GET") == 2
    assert files_below(cache) == []


@pytest.mark.parametrize("fault", BODY_FAULTS)
def test_a_body_that_is_wrong_once_is_fetched_again(hub: HubServer, fault: Any) -> None:
    hub.fault, hub.fault_gets = fault, 1
    assert torch.equal(load_weights(CARD).tensors["w"], TENSORS["w"])
    assert hub.count("GET") == 2


def test_the_message_holds_the_hash_that_was_found(hub: HubServer) -> None:
    hub.fault = "other_bytes"
    found = hashlib.sha256(DATA[:-1] + bytes([DATA[-1] ^ 1])).hexdigest()
    with pytest.raises(WeightsError, match=f"expected sha256 {CARD.sha256}, found {found}"):
        load_weights(CARD)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("wrong_commit", f"expected revision {FILE.revision}, found {'f' * 40}"),
        ("no_commit", "found None"),
        ("other_size", f"expected {len(DATA):,} bytes, found {len(DATA) + 1:,}"),
    ],
)
def test_another_commit_or_size_is_refused_before_anything_is_fetched(
    hub: HubServer, cache: Path, fault: Any, words: str
) -> None:
    hub.fault = fault
    with pytest.raises(WeightsError, match=words):
        load_weights(CARD)
    assert hub.count("GET") == 0
    assert files_below(cache) == []


# --- a damaged local copy -----------------------------------------------------------------------


def test_a_tampered_cache_is_healed(hub: HubServer) -> None:
    path = weights_file(CARD)
    blob = path.resolve()
    tamper(path)
    assert hashlib.sha256(blob.read_bytes()).hexdigest() != CARD.sha256
    assert load_weights(CARD).origin == "hub"
    assert blob.read_bytes() == DATA
    assert load_weights(CARD).origin == "cache"


def test_a_truncated_and_a_grown_cache_are_healed(hub: HubServer) -> None:
    path = weights_file(CARD)
    for data in (DATA[:100], DATA + b"\0", b""):
        path.resolve().write_bytes(data)
        assert load_weights(CARD).origin == "hub"
    assert path.read_bytes() == DATA


def test_a_tampered_blob_is_deleted_even_when_no_other_can_be_had(hub: HubServer) -> None:
    path = weights_file(CARD)
    blob = path.resolve()
    tamper(path)
    with pytest.raises(WeightsError) as caught:
        load_weights(CARD, endpoint=hub.refused)
    assert "is damaged: expected sha256" in str(caught.value)
    assert "cannot be reached" in str(caught.value)
    assert not blob.exists()
    assert not path.is_symlink()


def test_a_tampered_cache_gives_way_to_the_bundled_copy(hub: HubServer, root: Path) -> None:
    path = weights_file(CARD)
    tamper(path)
    hub.requests.clear()
    assert load_weights(BUNDLED, root=root).origin == "bundled"
    assert hub.count() == 0
    assert not path.exists()


def test_a_blob_shared_between_repositories_is_deleted_with_its_links(
    hub: HubServer, cache: Path
) -> None:
    path = weights_file(CARD)
    blob, shared = path.resolve(), cache / "blobs" / "ab" / "abcd"
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to(os.path.relpath(shared, blob.parent))
    tamper(path)
    assert load_weights(CARD).origin == "hub"
    assert not shared.exists()
    assert not path.resolve().is_symlink()


def test_nothing_outside_the_cache_is_deleted(hub: HubServer, tmp_path: Path) -> None:
    path = weights_file(CARD)
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(b"something else")
    path.unlink()
    path.symlink_to(mine)
    assert load_weights(CARD).path.read_bytes() == DATA
    assert mine.read_bytes() == b"something else"


def test_a_damaged_bundled_copy_is_left_alone_and_the_hub_asked(hub: HubServer, root: Path) -> None:
    bundled = root / "weights" / "net.safetensors"
    tamper(bundled)
    assert load_weights(BUNDLED, root=root).origin == "hub"
    assert bundled.exists()


@pytest.mark.parametrize("damage", [tamper, Path.unlink])
def test_without_a_hub_a_bad_bundled_copy_is_to_be_restored(root: Path, damage: Any) -> None:
    damage(root / "weights" / "net.safetensors")
    with pytest.raises(WeightsError, match=r"weights/net\.safetensors is needed: restore"):
        load_weights(replace(BUNDLED, hub=None), root=root)


def test_a_file_system_without_links_works_and_heals(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    path = weights_file(CARD)
    assert not path.is_symlink()
    assert load_weights(CARD).origin == "cache"
    tamper(path)
    assert load_weights(CARD).origin == "hub"


# --- a Hub that refuses, fails or keeps silent --------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("repo_not_found", "has no repository py-feat/facenet, or it is private: set HF_TOKEN"),
        ("revision_not_found", "does not have model.safetensors of py-feat/facenet at revision"),
        ("entry_not_found", "does not have model.safetensors of py-feat/facenet at revision"),
        ("gated", "wants its terms accepted"),
        ("server_error", "answered 500"),
        ("silent", "is too slow or does not answer"),
        ("silent_body", "is too slow or does not answer"),
        ("trickle", "is too slow or does not answer"),
    ],
)
def test_each_failure_of_the_hub_is_one_sentence_and_leaves_nothing(
    hub: HubServer, cache: Path, fault: Any, words: str
) -> None:
    hub.fault = fault
    with pytest.raises(XfvError) as caught:
        load_weights(CARD, patience=HASTY)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files_below(cache) == []
    assert hub.count("HEAD") == 1
    assert hub.count("GET") <= 1


@pytest.mark.parametrize("endpoint", ["http://no.such.host.invalid", "nonsense", "http://:::"])
def test_an_endpoint_that_cannot_be_is_one_sentence(endpoint: str) -> None:
    with pytest.raises(WeightsError, match="cannot be reached"):
        load_weights(CARD, endpoint=endpoint)


def test_a_refused_connection_is_one_sentence(hub: HubServer) -> None:
    with pytest.raises(WeightsError, match="cannot be reached"):
        load_weights(CARD, endpoint=hub.refused)


def test_a_name_lookup_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def look_up(*_: object, **__: object) -> list[Any]:
        over.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(WeightsError, match="does not answer"):
        load_weights(CARD, endpoint="http://hub.example", patience=HASTY)
    over.set()


def test_a_cache_that_cannot_be_written_is_one_sentence(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="set HF_HUB_CACHE to a folder that can be written"):
        load_weights(CARD)


# --- environment and progress -------------------------------------------------------------------


def test_the_endpoint_argument_beats_the_environment(hub: HubServer) -> None:
    with HubServer() as other:
        other.add(FILE.repo_id, FILE.revision, FILE.filename, DATA)
        load_weights(CARD, endpoint=other.endpoint + "/")
        assert (hub.count(), other.count("GET")) == (0, 1)


def test_offline_makes_no_request_and_says_so(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        load_weights(CARD)
    assert hub.count() == 0


def test_offline_leaves_cache_and_bundled_copy_alone(
    hub: HubServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights_file(CARD)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert load_weights(CARD).origin == "cache"
    monkeypatch.setenv("HF_HUB_CACHE", str(root / "empty"))
    assert load_weights(BUNDLED, root=root).origin == "bundled"


def test_the_token_goes_to_the_hub_and_not_where_it_redirects(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.redirect = True
    assert load_weights(CARD).origin == "hub"
    elsewhere = [r for r in hub.requests if r.path.startswith("/cdn/")]
    to_hub = [r for r in hub.requests if not r.path.startswith("/cdn/")]
    assert [r.method for r in elsewhere] == ["GET"]
    assert [r.authorization for r in elsewhere] == [None]
    assert {r.authorization for r in to_hub} == {"Bearer hf_secret"}


def test_progress_rises_from_nothing_to_all(hub: HubServer) -> None:
    seen: list[tuple[int, int | None]] = []
    weights_file(CARD, progress=lambda done, total: seen.append((done, total)))
    done = [d for d, _ in seen]
    assert done[0] == 0
    assert done[-1] == len(DATA)
    assert done == sorted(done)
    assert len(done) > 3
    assert {total for _, total in seen} == {len(DATA)}


def test_what_progress_raises_ends_the_download_and_leaves_nothing(
    hub: HubServer, cache: Path
) -> None:
    def stop(done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights_file(CARD, progress=stop)
    assert files_below(cache) == []


def test_two_downloads_at_once_both_end_well(hub: HubServer, cache: Path) -> None:
    seen: list[bool] = []

    def load() -> None:
        seen.append(torch.equal(load_weights(CARD).tensors["w"], TENSORS["w"]))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 4
    assert not [path for path in files_below(cache) if path.suffix == ".incomplete"]


# --- reading ------------------------------------------------------------------------------------


def test_load_tensors_reads_a_verified_file(root: Path) -> None:
    tensors = load_tensors(root / "weights" / "net.safetensors", CARD)
    assert torch.equal(tensors["w"], TENSORS["w"])


def test_load_tensors_refuses_another_file(root: Path) -> None:
    path = root / "weights" / "net.safetensors"
    tamper(path)
    with pytest.raises(WeightsError, match="not the file that the entry net pins: expected sha256"):
        load_tensors(path, CARD)


def test_load_tensors_of_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="No such file"):
        load_tensors(tmp_path / "none.safetensors", CARD)


def test_the_bytes_that_were_checked_are_the_bytes_that_are_parsed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, parse = root / "weights" / "net.safetensors", safetensors.torch.load

    def swap_then_parse(data: bytes) -> dict[str, torch.Tensor]:
        tamper(path)
        return parse(data)

    monkeypatch.setattr(safetensors.torch, "load", swap_then_parse)
    tensors = load_weights(BUNDLED, root=root).tensors
    assert path.read_bytes() != DATA
    assert all(torch.equal(tensors[key], TENSORS[key]) for key in TENSORS)


class _Trap:
    sprung = False

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (setattr, (_Trap, "sprung", True))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickles_are_refused_unopened_even_with_the_right_hash(
    tmp_path: Path, protocol: int
) -> None:
    data = pickle.dumps(_Trap(), protocol=protocol)
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="not in safetensors format"):
        load_tensors(path, card_for(data))
    assert not _Trap.sprung


def test_a_torch_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    torch.save(TENSORS, path)
    with pytest.raises(WeightsError, match="not in safetensors format"):
        load_tensors(path, card_for(path.read_bytes()))


# --- what can be had now ------------------------------------------------------------------------


def test_a_local_model_is_available_without_a_request(hub: HubServer, root: Path) -> None:
    assert unavailable(BUNDLED, root=root) is None
    weights_file(CARD)
    hub.requests.clear()
    assert unavailable(CARD) is None
    assert hub.count() == 0


def test_a_hub_model_is_available_after_one_question(hub: HubServer) -> None:
    assert unavailable(CARD) is None
    assert [r.method for r in hub.requests] == ["HEAD"]


@pytest.mark.parametrize("fault", ["silent", "wrong_commit", "entry_not_found"])
def test_a_model_that_cannot_be_had_comes_with_the_reason(hub: HubServer, fault: Any) -> None:
    hub.fault = fault
    reason = unavailable(CARD, patience=HASTY)
    assert reason is not None
    assert FILE.repo_id in reason


def test_an_unpublished_model_without_its_file_comes_with_the_reason(tmp_path: Path) -> None:
    reason = unavailable(replace(BUNDLED, hub=None), root=tmp_path)
    assert reason is not None
    assert "restore that file" in reason


def test_a_name_that_resolves_to_nothing_useful_cannot_leave_the_cache() -> None:
    with pytest.raises(XfvError, match="relative path"):
        HubFile("owner/name", "a" * 40, "../../outside.safetensors")
