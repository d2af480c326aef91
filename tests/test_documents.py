"""README and docs: every block runs or is parsed, links lead somewhere, pictures are fresh."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import typer
import yaml
from PIL import Image
from typer.testing import CliRunner

from scripts.documents import WRITTEN, filled
from scripts.pictures import INPUTS, PICTURES, inputs
from tests.documents import (
    DOCUMENTS,
    ROOT,
    Block,
    anchors,
    blocks,
    commands,
    languages,
    links,
    pictures,
    tokens,
)
from xfv_core.cli import app

KINDS = ("python", "python page", "bash", "sh", "text", "json")
ELSEWHERE = ("own-network.md", "many-pairs.md")  # their programs run in tests of their subjects
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
MOST_BYTES = 3_000_000
by_name = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def test_every_block_is_of_a_kind_that_is_tested_here() -> None:
    assert languages() <= set(KINDS)


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@by_name
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for link in links(document):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{document.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{document.name} links to {link}"


@by_name
def test_every_picture_has_words_for_who_does_not_see_it(document: Path) -> None:
    assert [address for address, words in pictures(document) if len(words.split()) < 3] == []


@by_name
def test_a_document_has_one_title(document: Path) -> None:
    assert [each.tag for each in tokens(document) if each.type == "heading_open"].count("h1") == 1


def test_pictures_are_of_the_photos_weights_and_code_that_are_here() -> None:
    assert json.loads(INPUTS.read_text(encoding="utf-8")) == inputs(), (
        "run python -m scripts.pictures"
    )


def test_pictures_are_small_whole_and_all_used() -> None:
    files = sorted(PICTURES.glob("*.webp"))
    for file in files:
        with Image.open(file) as picture:
            picture.load()
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES
    used = {(document.parent / address).resolve() for document in DOCUMENTS
            for address, _ in pictures(document) if not address.startswith("http")}  # fmt: skip
    assert set(files) <= used


@pytest.mark.parametrize("name", WRITTEN)
def test_what_documents_repeat_of_the_code_is_what_the_code_says(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m scripts.documents"


def test_the_citation_names_the_version_that_is_here() -> None:
    import xfv_core

    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == xfv_core.__version__
    assert len(cited["references"]) == 4


def parsed(program: typer.Typer, words: list[str]) -> None:
    """Typer takes the words for one of the program's commands."""
    command = typer.main.get_command(program)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context("command", words)


def script(path: str) -> typer.Typer:
    """The program that ``python path`` runs."""
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    program = typer.Typer()
    program.command()(module.main)
    return program


def check(words: list[str]) -> None:
    """A command of the documents is one."""
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    extras = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    match words:
        case ["xfv", *rest] | ["python", "-m", "xfv_core", *rest]:
            parsed(app, rest)
        case ["accelerate", "launch", "--multi_gpu", "--num_processes", _, "-m", "xfv_core", *rest]:
            parsed(app, rest)
        case ["python", "-m", module, *rest] if module.startswith("xfv_core."):
            assert hasattr(importlib.import_module(module), "main")
        case ["python", "-m", path, *rest] | ["python", path, *rest]:
            parsed(script(path), rest)
        case ["make", target, *settings]:
            assert target in targets and all("=" in each for each in settings)
        case ["pip", "install", what]:
            found = re.fullmatch(r"\.(?:\[(\w+)\])?", what)
            assert (found and found[1] in (None, *extras)) or what.startswith("gradio")
        case ["docker", "build", *_] | ["docker", "run", *_]:
            assert (ROOT / "Dockerfile").is_file()
        case ["cp", source, _]:
            assert (ROOT / source).exists()
        case ["curl", *_]:
            pass  # runs against a page below
        case [setting]:
            assert re.fullmatch(r"[A-Z]+=\S+", setting)
        case _:
            raise AssertionError(f"nobody knows {' '.join(words)}")


def test_json_in_the_documents_is_json() -> None:
    for block in blocks("json"):
        json.loads(block.text.replace("BYTES", "0"))


@pytest.fixture
def like_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in with the examples where the documents have them."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("like_the_checkout")
@pytest.mark.parametrize(("block", "words"), commands(), ids=str)
def test_a_command_is_one(block: Block, words: list[str]) -> None:
    check(words)


def runnable() -> list[list[str]]:
    """Commands about example photos."""
    found = [words[1:] for _, words in commands() if words[:1] == ["xfv"]]
    about = {"models", "methods"}
    pairs = {"verify", "explain"}
    return [
        words
        for words in found
        if words[0] in about
        or (words[0] in pairs and any(word.startswith("examples/") for word in words))
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("like_the_checkout")
@pytest.mark.parametrize("words", runnable(), ids=" ".join)
def test_a_command_about_the_examples_runs(words: list[str]) -> None:
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    for option in ("--out", "--values"):
        if option in words:
            assert Path(words[words.index(option) + 1]).stat().st_size > 1000


def programs() -> Iterator[tuple[Path, str, str]]:
    """Per document, its Python blocks in a row and what it says they print."""
    for document in DOCUMENTS:
        own = [each for each in blocks("python", "text") if each.document == document]
        code = "\n".join(each.text for each in own if each.language == "python")
        says = "".join(
            after.text for before, after in pairwise(own)
            if (before.language, after.language) == ("python", "text")
            and after.line - before.line < 20
        )  # fmt: skip
        if code and document.name not in ELSEWHERE:
            yield document, code, says


@pytest.mark.slow
@pytest.mark.parametrize(("document", "code", "says"), list(programs()), ids=lambda x: str(x)[-20:])
def test_python_of_a_document_runs_and_prints_what_it_says(
    document: Path, code: str, says: str, like_the_checkout: Path
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=like_the_checkout, text=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    if says:
        assert NUMBER.sub("0", run.stdout.strip()) == NUMBER.sub("0", says.strip())
        said, printed = (NUMBER.findall(text) for text in (says, run.stdout))
        assert list(map(float, printed)) == pytest.approx(list(map(float, said)), abs=0.02)


def test_programs_that_run_in_other_tests_are_python() -> None:
    for block in blocks("python"):
        if block.document.name in ELSEWHERE:
            compile(block.text, str(block), "exec")


@pytest.mark.slow
@pytest.mark.browser
def test_programs_that_ask_the_page_run(server: str, like_the_checkout: Path) -> None:
    for block in blocks("python page"):
        code = block.text.replace("http://127.0.0.1:7860", server.rstrip("/"))
        subprocess.run([sys.executable, "-c", code], cwd=like_the_checkout, check=True)


@pytest.mark.slow
@pytest.mark.browser
def test_the_shell_asks_the_page(server: str, like_the_checkout: Path) -> None:
    upload, ask, read = (words for _, words in commands() if words[0] == "curl")

    def curl(words: list[str], **known: str) -> str:
        text = "\0".join(words).replace("$URL", server.rstrip("/"))
        for name, value in known.items():
            text = text.replace(name, value)
        return subprocess.check_output([*text.split("\0"), "--silent"], text=True)

    first, second = json.loads(curl(upload))
    event = json.loads(curl(ask, FIRST=first, SECOND=second))["event_id"]
    assert '"same": true' in curl(read, EVENT_ID=event)
