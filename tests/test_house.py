"""The house keeps its shape: floors, no Gradio in the core, nothing heavy on the page's way up."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "xfv_core"
FLOORS = {
    "errors": 0,
    **dict.fromkeys(("images", "faces", "manifest", "confidence", "regions", "serving"), 1),
    "hub": 2,
    "models": 3,
    **dict.fromkeys(("explain", "fidelity"), 4),
    **dict.fromkeys(("overlay", "describe", "drawing"), 5),
    "results": 6,
    "verifier": 7,
    **dict.fromkeys(("gallery", "live"), 8),
    **dict.fromkeys(("evaluation", "training", "render", "publish"), 9),
    **dict.fromkeys(("evidence", "galleries"), 10),
    "__main__": 11,
}
RESEARCH = {"training", "evaluation"}
LENT = "spaces"  # a ZeroGPU Space brings its own


def imports(path: Path) -> set[str]:
    """Dotted names of every module a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def rooms_used(path: Path) -> set[str]:
    """Rooms of the core that a file imports from."""
    names = (name.split(".") for name in imports(path) if name.startswith("xfv_core."))
    return {parts[1] for parts in names if parts[1] in FLOORS}


MODULES = sorted(p for p in CORE.rglob("*.py") if p != CORE / "__init__.py")
PAGE = [ROOT / "app.py", *sorted((ROOT / "page").glob("*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(CORE)))
def test_a_module_imports_only_from_lower_floors_or_its_own_room(path: Path) -> None:
    here = room(path)
    above = {r for r in rooms_used(path) if r != here and FLOORS[r] >= FLOORS[here]}
    assert not above, f"{here} is on floor {FLOORS[here]} and imports {above}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(CORE)))
def test_the_core_never_imports_gradio(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] == "gradio"}


def test_the_page_reaches_neither_training_nor_evaluation() -> None:
    reached, todo = set(), [*PAGE, CORE / "__init__.py"]
    while todo:
        path = todo.pop()
        for used in rooms_used(path) - reached:
            reached.add(used)
            todo += [p for p in MODULES if room(p) == used]
    assert "verifier" in reached
    assert not reached & RESEARCH


def test_the_settings_of_gradio_are_made_before_it_is_imported() -> None:
    assert not {name for name in imports(ROOT / "app.py") if name.startswith("gradio")}
    assert not {name for name in imports(ROOT / "page" / "__init__.py") if "gradio" in name}


def test_every_package_that_is_imported_is_pinned() -> None:
    pins = (ROOT / "requirements.txt").read_text() + (ROOT / "requirements-dev.txt").read_text()
    pinned = {canonical(line.split("==")[0]) for line in pins.splitlines() if "==" in line}
    used = {name.split(".")[0] for path in [*MODULES, *PAGE] for name in imports(path)}
    packages = packages_distributions()
    for name in used - set(sys.stdlib_module_names) - {"xfv_core", "page", LENT}:
        assert pinned & {canonical(d) for d in packages[name]}, f"{name} is not pinned"


def canonical(distribution: str) -> str:
    return distribution.lower().replace("_", "-")
