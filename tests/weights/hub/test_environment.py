"""What the environment says about the Hub is heeded; progress is reported as it is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.utils._xet_progress_reporting import XetDownloadProgressReporter

from tests.weights.hub.case import (
    BUNDLED,
    CARD,
    DATA,
    FILE,
    cached,
    is_right,
)
from tests.weights.hub_server import HubServer
from xfv_core.weights.hub import ROOT, WeightsError, reporting_bar


@pytest.mark.slow
def test_endpoint_token_and_cache_of_the_environment_are_used(hub: HubServer, cache: Path) -> None:
    code = (
        "from tests.weights.hub.case import CARD; "
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
