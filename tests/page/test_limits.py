"""One visitor cannot take the machine from the others, nor send it anywhere."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.data_classes import ImageData
from gradio.route_utils import StarletteRequest

from page.photo import photo_widget
from page.server import limits
from xfv_core.explain.fggb import FGGB
from xfv_core.explain.occlusion import Occlusion


def request(host: str, **headers: str) -> Any:
    """As Gradio hands it to callbacks."""
    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    return gr.Request(StarletteRequest({"type": "http", "client": (host, 5), "headers": named}))


@pytest.fixture(autouse=True)
def fresh() -> None:
    limits.limiter.storage.reset()


def ask(visitor: Any, times: int, what: str = "report") -> None:
    for _ in range(times):
        limits.admit(visitor, what)


def admitted(visitor: Any, what: str = "report") -> bool:
    """Whether one more request is let in."""
    try:
        limits.admit(visitor, what)
    except limits.TooManyError:
        return False
    return True


ENOUGH = limits.ALLOWED["report"].amount


def test_a_visitor_who_asks_for_too_much_is_told_to_wait() -> None:
    ask(request("1.2.3.4"), ENOUGH)
    with pytest.raises(limits.TooManyError, match="wait a little"):
        ask(request("1.2.3.4"), 1)


def test_the_slowest_maps_use_up_what_is_allowed_sooner() -> None:
    counted = {}
    for number, asked in enumerate((Occlusion(), Occlusion(preset="paper"), FGGB())):
        visitor, counted[asked] = request(f"1.2.3.{number}"), 0
        with pytest.raises(limits.TooManyError):
            while counted[asked] < 1000:
                limits.admit_maps(visitor, asked)
                counted[asked] += 1
    most = limits.ALLOWED["maps"].amount
    assert list(counted.values()) == [most, most // 6, most // 2]


def test_other_visitors_and_other_requests_do_not_suffer_from_it() -> None:
    ask(request("1.2.3.4"), ENOUGH)
    assert not admitted(request("1.2.3.4"))
    assert admitted(request("1.2.3.5")) and admitted(request("1.2.3.4"), "verdict")


def test_who_is_not_behind_the_router_cannot_say_to_be_somebody_else() -> None:
    for i in range(ENOUGH):
        limits.admit(request("1.2.3.4", **{"x-forwarded-for": f"9.9.9.{i}"}), "report")
    with pytest.raises(limits.TooManyError):
        limits.admit(request("1.2.3.4", **{"x-forwarded-for": "8.8.8.8"}), "report")


def test_behind_the_router_its_word_counts_and_not_the_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PROXIED", True)
    said = {"x-forwarded-for": "I am new, 5.6.7.8"}  # the router appends what it saw
    assert limits.visitor(request("10.0.0.1", **said)) == "5.6.7.8"
    assert limits.visitor(request("10.0.0.1")) == "10.0.0.1"


def test_the_server_itself_is_not_counted() -> None:
    assert all(admitted(None) for _ in range(ENOUGH + 1))


def taken(photo: gr.Image, path: str) -> str | None:
    """What the widget makes of a path; in a thread, because browser tests leave a loop running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, photo.async_move_resource_to_block_cache(path)).result()


@pytest.mark.parametrize("address", ["http://example.com/a.png", "HTTPS://example.com/a.png"])
def test_an_address_instead_of_a_photo_is_not_fetched(address: str) -> None:
    with gr.Blocks():
        photo = photo_widget("Photo", "photo")
    with pytest.raises(gr.Error, match="addresses are not fetched"):
        taken(photo, address)


def test_a_widget_that_an_event_made_anew_reads_no_file_of_the_server_either() -> None:
    with gr.Blocks():
        anew = type(photo_widget("Photo", "photo"))(type="pil")
    with pytest.raises(gr.Error, match="other files are not read"):
        anew.preprocess(ImageData(path="/etc/passwd"))


def test_a_file_of_ours_is_still_taken(examples: Path) -> None:
    with gr.Blocks():
        photo = photo_widget("Photo", "photo")
    kept = taken(photo, str(examples / "biden.jpg"))
    assert kept is not None and Path(kept).read_bytes() == (examples / "biden.jpg").read_bytes()
