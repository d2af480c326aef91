"""The page for those who do not see it or cannot use a mouse: axe-core, in Chromium."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES: dict[str, ViewportSize] = {
    "phone": {"width": 360, "height": 740},
    "desktop": {"width": 1280, "height": 900},  # the last, in which the test goes on
}
BAD = ("serious", "critical")


def findings(page: Page) -> list[str]:
    """What axe-core calls serious or critical, at every size: size, rule and place."""
    found = []
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)
        found += [
            f"{size}, {rule['id']}: {node['html'][:120]}"
            for rule in Axe().run(page).response["violations"]
            if rule["impact"] in BAD
            for node in rule["nodes"]
        ]
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_tab_has_a_serious_finding(open_page: Callable[..., Page], dark: bool) -> None:
    page = open_page(dark=dark)
    assert not findings(page), "empty page"
    page.get_by_role("button", name="Thumbnail 4").click()
    expect(page.locator("#fidelity .trust")).to_be_visible()
    page.locator("#method label", has_text="Parts").click()
    expect(page.locator("#reasons .xfv-parts")).to_be_visible()
    expect(page.locator("#fidelity .trust")).to_be_visible()
    assert not findings(page), "Parts"
    page.locator("#method label", has_text="Patches").click()
    expect(page.locator("#reasons .xfv-bars")).to_be_visible()
    expect(page.locator("#fidelity .trust")).to_be_visible()
    assert not findings(page), "Patches"
    page.get_by_role("button", name="All side by side").click()
    expect(page.locator("#all table")).to_have_count(2)
    expect(page.locator("#all [role=status]")).to_have_count(0)
    assert not findings(page), "all methods"
    for tab in ("Live camera", "Explorer", "Models"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        assert not findings(page), tab


def test_a_pair_is_compared_and_explained_with_the_keyboard_alone(
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    page.get_by_role("button", name="Thumbnail 1").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_contain_text("Same person")
    page.get_by_role("radio", name="Occlusion").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Patches")).to_be_checked()
    expect(page.locator("#reasons .xfv-bars")).to_be_visible()
    page.locator("#reasons .xfv-bars button").first.focus()
    page.keyboard.press("Space")
    expect(page.locator("#reasons .xfv-match")).to_contain_text("This patch of the first photo")
