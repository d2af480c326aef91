"""The command line is there at once, and every command that README shows is one."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from xfv_core.cli import app
from xfv_core.explain import methods

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
PROGRAM = re.compile(r"(?:python -m xfv_core|xfv) (?!…)(.+)")


def shown() -> list[str]:
    """Commands in README's code, the first of alternatives, what is optional too."""
    blocks = README.split("```")[1::2]
    lines = [match[1] for block in blocks for line in block.splitlines()
             if (match := PROGRAM.match(line))]  # fmt: skip
    plain = [re.sub(r"[\[\]]|\s#.*", "", line) for line in lines]
    return [re.sub(r"(\|[\w:-]+)+", "", line) for line in plain]


def test_readme_shows_the_commands() -> None:
    names = {line.split()[0] for line in shown()}
    assert {"verify", "explain", "evaluate", "calibrate", "fidelity", "train"} <= names


@pytest.mark.parametrize("line", shown())
def test_a_command_of_readme_parses(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    command, words = typer.main.get_command(app), shlex.split(line)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    assert command.make_context(line, words).params


def loaded(code: str) -> set[str]:
    """The heavy packages that a program has imported at its end."""
    heavy = {"torch", "numpy", "scipy", "PIL", "huggingface_hub", "torchvision", "facenet_pytorch"}
    end = f"\nfinally:\n import sys; sys.stderr.write(' '.join({heavy!r} & set(sys.modules)))"
    program = "try:\n " + code.replace("\n", "\n ") + end
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return set(run.stderr.split())


@pytest.mark.parametrize("words", [["--help"], ["verify", "--help"], ["gallery", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    assert loaded(f"from xfv_core.cli import app\napp({words})") == set()


def test_the_package_is_imported_by_name_and_its_content_at_first_use() -> None:
    assert loaded("import xfv_core\nxfv_core.__version__, dir(xfv_core)") == set()
    assert "torch" in loaded("from xfv_core import Verifier")


def test_every_public_name_is_there() -> None:
    import xfv_core

    assert all(getattr(xfv_core, name) is not None for name in xfv_core.__all__)
    assert set(xfv_core.__all__) <= set(dir(xfv_core))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        xfv_core.Nothing  # noqa: B018


def test_the_methods_command_lists_those_registered_with_their_options() -> None:
    rows = json.loads(CliRunner().invoke(app, ["methods", "--json"]).stdout)
    assert [row["name"] for row in rows] == list(methods())
    (occlusion,) = (row for row in rows if row["name"] == "occlusion")
    assert {"fast", "standard", "paper"} <= set(occlusion["options"]["preset"])
    assert "options: none" in CliRunner().invoke(app, ["methods"]).stdout
