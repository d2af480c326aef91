"""The architecture holds: layers, no Gradio in the core, every import pinned."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "xfv_core"
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


MODULES = sorted(p for p in CORE.rglob("*.py") if p != CORE / "__init__.py")
PAGE = [ROOT / "app.py", *sorted((ROOT / "page").rglob("*.py"))]


def test_layers_hold_and_neither_gradio_nor_research_is_reached_from_the_wrong_side() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml")) == EXIT_STATUS_SUCCESS


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
