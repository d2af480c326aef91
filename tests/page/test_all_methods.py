"""All reasons side by side: regions in one table, a word where methods contradict each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from page.html.all import all_methods, contradictions
from page.html.key import Key
from page.html.regions import regions
from xfv_core import Explanation, Verifier
from xfv_core.overlay.regions import GROUPS

STRANGERS = ("obama.jpg", "biden.jpg")


@pytest.fixture(scope="module")
def found(examples: Path) -> list[Explanation]:
    verifier, pair = Verifier(), [examples / name for name in STRANGERS]
    return [
        verifier.explained(*pair, method="occlusion", preset="fast"),
        verifier.explained(*pair, method="fggb"),
    ]


def cells(html: str) -> list[list[str]]:
    """The cells of every row of the body, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", html.split("<tbody>")[1].split("</tbody>")[0])
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_the_table_has_a_row_per_region_and_a_column_per_method(found: list[Explanation]) -> None:
    rows = cells(str(regions(found)))
    assert [row[0].lower() for row in rows] == list(GROUPS)
    for row, (first, second) in zip(rows, found[0].regions.values(), strict=True):
        mean = round(50 * (first + second))
        assert row[1].replace("−", "-") == f"{mean:+d} %".replace("+0", "0")
        assert len(row) == 3


def test_the_view_shows_the_table_before_the_agreement(found: list[Explanation]) -> None:
    html = str(all_methods([(each, "SFace") for each in found], Key(1)))
    assert "By region" in html and html.index("By region") < html.index("Agreement")
    assert "By region" not in str(all_methods([], Key(1)))


def test_methods_that_point_to_different_places_are_named() -> None:
    titles, rho = ["Occlusion", "Gradients", "Patches"], [[None, 0.1, 0.5], [0.1, None, None],
                                                         [0.5, None, None]]  # fmt: skip
    said = contradictions(titles, rho)
    assert len(said) == 1
    assert said[0].startswith("Occlusion and Gradients point to different places")
    assert "0.10" in said[0]


def test_no_map_of_strangers_is_mostly_green(found: list[Explanation]) -> None:
    for each in found:
        assert not each.verdict.same
        assert sum(first + second for first, second in each.regions.values()) < 0
