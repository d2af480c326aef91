"""The commands about a pair say what the verifier says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from xfv_core import results
from xfv_core.cli import app

pytestmark = pytest.mark.slow
runner = CliRunner()


def test_verify_prints_the_verdict_as_json(examples: Path) -> None:
    pair = [str(examples / "obama.jpg"), str(examples / "obama3.jpg")]
    verdict = json.loads(runner.invoke(app, ["verify", *pair, "--json"]).stdout)
    assert verdict["same"] and verdict["model"] == "sface"
    sentence = runner.invoke(app, ["verify", *pair]).stdout
    assert sentence.startswith("Same person")


def test_explain_writes_a_picture_and_says_what_is_on_it(examples: Path, tmp_path: Path) -> None:
    pair = [str(examples / "obama.jpg"), str(examples / "biden.jpg")]
    out = tmp_path / "maps.png"
    result = runner.invoke(app, ["explain", *pair, "--preset", "fast", "--out", str(out)])
    verdict, maps, *_ = result.stdout.splitlines()
    assert verdict.startswith("Different people, ") and maps.startswith("First photo: ")
    with Image.open(out) as picture:
        assert picture.format == "PNG" and picture.width > 600


def test_explain_writes_webp_and_the_signed_maps(examples: Path, tmp_path: Path) -> None:
    pair = [str(examples / "obama.jpg"), str(examples / "biden.jpg")]
    out, values = tmp_path / "maps.webp", tmp_path / "maps.npz"
    command = ["explain", *pair, "--method", "xssab", "--json"]
    found = json.loads(
        runner.invoke(app, [*command, "--out", str(out), "--values", str(values)]).stdout
    )
    with Image.open(out) as picture:
        assert picture.format == "WEBP"
    with np.load(values) as maps:
        assert sorted(maps) == ["a", "b"]
        for side in "ab":
            assert maps[side].dtype == np.float32
            np.testing.assert_allclose(maps[side], found["maps"][side], atol=1e-7)
            assert maps[side].min() < 0 < maps[side].max()


def test_explain_by_patches_gives_summands_that_add_up(examples: Path) -> None:
    pair = [str(examples / "obama.jpg"), str(examples / "obama2.jpg")]
    command = ["explain", *pair, "--method", "patches", "--json"]
    found = json.loads(runner.invoke(app, command).stdout)
    assert found["verdict"]["model"] == "rrf56"
    for side in ("a", "b"):
        summands = found["contributions"][side]
        assert sum(summands) == pytest.approx(found["similarity"], abs=1e-5)
        assert sum(summands) == pytest.approx(found["verdict"]["similarity"], abs=1e-5)


def test_explain_by_parts_gives_a_row_per_part(examples: Path) -> None:
    pair = [str(examples / "obama.jpg"), str(examples / "obama2.jpg")]
    command = ["explain", *pair, "--method", "parts"]
    found = json.loads(runner.invoke(app, [*command, "--json"]).stdout)
    assert found["verdict"]["model"] == "ecnet"
    assert {"left eye", "right eye", "nose", "mouth"} <= {row["part"] for row in found["parts"]}
    assert runner.invoke(app, command).stdout.splitlines()[1].startswith("For: ")


def test_models_lists_the_manifest() -> None:
    rows = json.loads(runner.invoke(app, ["models", "--json"]).stdout)
    bundled = [row["name"] for row in rows if row["bundled"]]
    assert bundled == ["sface", "rrf56", "rrf28", "rrf_regions", "ecnet", "full112"]


@pytest.fixture
def two_people(examples: Path, tmp_path: Path) -> Path:
    """One photo of Obama, large, and Biden, small."""
    with Image.open(examples / "obama.jpg") as large, Image.open(examples / "biden.jpg") as small:
        large.thumbnail((600, 600))
        small.thumbnail((400, 400))
        both = Image.new("RGB", (large.width + small.width, large.height))
        both.paste(large)
        both.paste(small, (large.width, 0))
    both.save(tmp_path / "both.png")
    return tmp_path / "both.png"


def test_the_face_that_is_asked_for_is_compared(two_people: Path, examples: Path) -> None:
    command = ["verify", str(two_people), str(examples / "biden.jpg"), "--json"]
    largest = json.loads(runner.invoke(app, command).stdout)
    second = json.loads(runner.invoke(app, [*command, "--face-a", "2"]).stdout)
    assert not largest["same"] and second["same"]
    assert second["faces"] == [1, 0]


def test_the_answer_lists_every_face_with_its_box(two_people: Path, examples: Path) -> None:
    command = ["verify", str(two_people), str(examples / "biden.jpg")]
    (obama, biden), (alone,) = json.loads(runner.invoke(app, [*command, "--json"]).stdout)["found"]
    assert obama["box"][2] < biden["box"][0] < biden["box"][2]
    assert alone["box"][1] < alone["box"][3] and 0.9 < alone["probability"] <= 1
    assert "note: --face-a chooses: 1 at x " in runner.invoke(app, command).stderr


def test_a_face_that_is_not_there_is_refused(examples: Path) -> None:
    photo = str(examples / "biden.jpg")
    result = runner.invoke(app, ["verify", photo, photo, "--face-b", "2"])
    assert result.exit_code == 2
    assert "no face 2 in this photo" in result.stderr


def test_the_notes_on_a_photo_are_said_and_stand_in_the_picture(
    two_people: Path, examples: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    captions = []
    whole = results.side_by_side

    def noted(*parts: Any, **more: Any) -> Any:
        captions.append(parts[4])
        return whole(*parts, **more)

    monkeypatch.setattr(results, "side_by_side", noted)
    command = ["explain", str(two_people), str(examples / "biden.jpg"), "--method", "xssab"]
    result = runner.invoke(app, [*command, "--out", str(tmp_path / "maps.jpg")])
    note = "First photo: 2 faces found; the largest is compared."
    assert f"note: {note}" in result.stderr.splitlines()
    assert note in captions[0].splitlines()
