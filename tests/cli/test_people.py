"""Labelled people: their pairs for ``evaluate --aligned``, and what ``calibrate`` asks of them."""

from __future__ import annotations

import csv
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from xfv_core.cli import app

runner = CliRunner()
PEOPLE = (7, 7, 7, 15, 15, 6, 6, "")  # by photo; "" for nobody known


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of labelled photos whose rows are as bright as they are far down."""
    pixels = np.arange(136, dtype=np.uint8)[:, None, None] * np.ones((1, 136, 3), np.uint8)
    memory = BytesIO()
    Image.fromarray(pixels).save(memory, "WEBP", lossless=True)
    with tarfile.open(tmp_path / "faces_train-000.tar", "w") as tar:
        for index in range(len(PEOPLE)):
            info = tarfile.TarInfo(f"{index}.webp")
            info.size = len(memory.getvalue())
            tar.addfile(info, BytesIO(memory.getvalue()))
    with (tmp_path / "faces_train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "shard", "file", "set", "label"])
        writer.writerows([i, 0, f"{i}.webp", "toy", label] for i, label in enumerate(PEOPLE))
    return tmp_path


def written(data: Path, *options: str) -> list[dict[str, str]]:
    out = data / "out"
    command = ["people-pairs", "--data", str(data), "--out", str(out), *options]
    result = runner.invoke(app, command)
    assert result.exit_code == 0, result.output
    with (out / "people.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_pairs_are_of_the_people_asked_for_and_as_labelled(data: Path) -> None:
    rows = written(data, "--n", "4")
    assert [row["label"] for row in rows] == ["1"] * 4 + ["0"] * 4  # 3 + 1 genuine pairs there are
    for row in rows:
        first, second = (int(Path(row[side]).stem) for side in ("path_a", "path_b"))
        assert {PEOPLE[first], PEOPLE[second]} <= {7, 15} and first != second
        assert (PEOPLE[first] == PEOPLE[second]) == (row["label"] == "1")
        assert row["sets"] == "toy"


def test_crops_lie_on_the_template_and_go_on_below_it_if_asked(data: Path) -> None:
    written(data, "--below", "8")
    crop = np.asarray(Image.open(data / "out" / "0.png"))
    assert crop.shape == (120, 112, 3)
    assert (crop[0, 0, 0], crop[-1, 0, 0]) == (12, 131)


def test_a_label_that_is_several_people_is_left_out(data: Path) -> None:
    rows = written(data, "--who", "8:6,7", "--mixed", "7")
    shown = {PEOPLE[int(Path(row[side]).stem)] for row in rows for side in ("path_a", "path_b")}
    assert shown == {6, 15}


def test_nobody_asked_for_is_one_sentence(data: Path) -> None:
    command = ["people-pairs", "--data", str(data), "--out", str(data / "out"), "--who"]
    for who, words in (
        ("8:3", "has no photo of these people"),
        ("8:6", "photos of one person"),
        ("", "--who names the people"),
    ):
        result = runner.invoke(app, [*command, who])
        assert result.exit_code == 2 and words in result.output


def test_calibrate_keeps_a_result_of_labelled_people_only(data: Path) -> None:
    (data / "pairs.csv").write_text("path_a,path_b,label\na.png,b.png,1\n")
    command = ["calibrate", "--pairs", str(data / "pairs.csv"), "--images", str(data)]
    for more in ([], ["--people", "8:6"], ["--data", str(data)]):
        result = runner.invoke(app, [*command, *more, "--result", str(data / "result.json")])
        assert result.exit_code == 2 and "labelled people" in result.output
