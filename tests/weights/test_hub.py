"""Weights from cache, bundled copy and Hub; every way a Hub can fail, on a Hub on loopback."""

from __future__ import annotations

import hashlib
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
from huggingface_hub import constants, hf_hub_download, scan_cache_dir, try_to_load_from_cache
from huggingface_hub.utils._xet_progress_reporting import XetDownloadProgressReporter

from tests.weights.hub_server import HubServer
from xfv_core.errors import XfvError
from xfv_core.weights.hub import ROOT, WeightsError, load_tensors, read_pinned, reporting_bar
from xfv_core.weights.manifest import HubFile, InputSpec, ModelCard, PinnedFile

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


# --- a Hub that refuses, fails or keeps silent --------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("repo_not_found", "Repository Not Found"),
        ("revision_not_found", "Revision Not Found"),
        ("entry_not_found", "Entry Not Found"),
        ("gated", "gated repo"),
        ("server_error", "500"),
        ("silent", "nothing new in 0.3 s after 0 of 2,800,"),
        ("silent_body", "nothing new in 0.3 s after 0 of 2,800,"),
        ("trickle", "nothing new in 0.3 s after 0 of 2,800,"),
        ("short_body", "nothing new in 0.3 s after "),
    ],
)
def test_each_failure_of_the_hub_is_one_sentence_and_leaves_nothing_to_load(
    hub: HubServer, load: Any, fault: Any, words: str
) -> None:
    hub.fault = fault
    with pytest.raises(XfvError) as caught:
        load(CARD, silence=BRIEF)
    assert f"Could not fetch {FILE} from {hub.endpoint} (" in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert hub.count("GET") <= 1
    with pytest.raises(AssertionError):
        cached()


@pytest.mark.parametrize("endpoint", ["http://no.such.host.invalid", "nonsense", "http://:::"])
def test_an_endpoint_that_cannot_be_is_one_sentence(endpoint: str) -> None:
    with pytest.raises(WeightsError, match="Could not fetch"):
        load_tensors(CARD, endpoint=endpoint)


def test_a_refused_connection_is_told_without_retries(
    hub: HubServer, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_sleep(seconds: float) -> None:
        raise AssertionError(f"the library would retry in {seconds} s")

    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", no_sleep)
    with pytest.raises(WeightsError, match="refused"):
        load(CARD, endpoint=hub.refused)


def test_a_name_lookup_that_never_ends_is_given_up(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def look_up(*_: object, **__: object) -> list[Any]:
        over.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(WeightsError, match="nothing new"):
        load(CARD, endpoint="http://hub.example", silence=BRIEF)
    over.set()


def test_an_abandoned_download_leaves_no_wrong_bytes_behind(
    hub: HubServer, load: Any, cache: Path
) -> None:
    hub.fault, hub.halfway = "other_bytes", threading.Event()
    others = set(threading.enumerate())
    with pytest.raises(WeightsError, match="nothing new"):
        load(CARD, silence=BRIEF)
    abandoned = [t for t in set(threading.enumerate()) - others if t.name == "download"]
    hub.halfway.set()
    for thread in abandoned:
        thread.join()
    assert hub.count("GET") == 2
    assert kept(cache) == []


def test_a_cache_that_cannot_be_written_is_one_sentence(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="Not a directory"):
        load(CARD)


# --- environment and progress -------------------------------------------------------------------


@pytest.mark.slow
def test_endpoint_token_and_cache_of_the_environment_are_used(hub: HubServer, cache: Path) -> None:
    code = (
        "from tests.weights.test_hub import CARD; "
        "from xfv_core.weights.hub import load_tensors; load_tensors(CARD)"
    )
    settings = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_TOKEN": "hf_secret",
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": "0",
    }
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **settings}, cwd=ROOT, check=True
    )
    assert cached().read_bytes() == DATA
    sent = {request.authorization for request in hub.requests if FILE.filename in request.path}
    assert sent == {"Bearer hf_secret"}


def test_offline_makes_no_request_and_says_so(
    hub: HubServer, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        load(CARD)
    assert hub.count() == 0


def test_offline_leaves_cache_and_bundled_copy_alone(
    load: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(CARD)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert is_right(load(CARD))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache / "empty"))
    assert is_right(load(BUNDLED))


def test_progress_rises_to_the_total_in_the_thread_that_asked(
    hub: HubServer, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 2**16)
    hub.halfway = middle = threading.Event()
    seen: list[int] = []

    def progress(done: int, total: int | None) -> None:
        assert (total, threading.current_thread()) == (len(DATA), threading.main_thread())
        seen.append(done)
        if done > 0:
            middle.set()

    load(CARD, progress=progress)
    assert seen == sorted(seen)
    assert any(0 < done < len(DATA) for done in seen)
    assert seen[-1] == len(DATA)


def test_a_download_stopped_by_progress_goes_on_for_the_next_to_ask(
    hub: HubServer, load: Any
) -> None:
    hub.halfway = threading.Event()

    def stop(done: int, total: int | None) -> None:
        if hub.count("GET"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(CARD, progress=stop)
    hub.halfway.set()
    assert is_right(load(CARD))
    assert hub.count("GET") == 1


def test_a_body_begun_anew_is_no_progress() -> None:
    reported: list[int] = []
    with reporting_bar(reported.append)(total=9, initial=0, unit="B", name="x", desc="y") as bar:
        for step in (4, 2, -6, 4, 2, 1):
            bar.update(step)
    assert reported == [4, 6, 7]


def test_the_bars_of_xet_report_what_arrives_and_what_is_written() -> None:
    reported: list[int] = []
    with XetDownloadProgressReporter(
        reconstruction_desc="written",
        total=9,
        log_level=0,
        name="huggingface_hub.xet_get",
        tqdm_class=reporting_bar(reported.append),
    ) as reporter:
        for received, written in ((5, 0), (5, 0), (9, 4), (9, 9)):
            reporter.update_progress(
                SimpleNamespace(
                    total_bytes=9,
                    total_bytes_completed=written,
                    total_bytes_completion_rate=1.0,
                    total_transfer_bytes_completed=received,
                    total_transfer_bytes_completion_rate=1.0,
                )
            )
    assert reported == [5, 4, 9, 9]


def test_downloads_at_once_share_one_transfer(hub: HubServer, load: Any) -> None:
    seen: list[bool] = []
    threads = [threading.Thread(target=lambda: seen.append(is_right(load(CARD)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 4
    assert hub.count("GET") == 1


# --- reading ------------------------------------------------------------------------------------


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
