"""What was measured of a model beyond what serving needs: ``results/models/NAME.json``.

The page and the model card show it where it is there; nothing depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from xfv_core import strict_json
from xfv_core.confidence.scores import Scores
from xfv_core.errors import XfvError
from xfv_core.strict_json import STRICT, JsonError

FOLDER = Path("results") / "models"  # beside the manifest


class FiguresError(XfvError):
    """A file of figures is damaged; the message names the place."""


@dataclass(frozen=True)
class CalibrationTables:
    """Scores of every curve tried, of every way of cropping, of every kind of degraded copy."""

    comparison: Mapping[str, Scores] = field(default_factory=dict)
    paths: Mapping[str, Scores] = field(default_factory=dict)
    degraded: Mapping[str, Scores] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """What the commands measured.

    ``training``: how a network of ours came about (command, data, seed, steps). ``results``: by
    pair list, from ``evaluate --store``. ``parts``: what single channels find, by set of faces,
    from ``parts --store``. ``groups``: false matches by group, from ``groups --store``.
    ``calibration``: from ``calibrate``.
    """

    training: Mapping[str, Any] | None = None
    results: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Any] | None = None
    groups: Mapping[str, Any] | None = None
    calibration: CalibrationTables = field(default_factory=CalibrationTables)
    __pydantic_config__ = STRICT


def load_figures(name: str, folder: Path) -> Figures:
    """The figures of a model of the manifest in ``folder``, none where nothing was measured.

    Raises FiguresError, one sentence, where the file cannot be read.
    """
    path = folder / FOLDER / f"{name}.json"
    try:
        return strict_json.build(Figures, strict_json.parse(path.read_text("utf-8")))
    except FileNotFoundError:
        return Figures()
    except OSError as error:
        raise FiguresError(f"Cannot read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, JsonError) as error:
        raise FiguresError(f"{FOLDER / path.name}: {error}") from error


def keep_figures(name: str, folder: Path, **parts: Any) -> Figures:
    """Replace parts of a model's figures; other processes that do so wait for each other."""
    path = folder / FOLDER / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with strict_json.locked(path):
        figures = replace(load_figures(name, folder), **parts)
        plain = TypeAdapter(Figures).dump_python(figures, exclude_defaults=True)
        strict_json.write_text(path, strict_json.pretty(plain))
    return figures
