"""More photos of the first person, on the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Page, expect

from page.tabs import references as tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SHOWN = "#references .xfv-references"


def test_more_photos_give_one_answer_and_say_what_each_says_alone(
    open_page: Callable[..., Page], examples: Path
) -> None:
    page = open_page()
    for side, name in (("a", "obama"), ("b", "obama3")):
        page.set_input_files(f"#photo-{side} input[type=file]", examples / f"{name}.jpg")
    expect(page.locator("#answer")).to_contain_text("Same person")
    page.get_by_text("More photos of the first person").click()
    page.locator("#compare-all").click()
    expect(page.locator(SHOWN)).to_contain_text("at least one more photo")
    page.set_input_files("#more-2 input[type=file]", examples / "obama2.jpg")
    page.set_input_files("#more-3 input[type=file]", examples / "biden.jpg")
    expect(page.locator("#more-3 img")).to_be_visible()
    page.locator("#compare-all").click()
    expect(page.locator(f"{SHOWN} .sure")).to_contain_text("from 3 photos together")
    expect(page.locator(f"{SHOWN} .note").first).to_contain_text("1 and 3 do not look like one")
    expect(page.locator(f"{SHOWN} .xfv-legend")).to_be_visible()
    faces = page.locator(f"{SHOWN} li")
    expect(faces).to_have_count(5)  # three photos, the other one twice
    expect(page.locator(f"{SHOWN} img.over")).to_have_count(5)
    expect(faces.nth(2)).to_contain_text("different people")
    page.locator("#swap").click()
    expect(page.locator(SHOWN)).to_have_attribute("data-state", "stale")


def test_more_photos_count_each_against_the_limit(
    examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[str, int]] = []
    monkeypatch.setattr(tab, "admit", lambda request, what, *, cost=1: counted.append((what, cost)))
    asked: Any = SimpleNamespace(
        of_pair=lambda values: SimpleNamespace(model=None, rule="balanced")
    )
    given: list[str | bytes] = [str(examples / name) for name in ("obama.jpg", "obama2.jpg")]
    other = str(examples / "biden.jpg")
    first, _ = tab._answers(asked, {}, given, other, gr.Request(), tab.Key(1))
    assert "Different people" in first
    assert counted == [("verdict", 2), ("maps", 2)]
