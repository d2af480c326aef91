"""Hostile requests against a running server: words for an answer, no leak, nothing left behind."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.page.browser import ROOT, Server, serving
from tests.page.client import Client
from tests.page.hostile import PARTS, harmless, refused
from tests.page.hostile_values import data_url

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LEAKS = ("Traceback", 'File "', "site-packages", "root:", "sha256", "PATH=", "def main")
KEEP = 2  # seconds, of the server whose sweep is watched


@pytest.fixture(scope="module")
def client(server: str) -> Client:
    return Client(server)


def sentence(answer: httpx.Response) -> str:
    """What an answer says to a person, however it is wrapped."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        try:
            said = answer.json()
        except ValueError:
            return answer.text
        return str(said.get("detail") or said.get("why") or said)
    *_, last = [
        line[6:] for line in answer.text.splitlines() if "error" in line and "data: " in line
    ]
    said = json.loads(last)
    return str(said.get("output", said)["error"])


def no_leak(name: str, answer: httpx.Response) -> None:
    text = answer.text[:100_000]
    assert not [leak for leak in LEAKS if leak in text], f"{name}: {text[:500]}"


def test_hostile_requests_are_refused_in_words(client: Client, running: Server) -> None:
    kinds, said_before = refused(), len(running.log)
    assert len(kinds) >= 150
    for name, ask in kinds.items():
        answer = ask(client)
        no_leak(name, answer)
        said = sentence(answer)
        assert answer.status_code < 500 and said not in ("", "None"), f"{name}: {answer.text[:300]}"
        if answer.status_code == 200:
            assert "\n" not in said and len(said) < 300, f"{name}: {said}"
    assert client.verify(client.photo).text.count('"same": true') == 1
    log = running.log[said_before:]
    assert not [line for line in log if "Traceback" in line or len(line) > 120], log


def test_harmless_requests_do_nothing(client: Client, running: Server) -> None:
    for name, (ask, words) in harmless().items():
        answer = ask(client)
        no_leak(name, answer)
        assert words in answer.text and answer.status_code < 400, f"{name}: {answer.text[:300]}"
    assert not [line for line in running.log if "Traceback" in line]


def test_what_one_client_names_as_host_is_not_told_to_others(client: Client) -> None:
    named = {"x-forwarded-host": "evil.example"}
    for address in ("", "config", "gradio_api/info", "gradio_api/openapi.json"):
        client.get(address, headers=named)
        assert "evil.example" not in client.get(address).text


def test_no_endpoint_takes_more_than_two_photos(client: Client) -> None:
    endpoints = client.get("gradio_api/info").json()["named_endpoints"]
    for endpoint in endpoints.values():
        photos = [
            p for p in endpoint["parameters"] if p["component"] in ("Image", "Gallery", "File")
        ]
        assert len(photos) <= 2 and all(p["component"] == "Image" for p in photos)


def test_the_page_says_what_is_wrong_with_a_file_and_goes_on(
    open_page: Callable[..., Page], examples: Path, tmp_path: Path
) -> None:
    page = open_page()
    files = {"a.exe": b"MZ", "large.jpg": bytes(43_000_000)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#photo-a input[type=file]", tmp_path / name)
        expect(page.locator(".toast-body").filter(has_text=name)).to_be_visible()
    both = [list((examples / name).read_bytes()) for name in ("obama.jpg", "biden.jpg")]
    page.locator("#photo-a").get_by_label("Drop an image file here").evaluate(
        """(place, both) => {
            const dataTransfer = new DataTransfer();
            both.forEach((bytes, i) => dataTransfer.items.add(
                new File([new Uint8Array(bytes)], `${i}.jpg`, { type: "image/jpeg" })));
            place.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }""",
        both,
    )
    expect(page.locator("#answer")).to_contain_text("Now the second face")  # of two the first
    page.locator("#photo-b").get_by_label("Paste from clipboard").click()
    page.locator("#photo-b").get_by_text("Paste from Clipboard").click()  # there is nothing in it
    page.locator("#photo-b").get_by_label("Upload file").click()
    page.set_input_files("#photo-b input[type=file]", examples / "obama2.jpg")
    expect(page.locator("#answer")).to_contain_text("Same person")


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for temporary files of the server below, its own and Gradio's alike."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def forgetful(temporary: Path) -> Iterator[str]:
    """A server that keeps things for seconds and lets a visitor ask for little."""
    settings = {"TMPDIR": str(temporary), "XFV_KEEP_SECONDS": str(KEEP), "XFV_PER_MINUTE": "20"}
    with serving(**settings) as app:
        yield app.url
    assert not [path for path in below(temporary) if path.is_file()]  # stopped, it leaves nothing


def below(folder: Path) -> set[Path]:
    walked = os.walk(folder)  # unlike rglob it bears that folders go away meanwhile
    return {Path(inside, name) for inside, *names in walked for name in chain(*names)}


def broken_off(address: str) -> None:
    """Begin an upload of a megabyte and hang up in the middle."""
    there = urlsplit(address)
    head = [
        "POST /gradio_api/upload HTTP/1.1", f"Host: {there.netloc}", "Content-Length: 1000000",
        f"Content-Type: {PARTS['content-type']}", "", "--b",
        'Content-Disposition: form-data; name="files"; filename="broken.jpg"', "", "x" * 100_000,
    ]  # fmt: skip
    with socket.create_connection((there.hostname, there.port)) as line:
        line.sendall("\r\n".join(head).encode())


def test_everything_a_visitor_leaves_is_gone_after_its_time(
    forgetful: str, temporary: Path
) -> None:
    before = below(temporary)
    client = Client(forgetful)
    assert Path(client.path).exists()
    client.upload(files=[("files", (f"{i}.jpg", b"%d" % i)) for i in range(10)])
    client.upload(files=[("files", ("../../x", b"x"))])
    broken_off(forgetful)
    assert len(below(temporary) - before) > 20
    client.get("gradio_api/deep_link", params={"session_hash": "camera"})
    client.verify(data_url((ROOT / "examples" / "biden.jpg").read_bytes(), "image/jpeg"))
    maps = client.explain("patches", "", "balanced", "fast").text
    assert "maps.png" in maps
    wait_until(lambda: below(temporary) == before)
    assert client.http.get(f"gradio_api/file={client.path}").status_code == 403
    gone = client.verify(client.photo)
    assert "upload it again" in sentence(gone)


def wait_until(done: Callable[[], bool], seconds: float = 60) -> None:
    """A limit for what never happens, not a figure."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.1)


def test_a_visitor_may_upload_only_so_often(forgetful: str) -> None:
    client = Client(forgetful)
    answers = [client.upload(files=[("files", ("a.jpg", b"x"))]) for _ in range(41)]
    assert answers[-1].status_code == 429 and "wait a little" in sentence(answers[-1])
