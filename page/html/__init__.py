"""HTML for what the verifier says: a module per kind of thing, its template, style and script
beside it under the same name.

Templates (Jinja2) escape every value; pictures travel inside the page as data URLs, so that no
photo gets a file of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).parent
_STYLES = (
    "base", "answer", "maps", "two_photos", "all", "patches", "parts", "live", "charts", "models",
    "explorer", "references", "occluder",
)  # fmt: skip
_SCRIPTS = ("patches", "parts", "link", "prior")


def share(value: float, digits: int = 0) -> str:
    """A share in [0,1] as a percentage."""
    return f"{100 * value:.{digits}f} %"


_templates = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["count"] = lambda n: f"{n:,}"
_templates.filters["share"] = share


def filled(template: str, **values: Any) -> Markup:
    """The template of that name with its values, every one of them escaped."""
    return Markup(_templates.get_template(f"{template}.html").render(**values))


def macro(template: str, name: str, *values: Any) -> Markup:
    """One of several pieces that stand in a template, with its values."""
    return Markup(getattr(_templates.get_template(f"{template}.html").module, name)(*values))


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


STYLE = "\n".join(_read(f"{name}.css") for name in _STYLES)
_FRAME = _read(
    "frame.css"
)  # what Gradio's prefix of all other styles would not let reach its place
SCRIPTS = tuple(_read(f"{name}.js") for name in _SCRIPTS)
REPORT_STYLE = _read("report.css")
_PAGE_SCRIPTS = (*SCRIPTS, *(_read(f"{name}.js") for name in ("two_photos", "radios", "keys")))
# there before the page is: whoever is quick, or on a slow line, finds no widget without its script
HEAD = f"<style>{_FRAME}</style><script>{' '.join(f'({s})();' for s in _PAGE_SCRIPTS)}</script>"
EXPLORER_SCRIPT, LIVE_SCRIPT, ALL_SCRIPT, OCCLUDER_SCRIPT = (
    _read(f"{name}.js") for name in ("explorer", "live", "all", "occluder")
)
