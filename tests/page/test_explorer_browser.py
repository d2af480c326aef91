"""The Explorer, links and reports, as a person meets them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import pyarrow.parquet as parquet
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from page.tabs.explorer import BUNDLED, renewed
from tests.page.browser import PATIENCE, serving
from xfv_core.weights.manifest import load_manifest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CARDS, MAPS = "#explorer-grid [data-row]", "#explorer-maps .xfv-maps"
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def explorer(open_page: Callable[..., Page]) -> Page:
    page = open_page()
    page.get_by_role("tab", name="Explorer").click()
    expect(page.locator(CARDS).first).to_be_visible()
    return page


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_the_example_pairs_are_there_with_what_they_amount_to(explorer: Page) -> None:
    assert explorer.locator(CARDS).count() == 21
    numbers = explorer.locator(".xfv-overview .numbers")
    expect(numbers).to_contain_text("Pairs21")
    assert explorer.locator(".xfv-overview svg").count() == 3


def test_an_opened_pair_shows_its_stored_maps_and_those_of_another_method(explorer: Page) -> None:
    explorer.locator(CARDS).nth(2).click()
    expect(explorer.locator(f"{MAPS} .trust")).to_be_visible()
    expect(explorer.locator(".xfv-opened")).to_contain_text("Pair 3: non-match")
    explorer.locator("#explorer-method").get_by_label("Gradients").check()
    expect(explorer.locator(f"{MAPS} .xfv-legend")).to_contain_text("gradient")


def test_pairs_are_filtered_and_put_in_order(explorer: Page) -> None:
    choose(explorer, "In order", "least confident first")
    first = explorer.locator(CARDS).first
    expect(first).not_to_have_attribute("data-row", "0")
    choose(explorer, "Show", "false match")
    expect(explorer.locator("#explorer-grid")).to_contain_text("No pair is like that")


def test_another_data_set_has_other_pairs(browser: Browser, examples: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(examples / "gallery", tmp_path / "fewer")
    pairs = parquet.read_table(folder / "pairs-sface.parquet")
    parquet.write_table(pairs.slice(0, 3), folder / "pairs-sface.parquet")
    with serving("--gallery", str(folder)) as app:
        page = browser.new_page()
        expect.set_options(timeout=PATIENCE)
        page.goto(app.url)
        page.get_by_role("tab", name="Explorer").click()
        expect(page.locator(CARDS)).to_have_count(21)
        choose(page, "Data set", "fewer")
        expect(page.locator(".xfv-overview .numbers")).to_contain_text("Pairs3")
        expect(page.locator(CARDS)).to_have_count(3)
        page.close()


def test_another_model_has_other_verdicts_and_other_methods(explorer: Page) -> None:
    before = explorer.locator(CARDS).first.inner_text()
    choose(explorer, "Model", load_manifest().card("ecnet").title)
    parts = explorer.locator("#explorer-method").get_by_label("Parts")
    expect(parts).to_be_visible()  # with everything else that is new: it is one answer
    changed = "([cards, before]) => document.querySelector(cards).innerText !== before"
    explorer.wait_for_function(changed, arg=[CARDS, before])
    explorer.locator(CARDS).first.click()
    parts.check()
    expect(explorer.locator(f"{MAPS} .xfv-parts button").first).to_be_visible()


def test_a_choice_told_twice_changes_nothing_so_that_a_click_in_between_is_not_lost() -> None:
    settings = ("all", "as listed", 0, 100)
    assert renewed(BUNDLED, "ecnet", (BUNDLED, "ecnet"), *settings) == [gr.skip()] * 8
    now, said, *_, page, row, listing, _, _ = renewed(
        BUNDLED, "sface", (BUNDLED, "ecnet"), *settings
    )
    assert (now, page, row) == ((BUNDLED, "sface"), 0, -1)
    assert "Pairs" in said and "Pair 1" in listing


def test_the_explorer_fits_a_phone(open_page: Callable[..., Page]) -> None:
    page = open_page(PHONE)
    page.get_by_role("tab", name="Explorer").click()
    expect(page.locator(CARDS).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_link_brings_settings_and_an_example_back(open_page: Callable[..., Page]) -> None:
    page = open_page(query="?model=sface&at=eer&why=fggb&detail=fast&example=4")
    expect(page.locator("#answer")).to_contain_text("Different people")
    expect(page.get_by_role("radio", name="Gradients")).to_be_checked()
    expect(page.locator("#scale .xfv-legend")).to_contain_text("gradient")
    expect(page.locator("#link button")).to_have_attribute(
        "data-link", "model=sface&at=eer&why=fggb&detail=fast&example=4"
    )


@pytest.mark.parametrize(
    "query", ["?model=../x&at=1&why=<b>&detail=&example=-1", "?example=99&example=a&why=why"]
)
def test_a_link_to_nothing_is_an_empty_page(open_page: Callable[..., Page], query: str) -> None:
    page = open_page(query=query)
    expect(page.locator("#answer")).to_contain_text("Drop two faces")
    expect(page.get_by_role("radio", name="Occlusion", include_hidden=True)).to_be_checked()


def test_a_link_never_holds_a_photo_of_the_visitor(
    open_page: Callable[..., Page], examples: Path, tmp_path: Path
) -> None:
    page = open_page()
    with Image.open(examples / "obama.jpg") as photo:
        photo.save(tmp_path / "private.png")
    page.set_input_files("#photo-a input[type=file]", tmp_path / "private.png")
    expect(page.locator("#answer")).to_contain_text("Now the second face")
    page.set_input_files("#photo-b input[type=file]", examples / "obama2.jpg")
    expect(page.locator("#answer")).to_contain_text("Same person")
    expect(page.locator("#link button")).to_have_attribute(
        "data-link", "model=sface&at=balanced&why=occlusion&detail=standard"
    )


def test_a_report_holds_all_maps_and_opens_offline(
    open_page: Callable[..., Page], browser: Browser, tmp_path: Path
) -> None:
    page = open_page(query="?example=1")
    expect(page.locator("#answer")).to_contain_text("Same person")
    page.locator("#make-report").click()
    for kind in ("HTML", "PNG"):
        with page.expect_download() as download:
            page.get_by_text(f"Report as {kind}").click()
        download.value.save_as(tmp_path / f"report.{kind.lower()}")
    with Image.open(tmp_path / "report.png") as picture:
        assert picture.height > 3 * picture.width / 2  # four figures below each other
    context = browser.new_context(offline=True)
    asked: list[str] = []
    report = context.new_page()
    report.on("request", lambda r: asked.append(r.url))
    report.goto((tmp_path / "report.html").as_uri())
    for title in ("Occlusion", "Gradients", "Patches", "Parts"):
        expect(report.get_by_role("heading", name=title)).to_be_visible()
    expect(report.locator(".xfv-answer")).to_contain_text("Same person")
    expect(report.locator("body")).to_contain_text(re.compile("xfv \\d+\\.\\d+"))
    report.locator(".xfv-parts button").first.click()
    assert report.locator("[data-channel-map] circle").count() > 0
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    context.close()
