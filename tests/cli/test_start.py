"""The command line is there at once, and so is the package."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from xfv_core.cli import app
from xfv_core.explain import methods
from xfv_core.weights.hub import ROOT

EXAMPLES = ROOT / "examples"


def loaded(code: str) -> set[str]:
    """The heavy packages that a program has imported at its end."""
    heavy = {"torch", "numpy", "scipy", "PIL", "huggingface_hub", "torchvision", "facenet_pytorch"}
    heavy |= {"torch._dynamo", "sympy"}
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


def test_a_verdict_loads_neither_the_compiler_nor_torchvision() -> None:
    photo = str(EXAMPLES / "obama.jpg")
    found = loaded(f"from xfv_core import Verifier\nVerifier().verify({photo!r}, {photo!r})")
    assert not found & {"torch._dynamo", "sympy", "torchvision", "facenet_pytorch"}


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
