"""The page -> a Space on the Hub: exactly what serving it takes, and what its README links to."""

from __future__ import annotations

import re
from pathlib import Path

from xfv_core.publish.upload import Publication, PublishError, checked_name, send
from xfv_core.weights.hub import ROOT
from xfv_core.weights.manifest import load_manifest

SERVED = (
    "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "SECURITY.md", "DATA.md", "RESULTS.md",
    "docs/*.md", "docs/pictures/*.webp", "examples/notebooks/*.ipynb", "results/plots/*.svg",
    "requirements.txt", "weights.json", "results/models/*.json", "app.py",
    "page/**/*.*", "examples/*.*", "examples/gallery/*.*", "xfv_core/**/*.py",
)  # fmt: skip
LEFT_OUT = {"training", "evaluation", "__pycache__"}  # folders that the page never reads


def space_files(root: Path = ROOT) -> list[str]:
    """Paths below ``root`` of what a Space needs, sorted; PublishError where one is missing."""
    cards = load_manifest(root / "weights.json").models.values()
    found = {card.bundled for card in cards if card.bundled}
    found |= {card.parts.file for card in cards if card.parts}
    for pattern in SERVED:
        files = [path.relative_to(root) for path in root.glob(pattern) if path.is_file()]
        if not files:
            raise PublishError(f"{root} has no {pattern}: publish from a whole copy of the code.")
        found |= {path.as_posix() for path in files if not {*path.parts} & LEFT_OUT}
    return sorted(found)


def publish_space(
    repo_id: str,
    *,
    dry_run: bool = False,
    private: bool = False,
    root: Path = ROOT,
    endpoint: str | None = None,
) -> Publication:
    """Send the page to the Space ``repo_id`` (owner/name) in one commit; ``dry_run`` sends nothing.

    Raises PublishError for a wrong name, without a token, or with what the Hub said.
    """
    checked_name(repo_id)
    files = {name: (root / name).read_bytes() for name in space_files(root)}
    files["README.md"] = _with_address_of_thumbnail(files["README.md"], repo_id)
    if not dry_run:
        send(files, repo_id, private=private, endpoint=endpoint, repo_type="space")
    return Publication(files, None)


def _with_address_of_thumbnail(readme: bytes, repo_id: str) -> bytes:
    """The card's thumbnail, a file of this repository, as the address that the Hub asks for."""
    address = f"thumbnail: https://huggingface.co/spaces/{repo_id}/resolve/main/".encode()
    return re.sub(rb"^thumbnail: (?!https?:)", address, readme, count=1, flags=re.MULTILINE)
