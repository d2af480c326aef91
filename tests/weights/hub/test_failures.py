"""A Hub that refuses, fails or keeps silent: one sentence, and nothing wrong is left behind."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from tests.weights.hub.case import (
    BRIEF,
    CARD,
    FILE,
    cached,
    kept,
)
from tests.weights.hub_server import HubServer
from xfv_core.errors import XfvError
from xfv_core.weights.hub import WeightsError, load_tensors


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
