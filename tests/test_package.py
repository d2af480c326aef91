"""The wheel: everything it takes to verify, nothing that only the page or research needs.

It is installed into an environment of its own, far from the checkout. Only its dependencies are
borrowed from the environment of the tests (torch alone is 5 GB).
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.wheel import run
from xfv_core import __version__

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "xfv_core"
SOMETIMES = {  # packages that a part needs and its command asks for, or that only checks it
    "evaluation", "training", "gallery", "publish",
}  # fmt: skip
EXTRAS = {"pytorch_grad_cam", "onnx", "onnxruntime", "timm", "pyarrow"}  # asked for by a sentence

pytestmark = pytest.mark.slow


def requirements(wheel: Path) -> Iterator[Requirement]:
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(files.read(name))
    assert metadata["Name"] == "xfv" and metadata["Version"] == __version__
    return map(Requirement, metadata.get_all("Requires-Dist", []))


def test_xfv_verifies_outside_the_checkout(programs: Path, examples: Path, tmp_path: Path) -> None:
    pair = [str(examples / "obama.jpg"), str(examples / "obama2.jpg")]
    verdict = json.loads(run(programs, tmp_path, "xfv", "verify", *pair, "--json"))
    assert verdict["same"] and verdict["model"] == "sface"


def test_the_installed_package_verifies_and_knows_all_models(
    programs: Path, examples: Path, tmp_path: Path
) -> None:
    code = (
        "import json, sys, xfv_core; from xfv_core import Verifier, load_model; v = Verifier(); "
        "names = [c.name for c in v.manifest.models.values() if c.bundled]; "
        "sizes = [load_model(name).input_size for name in names]; "
        "same = v.verify(*sys.argv[1:]).same; print(json.dumps([xfv_core.__file__, same, names]))"
    )
    pair = [str(examples / "obama.jpg"), str(examples / "biden.jpg")]
    file, same, names = json.loads(run(programs, tmp_path, "python", "-c", code, *pair))
    assert Path(file).is_relative_to(programs.parent)
    assert not same
    manifest = json.loads((ROOT / "weights.json").read_text(encoding="utf-8"))
    assert names == [name for name, card in manifest["models"].items() if card["bundled"]]


USER = """
import numpy as np
from xfv_core import Verifier, verify_many, verify_references

verifier = Verifier()
verdict = verifier.verify("a.jpg", np.zeros((112, 112, 3), np.uint8))
reveal_type(verdict.similarity)
reveal_type(verdict.probability_same)
for compared in verify_many(verifier, [("a.jpg", b"bytes")]):
    reveal_type(compared.verdict)
for explanation in verifier.explain("a.jpg", "b.jpg", method="occlusion"):
    reveal_type(explanation.maps.a)
reveal_type(verify_references(verifier, ["a.jpg"], "b.jpg").fused.same)
verifier.verify(3, "b.jpg")
"""


def test_a_users_type_checker_knows_what_comes_back(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(USER)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent",
               "--python-executable", str(programs / "python"), "mine.py"]  # fmt: skip
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    revealed = re.findall(r'Revealed type is "(.+)"', said)
    assert len(revealed) == 5 and not any("Any" in each.split("[")[0] for each in revealed), said
    assert said.count("error:") == 1 and 'Argument 1 to "verify"' in said


def test_the_wheel_says_that_it_is_typed_and_carries_no_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        names = set(files.namelist())
        assert files.read("xfv_core/weights.json") == (ROOT / "weights.json").read_bytes()
    assert "xfv_core/py.typed" in names
    assert {name.split("/")[0] for name in names} == {"xfv_core", f"xfv-{__version__}.dist-info"}


def test_the_core_needs_neither_gradio_nor_accelerate(wheel: Path) -> None:
    core = {need.name for need in requirements(wheel) if need.marker is None}
    assert "torch" in core
    assert not core & {"gradio", "accelerate", "pyarrow", "matplotlib", "scikit-learn"}


def test_whatever_the_core_imports_it_requires(wheel: Path) -> None:
    required = {plain(need.name) for need in requirements(wheel) if need.marker is None}
    installs = packages_distributions()
    for name in imported() - set(sys.stdlib_module_names) - {"xfv_core"} - EXTRAS:
        assert required & {plain(each) for each in installs[name]}, f"{name} is not required"


def test_every_extra_that_is_offered_is_there(wheel: Path) -> None:
    markers = {str(need.marker) for need in requirements(wheel) if need.marker}
    extras = {match for marker in markers for match in re.findall(r'extra == "(\w+)"', marker)}
    assert extras == {"page", "evaluate", "train", "onnx", "timm", "dev"}


def test_the_pins_of_a_space_lie_within_the_ranges(wheel: Path) -> None:
    lines = [*(ROOT / "requirements.txt").open(), *(ROOT / "requirements-dev.txt").open()]
    pins = [Requirement(line.strip()) for line in lines if "==" in line]
    ranges = {plain(need.name): need.specifier for need in requirements(wheel)}
    checked = [pin for pin in pins if plain(pin.name) in ranges]
    assert {"torch", "gradio", "numpy", "accelerate"} <= {pin.name for pin in checked}
    for pin in checked:
        (exact,) = pin.specifier
        assert Version(exact.version) in ranges[plain(pin.name)], pin


def imported() -> set[str]:
    """Packages that the files of the core import, but for those parts that have extras."""
    found: set[str] = set()
    for path in CORE.rglob("*.py"):
        if path.relative_to(CORE).parts[0] in SOMETIMES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found


def plain(name: str) -> str:
    return name.lower().replace("_", "-")
