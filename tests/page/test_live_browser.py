"""The live camera's tab, with Chromium's fake camera: what is shown, and every state in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.browser import ANSWER

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOM = ".xfv-live"
NO_CAMERA = """(name) => {
  navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", name); };
}"""


@pytest.fixture
def live(open_page: Callable[..., Page]) -> Page:
    page = open_page()
    page.get_by_role("tab", name="Live camera").click()
    return page


def choose_reference(page: Page, photo: Path) -> None:
    page.set_input_files("#photo-reference input[type=file]", photo)
    page.locator("#live-reference [data-token]").wait_for(state="attached")


def start(page: Page) -> None:
    page.get_by_role("button", name="Start the camera").click()


def test_the_camera_gives_verdicts_at_a_rate_and_stops_when_its_tab_is_left(
    live: Page, examples: Path
) -> None:
    start(live)
    expect(live.locator(ROOM)).to_contain_text("Choose a reference photo first")
    choose_reference(live, examples / "obama.jpg")
    start(live)
    expect(live.locator("#live-reading .said")).to_contain_text("Same person")
    expect(live.locator(f"{ROOM} .rate")).to_contain_text("frames a second")
    expect(live.locator("#live-reading .reference img")).to_be_visible()
    live.get_by_role("tab", name="Two photos").click()
    live.get_by_role("tab", name="Live camera").click()
    expect(live.locator(ROOM)).to_contain_text("Stopped because the tab was left")
    expect(live.get_by_role("button", name="Start the camera")).to_be_visible()


def test_the_probability_is_a_line_that_grows_and_the_picture_is_a_mirror(
    live: Page, examples: Path
) -> None:
    choose_reference(live, examples / "obama.jpg")
    start(live)
    live.wait_for_function(
        "document.querySelector('#live-reading .line').points?.numberOfItems >= 3"
    )
    assert live.locator("#live-reading .band").get_attribute("points")
    shown = live.locator(f"{ROOM} .stage canvas")
    assert shown.evaluate("e => new DOMMatrix(getComputedStyle(e).transform).a") == -1
    assert shown.evaluate("e => e.width") == 640


def test_the_best_frame_is_compared_like_any_photo(live: Page, examples: Path) -> None:
    choose_reference(live, examples / "obama.jpg")
    start(live)
    live.get_by_role("button", name="Compare the best frame").click()
    expect(live.locator(ANSWER)).to_contain_text("Same person")
    expect(live.get_by_role("tab", name="Two photos")).to_have_attribute("aria-selected", "true")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotAllowedError", "The camera was not allowed"),
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "The camera is busy"),
    ],
)
def test_without_a_camera_the_page_says_why(
    live: Page, examples: Path, name: str, words: str
) -> None:
    choose_reference(live, examples / "obama.jpg")
    live.evaluate(NO_CAMERA, name)
    start(live)
    expect(live.locator(ROOM)).to_contain_text(words)
    expect(live.locator(ROOM)).to_have_attribute("data-state", "stopped")
