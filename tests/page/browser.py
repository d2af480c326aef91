"""A freshly started app and a headless Chromium for the tests that drive the page."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
PATIENCE = 120_000  # ms; a limit for a hung page, not a figure
DESKTOP = {"width": 1280, "height": 900}
ANSWER = "#answer .xfv-answer"


@pytest.fixture(scope="session")
def chromium() -> str:
    if CHROMIUM is None:
        if os.environ.get("XFV_REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here and was not found")
        pytest.skip("no Chromium on this machine")
    return CHROMIUM


@dataclass
class Server:
    """A started app: where it is and what it said so far, line by line."""

    url: str
    log: list[str]


@contextmanager
def serving(*arguments: str, folder: Path = ROOT, **settings: str) -> Iterator[Server]:
    """A freshly started app of ``folder``; its log must hold no stack trace when it ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port), *arguments]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **settings},
    )  # fmt: skip
    assert process.stdout is not None
    log: list[str] = []
    for line in process.stdout:
        log.append(line)
        if "Running on" in line:
            break
    rest = threading.Thread(target=lambda: log.extend(process.stdout or []), daemon=True)
    rest.start()
    try:
        yield Server(f"http://127.0.0.1:{port}/", log)
    finally:
        running = process.poll() is None
        process.terminate()
        process.wait(120)  # a limit for a hung server, not a figure
        rest.join(10)
    assert running, "the server died:\n" + "".join(log)
    assert "Traceback" not in "".join(log), "".join(log)


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    with serving(XFV_PER_MINUTE="10000") as app:  # all tests are one visitor
        yield app


@pytest.fixture(scope="session")
def server(running: Server) -> str:
    """Address of the app that the tests share."""
    return running.url


def camera(folder: Path, photo: Path = ROOT / "examples" / "obama2.jpg") -> list[str]:
    """What makes Chromium film a face that stands still; the film is written into the folder."""
    film = folder / "face.mjpeg"
    with Image.open(photo) as face:
        ImageOps.pad(face, (640, 480)).save(film.with_suffix(".jpg"), quality=95)
    film.write_bytes(film.with_suffix(".jpg").read_bytes() * 30)
    return [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]


@pytest.fixture(scope="session")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    arguments = [*QUIET, *camera(tmp_path_factory.mktemp("camera"))]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, server: str) -> Iterator[Callable[..., Page]]:
    """Opens the page in a fresh profile; at the end nothing may have come from another host."""
    contexts: list[BrowserContext] = []
    asked: list[str] = []

    def opened(viewport: dict[str, int] = DESKTOP, dark: bool = False, query: str = "") -> Page:
        scheme = "dark" if dark else "light"
        contexts.append(
            browser.new_context(viewport=viewport, color_scheme=scheme, permissions=["camera"])  # type: ignore[arg-type]
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.on("request", lambda r: asked.append(r.url))
        page.goto(server + ("?__theme=dark" if dark else query))
        if not query:
            expect(page.locator(ANSWER)).to_contain_text("Drop two faces")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not [url for url in asked if not url.startswith((server, "data:", "blob:"))]
