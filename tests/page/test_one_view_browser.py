"""The reasons at a glance: what is in the first screen, and never a map of an older question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from playwright.sync_api import Page, expect

from tests.page.browser import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESKTOP, PHONE, SMALL = (
    {"width": w, "height": h} for w, h in ((1280, 900), (390, 844), (360, 740))
)
JUDGED = "#face-a[data-state=judged]"
EXAMPLES = ROOT / "examples"
SLOWED = 700  # ms that every question takes longer


@pytest.fixture
def compared(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """A page with a finished example."""

    def opened(viewport: dict[str, int] = DESKTOP, example: int = 1) -> Page:
        page = open_page(viewport)
        page.get_by_role("button", name=f"Thumbnail {example}").click()
        expect(page.locator(JUDGED)).to_be_visible()
        page.evaluate("window.scrollTo(0, 0)")
        return page

    return opened


def box(page: Page, selector: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is shown."""
    found = page.locator(selector).first.bounding_box()
    assert found, f"{selector} is not shown"
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


def test_on_a_desktop_everything_that_matters_is_in_the_first_screen(
    compared: Callable[..., Page],
) -> None:
    page = compared()
    for part in (
        "#answer .sure",
        "#face-a .over",
        "#face-b .over",
        "#scale .xfv-legend",
        "#method",
    ):
        assert box(page, part)[3] <= DESKTOP["height"], part
    assert box(page, "#fidelity .trust p")[3] <= DESKTOP["height"]
    assert box(page, "#face-a .over")[2] - box(page, "#face-a .over")[0] >= 360
    assert box(page, "#face-a")[2] <= box(page, "#answer")[0] <= box(page, "#face-b")[0]


@pytest.mark.parametrize("size", [PHONE, SMALL], ids=["phone", "small phone"])
def test_on_a_phone_the_verdict_is_in_the_first_screen_and_both_maps_begin_in_it(
    compared: Callable[..., Page], size: dict[str, int]
) -> None:
    page = compared(size)
    assert box(page, "#answer .sure")[3] < size["height"]
    first, second = box(page, "#face-a .over"), box(page, "#face-b .over")
    assert first[1] == second[1] < size["height"] and first[2] <= second[0]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_nothing_jumps_while_results_arrive(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.get_by_role("button", name="Thumbnail 1").click()
    expect(page.locator("#face-a")).to_be_visible()
    before = [box(page, part)[:2] for part in ("#face-a", "#face-b", "#answer", "#method")]
    expect(page.locator(JUDGED)).to_be_visible()
    assert before == [box(page, part)[:2] for part in ("#face-a", "#face-b", "#answer", "#method")]


SLOW_JS = """(late) => {
  const quick = window.fetch;
  window.fetch = async (address, ...more) => {
    if (String(address.url ?? address).includes("queue/join"))
      await new Promise((go) => setTimeout(go, late));
    return quick(address, ...more);
  };
}"""


def choose_another(page: Page, choices: str) -> None:
    """Choose the first of a switch's choices that is not chosen."""
    page.locator(f"{choices} label:has(input[type=radio]:not(:checked))").first.click()


def choose_another_of(page: Page, label: str, *names: str) -> None:
    """Choose the first of a list's names that is not chosen."""
    widget = page.get_by_label(label, exact=True)
    name = next(name for name in names if name not in widget.input_value())
    widget.click()
    page.get_by_role("option", name=name).click()


def another_photo(page: Page) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator("#change-a").click()
    chooser.value.set_files(EXAMPLES / "astronaut.jpg")


def other_tab_and_back(page: Page) -> None:
    for name in ("Models", "Two photos"):
        page.get_by_role("tab", name=name).click()


RULES = ("Equal odds", "1 false match in 100 ")
MODELS = ("SFace (", "RRF-56")
ASKED_ANEW: dict[str, Callable[[Page], None]] = {
    "option": lambda page: choose_another(page, "[id^=options-].chosen"),
    "method": lambda page: choose_another(page, "#method"),
    "rule": lambda page: choose_another_of(page, "Decide at", *RULES),
    "model": lambda page: choose_another_of(page, "Model", *MODELS),
    "swap": lambda page: page.get_by_role("button", name="Swap").click(),
    "example": lambda page: page.get_by_role("button", name="Thumbnail 2").click(),
    "photo": another_photo,
}
ACTIONS = {**ASKED_ANEW, "tab": other_tab_and_back}


def every_pair_in_turn(names: Sequence[str]) -> list[str]:
    """A walk that takes every two different names once in either order (an Eulerian circuit)."""
    left = {name: [other for other in names if other != name] for name in names}
    way, stack = [], [names[0]]
    while stack:
        if left[stack[-1]]:
            stack.append(left[stack[-1]].pop())
        else:
            way.append(stack.pop())
    return way


WALK = every_pair_in_turn(list(ACTIONS))
PART = 14  # steps of the walk in one test


def facts(page: Page) -> dict[str, str]:
    """What the first face says of itself, and the number of the question."""
    return page.evaluate("({...document.querySelector('#face-a')?.dataset, key: xfv.key()})")


def answers_the_last_question(found: dict[str, str]) -> bool:
    return f"{found['pair']}.{found['turn']}" == found["key"]


@pytest.mark.parametrize("first", range(0, len(WALK) - 1, PART))
def test_whatever_is_changed_the_old_map_is_grey_at_once_and_the_last_is_of_the_last_change(
    compared: Callable[..., Page], first: int
) -> None:
    page = compared()
    page.get_by_text("Model, decision rule and options").click()
    page.evaluate(SLOW_JS, SLOWED)
    for action in WALK[first : first + PART + 1]:
        asked = facts(page)["key"]
        ACTIONS[action](page)
        if action in ASKED_ANEW:
            page.wait_for_function("before => xfv.key() !== before", arg=asked)
            found = facts(page)  # which may be of the new question already
            grey = found.get("state", "gone") in ("stale", "waiting", "gone")
            assert grey or answers_the_last_question(found), action
    expect(page.locator(JUDGED)).to_be_visible()
    assert answers_the_last_question(facts(page))
    chosen = page.locator("#method label:has(input:checked)").inner_text().strip()
    assert page.locator("#scale .of b").inner_text() == chosen


def test_who_leaves_the_page_and_comes_back_finds_no_map_of_another_question(
    compared: Callable[..., Page],
) -> None:
    page = compared()
    page.goto("about:blank")
    page.go_back()
    page.wait_for_function("window.xfv")
    found = facts(page)
    assert "pair" not in found or answers_the_last_question(found)
    page.get_by_role("button", name="Thumbnail 2").click()
    expect(page.locator(JUDGED)).to_be_visible()
    assert answers_the_last_question(facts(page))
