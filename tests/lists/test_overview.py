"""The overview of a list's results is one page that holds all it shows."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from xfv_core.lists import ListError
from xfv_core.lists.columns import COLUMNS
from xfv_core.lists.overview import overview_page


def results(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path_a", "path_b", "label", *COLUMNS], restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(name: str, similarity: str, label: str = "", **more: str) -> dict[str, str]:
    same = similarity != "" and float(similarity) >= 0.3
    answered = {"similarity": similarity, "threshold": "0.3", "same": str(same).lower(),
                "answer": "same" if same else "different"}  # fmt: skip
    return {"path_a": name, "path_b": "b.jpg", "label": label, **answered, **more}


@pytest.fixture
def page(tmp_path: Path) -> str:
    rows = [
        row("far.jpg", "0.9", "1"),
        row("near.jpg", "0.31", "0"),
        row("missed.jpg", "0.1", "1"),
        row("<script>alert(1)</script>.jpg", "0.29", "0"),
        {"path_a": "broken.jpg", "path_b": "b.jpg", "error": "The first photo: No face."},
    ]
    return overview_page(results(tmp_path / "out.csv", rows))


def test_the_pair_nearest_to_the_bar_comes_first_and_rows_without_an_answer_last(page: str) -> None:
    rows = re.findall(r"<tr><td>(.*?)</td>", page)
    assert [re.sub("&.*", "", name) for name in rows[2:]] == ["missed.jpg", "far.jpg", "broken.jpg"]
    assert {rows[0].partition("&")[0], rows[1].partition("&")[0]} == {"near.jpg", ""}


def test_names_of_files_are_text(page: str) -> None:
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page


def test_nothing_is_asked_of_a_network(page: str) -> None:
    assert not re.search(r"https?://|src=|@import|url\(", page)
    assert "default-src 'none'" in page


def test_answers_are_counted_and_with_labels_the_wrong_ones(page: str) -> None:
    counted = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert counted["same"] == "2" and counted["different"] == "2" and counted["error"] == "1"
    assert counted["impostor pairs taken for one person"] == "1 of 2 (50.00 %)"
    assert counted["genuine pairs taken for two people"] == "1 of 2 (50.00 %)"


def test_the_distributions_hold_every_similarity(page: str) -> None:
    genuine, impostor = page.split("<figure>")[1:]
    for figure in (genuine, impostor):
        assert sum(map(int, re.findall(r"to [-\d.]+: (\d+)</title>", figure))) == 2


def test_a_list_without_any_answer_has_a_page_too(tmp_path: Path) -> None:
    rows = [{"path_a": "a", "path_b": "b", "error": "The first photo: No face."}]
    assert "The first photo: No face." in overview_page(results(tmp_path / "out.csv", rows))


def test_what_verify_has_not_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("path_a,path_b\na,b\n")
    with pytest.raises(ListError, match="has no column 'similarity'; name what verify --pairs"):
        overview_page(tmp_path / "in.csv")
