"""A patch on the faces: dragged, moved by keys, read out, and gone with its pair."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.page.browser import ANSWER

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LABEL = "#stage .xfv-patch output"
SPOKEN = "#occluder .spoken"
VALUE = re.compile(r"\d\.\d\d \([+−]\d\.\d\d\) · P \d")


@pytest.fixture
def covered(open_page: Callable[..., Page]) -> Page:
    page = open_page()
    page.get_by_role("button", name="Thumbnail 1").click()
    expect(page.locator(ANSWER)).to_contain_text("Same person")
    page.get_by_role("button", name="Cover a place yourself").click()
    expect(page.locator(LABEL)).to_have_text(VALUE)
    return page


def place(page: Page) -> dict[str, float]:
    box = page.locator("#stage .xfv-patch button").bounding_box()
    assert box
    return dict(box)


def test_a_dragged_patch_stays_under_the_pointer_and_its_number_follows(covered: Page) -> None:
    before, said = place(covered), covered.locator(LABEL).inner_text()
    covered.mouse.move(before["x"] + 20, before["y"] + 20)
    covered.mouse.down()
    covered.mouse.move(before["x"] - 40, before["y"] - 10, steps=6)
    covered.mouse.up()
    after = place(covered)
    assert after["x"] - before["x"] == pytest.approx(-60, abs=1)
    assert after["y"] - before["y"] == pytest.approx(-30, abs=1)
    expect(covered.locator(LABEL)).not_to_have_text(said)
    expect(covered.locator(LABEL)).to_have_text(VALUE)


def test_arrow_keys_move_it_enter_changes_the_face_and_the_place_is_read_out(
    covered: Page,
) -> None:
    before = place(covered)
    covered.keyboard.press("ArrowRight")
    assert place(covered)["x"] > before["x"]
    for _ in range(12):
        covered.keyboard.press("ArrowDown")
    expect(covered.locator(SPOKEN)).to_contain_text(re.compile("On the (mouth|chin): "))
    covered.keyboard.press("+")
    assert place(covered)["width"] > before["width"]
    covered.keyboard.press("Enter")
    expect(covered.locator("#face-b .xfv-patch")).to_be_visible()
    covered.keyboard.press("Escape")
    expect(covered.locator(".xfv-patch")).to_have_count(0)


def test_the_patch_is_gone_when_the_pair_is(covered: Page) -> None:
    covered.get_by_role("button", name="Swap").click()
    expect(covered.locator(".xfv-patch")).to_have_count(0)
    expect(covered.get_by_role("button", name="Cover a place yourself")).to_have_attribute(
        "aria-pressed", "false"
    )
