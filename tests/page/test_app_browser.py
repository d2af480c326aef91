"""The page as a person meets it: a real server, headless Chromium, a fake webcam."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.faces.pictures import two_people

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120_000  # ms; a limit for a hung page, not a figure
ANSWER, SAY, TRUST = "#answer .xfv-answer", "#reasons .say", "#fidelity .trust"
JUDGED = "#face-a[data-state=judged]"


def upload(page: Page, a: Path, b: Path | None = None) -> None:
    """As quick as a program: nothing waits until the page has answered the first photo."""
    page.set_input_files("#photo-a input[type=file]", a)
    if b:
        page.set_input_files("#photo-b input[type=file]", b)


def choose(page: Page, method: str) -> None:
    page.locator("#method label", has_text=method).click()


def test_two_uploads_give_verdict_maps_words_and_fidelity(
    open_page: Callable[..., Page], examples: Path
) -> None:
    page = open_page()
    upload(page, a=examples / "obama.jpg", b=examples / "obama2.jpg")
    expect(page.locator(ANSWER)).to_contain_text("Same person")
    expect(page.locator(ANSWER)).to_contain_text(re.compile(r"9\d(\.\d+)? % sure"))
    expect(page.locator(TRUST)).to_contain_text("than chance")
    expect(page.locator(SAY)).to_contain_text("First photo:")
    assert page.locator("#stage .on-crop img.over").count() == 2


def test_what_a_change_calls_in_the_browser_is_there_before_any_widget(
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    page.add_init_script(
        """new MutationObserver(() => {
          if (document.querySelector("#photo-a input[type=file]"))
            window.keyAtFirst ??= window.xfv?.key() ?? "missing";
        }).observe(document, { childList: true, subtree: true })"""
    )
    page.reload()
    page.wait_for_function("() => window.keyAtFirst", timeout=PATIENCE)
    assert page.evaluate("() => window.keyAtFirst") == "1.1"


def test_one_click_on_an_example_gives_an_answer(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.get_by_role("button", name="Thumbnail 4").click()
    expect(page.locator(ANSWER)).to_contain_text("Different people")


def test_changing_the_method_in_mid_map_shows_the_new_method(
    open_page: Callable[..., Page], examples: Path
) -> None:
    page = open_page()
    upload(page, a=examples / "obama.jpg", b=examples / "biden.jpg")
    expect(page.locator(ANSWER)).to_contain_text("Different people")
    choose(page, "Gradients")
    expect(page.locator("#scale .xfv-legend")).to_contain_text("gradient")
    expect(page.locator(TRUST)).to_be_visible()
    expect(page.locator(SAY)).to_contain_text("less alike")


def test_the_finished_figure_is_saved_as_png_and_as_jpeg(
    open_page: Callable[..., Page], examples: Path
) -> None:
    page = open_page()
    upload(page, a=examples / "obama.jpg", b=examples / "obama3.jpg")
    for kind, word in (("PNG", "PNG"), ("JPEG", "JPEG")):
        button = page.get_by_text(f"Save {word}")
        expect(button).to_be_enabled()
        with page.expect_download() as download:
            button.click()
        with Image.open(download.value.path()) as picture:
            assert picture.format == kind
            assert picture.width > 600


def test_the_map_can_be_laid_over_the_whole_photo(
    open_page: Callable[..., Page], examples: Path
) -> None:
    page = open_page()
    upload(page, a=examples / "obama.jpg", b=examples / "obama2.jpg")
    expect(page.locator(TRUST)).to_be_visible()
    page.get_by_label("Whole photo").check()
    expect(page.locator("#face-a .on-photo")).to_be_visible()
    expect(page.locator("#face-a .on-crop")).to_be_hidden()


def test_the_other_of_two_faces_can_be_picked(
    open_page: Callable[..., Page], examples: Path, tmp_path: Path
) -> None:
    two_people(examples, tmp_path / "two.jpg")
    page = open_page()
    upload(page, a=tmp_path / "two.jpg", b=examples / "obama2.jpg")
    expect(page.locator(ANSWER)).to_contain_text("2 faces found")
    first = page.locator(f"{ANSWER} .verdict").inner_text()
    page.locator("#faces-a").get_by_role("button", name="Thumbnail 2").click()
    expect(page.locator(f"{ANSWER} .verdict")).not_to_have_text(first)


def test_a_picked_patch_shows_what_it_met_and_the_sum_is_a_sum(
    open_page: Callable[..., Page], examples: Path
) -> None:
    page = open_page()
    upload(page, a=examples / "obama.jpg", b=examples / "obama2.jpg")
    expect(page.locator(ANSWER)).to_contain_text("Same person")
    choose(page, "Patches")
    said = page.locator(SAY)
    expect(said).to_contain_text(re.compile(r"Similarity 0\.\d{3} - threshold 0\.\d{3} = \+0\."))
    expect(page.locator("#reasons .xfv-by")).to_contain_text("% sure")
    expect(page.locator(TRUST)).to_be_visible()
    page.locator("#stage .xfv-bars button").first.focus()
    page.keyboard.press("Enter")
    match = page.locator("#reasons .xfv-match")
    expect(match).to_contain_text("This patch of the first photo")
    assert page.locator("#stage [data-marks=b] circle").count() == 64
    page.locator("#stage .on-crop [data-side=b][data-patch='27']").click()
    expect(match).to_contain_text("This patch of the second photo")
    assert page.locator("#stage [data-marks=a] circle").count() == 64
    page.get_by_text("Model, decision rule and options").click()
    page.locator("#patches-view label").nth(1).click()
    expect(said).to_contain_text(re.compile(r"Similarity 0\.\d{3}\.\nFirst photo: \+0\."))
    assert page.locator("#stage [data-marks=a] circle").count() == 64  # what was picked stays


def test_a_chosen_part_shows_where_its_channel_fires(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.get_by_role("button", name="Thumbnail 1").click()
    expect(page.locator(ANSWER)).to_contain_text("Same person", timeout=PATIENCE)
    choose(page, "Parts")
    lines = page.locator("#stage .xfv-parts button")
    expect(lines.filter(has_text="mouth")).to_be_visible(timeout=PATIENCE)
    lines.filter(has_text="mouth").click()
    for side in ("a", "b"):
        dots = page.locator(f"#stage .on-crop [data-channel-map={side}] circle")
        expect(dots.first).to_be_attached()
        heights = [float(dot.get_attribute("cy") or 0) for dot in dots.all()]
        assert max(heights) > 7  # of 14 rows: the mouth is in the lower half
    expect(page.locator("#stage .xfv-match")).to_contain_text("mouth")
    expect(page.locator("#reasons")).to_have_text(re.compile("For: |Against: "))


def test_the_models_tab_shows_cards_reliability_and_the_atlas(
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    page.get_by_role("tab", name="Models").click()
    cards = page.locator(".xfv-models details")
    expect(cards.first).to_contain_text("SFace")
    expect(cards.first.locator(".xfv-reliability circle").first).to_be_visible()
    channels = cards.filter(has=page.locator(".atlas"))
    channels.locator("summary").click()
    tile = channels.locator(".atlas li").first
    expect(tile).to_be_visible()
    assert "data:image/png" in tile.locator("i").evaluate(
        "e => getComputedStyle(e).backgroundImage"
    )


def test_a_webcam_shot_is_compared(open_page: Callable[..., Page], examples: Path) -> None:
    page = open_page()
    upload(page, a=examples / "obama.jpg")
    expect(page.locator(ANSWER)).to_contain_text("Now the second face")
    page.locator("#photo-b").get_by_label("Capture from camera").click()
    page.locator("#photo-b").get_by_text("Click to Access Webcam").click()
    page.locator("#photo-b").get_by_label("capture photo").click()
    expect(page.locator(ANSWER)).to_contain_text("Same person")


def test_a_photo_without_a_face_is_said_in_words_and_can_be_replaced(
    open_page: Callable[..., Page], examples: Path, tmp_path: Path
) -> None:
    Image.radial_gradient("L").convert("RGB").save(tmp_path / "ball.png")
    page = open_page()
    upload(page, a=tmp_path / "ball.png", b=examples / "obama2.jpg")
    expect(page.locator(ANSWER)).to_contain_text("No face")
    page.locator("#photo-a").get_by_label("Remove").or_(
        page.locator("#photo-a").get_by_label("Clear")
    ).first.click()
    upload(page, a=examples / "obama.jpg")
    expect(page.locator(ANSWER)).to_contain_text("Same person")


def test_a_file_that_is_no_photo_is_said_in_words(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    (tmp_path / "letter.png").write_text("Dear Sir or Madam")
    page = open_page()
    upload(page, a=tmp_path / "letter.png")
    expect(page.locator(ANSWER)).to_contain_text("not a photo")


def test_dark_mode_is_dark_with_light_text(open_page: Callable[..., Page]) -> None:
    page = open_page(dark=True)
    ink, paper = page.evaluate(
        "(() => { const s = getComputedStyle(document.querySelector('.xfv-answer .verdict'));"
        "const p = getComputedStyle(document.body);"
        "return [s.color, p.backgroundColor] })()"
    )
    light, dark = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper))
    assert light - dark > 300


def test_the_browser_is_told_to_ask_nobody_else(open_page: Callable[..., Page]) -> None:
    page = open_page()
    refused: list[str] = []
    page.on("console", lambda line: refused.append(line.text))
    failed = page.evaluate("fetch('https://example.com').then(() => false, () => true)")
    assert failed and "Content Security Policy" in " ".join(refused)


def test_a_visitor_decides_at_a_threshold_of_their_own(
    open_page: Callable[..., Page], examples: Path
) -> None:
    page = open_page()
    page.set_input_files("#photo-a input[type=file]", examples / "obama.jpg")
    page.set_input_files("#photo-b input[type=file]", examples / "obama2.jpg")
    expect(page.locator("#answer")).to_contain_text("Same person")
    page.get_by_text("Model, decision rule and options").click()
    expect(page.locator("#threshold")).to_be_hidden()
    page.locator("#rule input").click()
    page.get_by_role("option", name="A threshold of your own").click()
    field = page.locator("#threshold input")
    field.fill("0.99")
    field.press("Enter")
    expect(page.locator("#answer")).to_contain_text("by your own threshold of 0.99")
    field.fill("7")
    field.press("Enter")
    expect(page.locator("#answer")).to_contain_text("A threshold is a similarity from -1 to 1")
