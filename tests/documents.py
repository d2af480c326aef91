"""The documents as tests read them: blocks of code, headings, links and pictures."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "RESULTS.md"  # written by a command, and tested with it
)

_OTHERWISE = re.compile(r" \[(-[^\]|]*?)(?: \| [^\]]*)?\]")  # [--what can be | or this instead]


@dataclass(frozen=True)
class Block:
    """A block of code: its document, language ("python page" is one), line and text."""

    document: Path
    language: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


def tokens(document: Path) -> list[Token]:
    text = document.read_text(encoding="utf-8")
    if text.startswith("---\n"):
        front = text.index("\n---\n", 4) + 5
        text = "\n" * text[:front].count("\n") + text[front:]
    return MarkdownIt("gfm-like", {"linkify": False}).parse(text)


def blocks(*languages: str) -> list[Block]:
    """All blocks of some languages, in order."""
    return [
        Block(document, token.info, (token.map or [0])[0] + 1, token.content)
        for document in DOCUMENTS
        for token in tokens(document)
        if token.type in ("fence", "code_block") and token.info in languages
    ]


def languages() -> set[str]:
    """Of all blocks there are."""
    return {
        token.info for document in DOCUMENTS for token in tokens(document)
        if token.type in ("fence", "code_block")
    }  # fmt: skip


def commands() -> list[tuple[Block, list[str]]]:
    """Every command of the shell blocks as words, without comments, with what is optional."""
    found = []
    for block in blocks("bash", "sh"):
        text = re.sub(r"\s+#[^'\"\n]*$", "", block.text, flags=re.MULTILINE)
        text = _OTHERWISE.sub(r" \1", text)
        found += [(block, words) for line in _lines(text) if (words := shlex.split(line))]
    return found


def _lines(text: str) -> Iterator[str]:
    """Commands: lines, joined where a quote is still open."""
    pending = ""
    for line in text.splitlines():
        pending += line
        try:
            shlex.split(pending)
        except ValueError:
            pending += "\n"
            continue
        yield pending
        pending = ""
    assert not pending, f"a quote is never closed: {pending}"


def links(document: Path) -> list[str]:
    """Addresses of links and pictures."""
    inline = [child for token in tokens(document) for child in token.children or ()]
    found = [str(child.attrs[key]) for child in inline for key in ("href", "src")
             if key in child.attrs]  # fmt: skip
    return found + [source for source, _ in _html_images(document)]


def pictures(document: Path) -> list[tuple[str, str]]:
    """(address, words for who does not see it) of every picture."""
    inline = [child for token in tokens(document) for child in token.children or ()]
    found = [(str(child.attrs["src"]), child.content) for child in inline if child.type == "image"]
    return found + _html_images(document)


def _html_images(document: Path) -> list[tuple[str, str]]:
    tags = re.findall(r"<img [^>]*>", document.read_text(encoding="utf-8"))
    found = [dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in tags]
    return [(each["src"], each.get("alt", "")) for each in found]


def anchors(document: Path) -> set[str]:
    """What GitHub and the Hub make of the headings."""
    found = tokens(document)
    titles = [found[i + 1].content for i, each in enumerate(found) if each.type == "heading_open"]
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in plain}
