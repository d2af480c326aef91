"""What cannot be done is said in one sentence, before the work, and exits with 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import xfv_core.verifier
from xfv_core import XfvError
from xfv_core.cli import app
from xfv_core.errors import MissingPackageError, needs

runner = CliRunner()
PHOTOS = ["a.jpg", "b.jpg"]


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier that nobody may start."""

    def started(*_: object, **__: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(xfv_core.verifier.Verifier, "__init__", started)


@pytest.fixture
def letter(tmp_path: Path) -> list[str]:
    (tmp_path / "letter.jpg").write_text("Dear Sir or Madam")
    return [str(tmp_path / "letter.jpg")] * 2


@pytest.mark.parametrize("command", ["verify", "explain"])
def test_a_refused_photo_is_one_line_on_stderr_and_exit_code_2(
    command: str, letter: list[str]
) -> None:
    result = runner.invoke(app, [command, *letter])
    assert result.exit_code == 2 and not result.stdout
    assert result.stderr.count("\n") == 1 and "not a photo" in result.stderr


@pytest.mark.parametrize("command", ["verify", "explain"])
def test_with_json_a_refusal_is_an_object_on_stdout_too(command: str, letter: list[str]) -> None:
    result = runner.invoke(app, [command, *letter, "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {"error": result.stderr.rstrip("\n")}


def test_the_program_itself_exits_with_2() -> None:
    command = [sys.executable, "-m", "xfv_core", "publish"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("Say what to publish") and result.stderr.count("\n") == 1


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("option", "file", "said"),
    [
        ("--out", "maps.gif", "has to end in .png or .jpg or .jpeg or .webp"),
        ("--out", "maps", "has to end in .png"),
        ("--out", "missing/maps.png", "there is no folder"),
        ("--out", "folder.png", "cannot be written"),
        ("--values", "maps.npy", "has to end in .npz"),
        ("--values", "missing/maps.npz", "there is no folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    option: str, file: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.png").mkdir()
    result = runner.invoke(app, ["explain", *PHOTOS, option, str(tmp_path / file)])
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "--result", "missing/kept.json"],
        ["fidelity", "--images", ".", "--result", "missing/kept.json"],
        ["parts", "--data", ".", "--photos", ".", "--atlas", "missing/atlas.png"],
        ["report", "--out", "missing/RESULTS.md"],
    ],
)
def test_so_are_the_files_of_measurements(command: list[str], tmp_path: Path) -> None:
    command = [word.replace("missing", str(tmp_path / "missing")) for word in command]
    result = runner.invoke(app, command)
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr


@pytest.mark.parametrize("method", ["fggb", "xssab"])
def test_an_option_that_a_method_has_not_is_refused_with_those_it_has(method: str) -> None:
    result = runner.invoke(app, ["explain", *PHOTOS, "--method", method, "--preset", "fast"])
    assert result.exit_code == 2
    assert f"{method} has no option 'preset'" in result.stderr
    assert result.stderr.rstrip().endswith("it has view.")


@pytest.mark.parametrize(
    ("option", "said"),
    [("mode=9", "mode is 9; choose from"), ("mode", "takes NAME=VALUE"), ("x=1", "no option 'x'")],
)
def test_so_are_values_that_an_option_has_not(option: str, said: str) -> None:
    result = runner.invoke(app, ["explain", *PHOTOS, "--option", option])
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("fidelity --images .", "accelerate"),
        ("patch-lfw --images .", "accelerate"),
        ("sanity --images .", "accelerate"),
        ("gallery build --pairs pairs.csv --out galleries", "accelerate"),
        ("train --config rrf56 --data . --out run", "accelerate"),
        ("report", "matplotlib"),
    ],
)
def test_without_a_package_a_command_names_it_and_the_extra(
    command: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    result = runner.invoke(app, command.split())
    assert result.exit_code == 2
    extra = "train" if command.startswith("train") else "evaluate"
    assert f"This needs {package}: pip install 'xfv[{extra}]'" in result.stderr


def test_only_the_packages_that_are_missing_are_named() -> None:
    needs("numpy", extra="evaluate")
    with pytest.raises(MissingPackageError, match=r"^This needs nowhere and nothing: pip") as said:
        needs("nowhere", "numpy", "nothing", extra="evaluate")
    assert isinstance(said.value, XfvError)
