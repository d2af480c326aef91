"""What a row says of its pair, as columns; None is an empty cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from xfv_core.confidence.measures import MEASURES
from xfv_core.many import Compared, Known

_OF_PAIR = {
    "similarity": float,
    "threshold": float,
    "same": bool,
    "answer": str,
    "probability_same": float,
    "log10_lr": float,
}
_OF_PHOTO = {**dict.fromkeys(MEASURES, float), "faces": int, "box": str}
_AT_THE_END = {
    "model": str,
    "operating_point": str,
    "map": str,
    "notes": str,
    "error": str,
}
COLUMNS: Mapping[str, type] = {
    **_OF_PAIR,
    **{f"{name}_{side}": kind for side in "ab" for name, kind in _OF_PHOTO.items()},
    **_AT_THE_END,
}


def cells(found: Compared, model: str, map_file: str = "", map_error: str = "") -> list[str]:
    """A row's values as text, in the order of ``COLUMNS``."""
    verdict = found.verdict
    values: dict[str, Any] = {"model": model, "map": map_file}
    values["error"] = " ".join(filter(None, (found.error, map_error)))
    if verdict:
        values |= {name: getattr(verdict, name) for name in (*_OF_PAIR, "operating_point")}
        values["notes"] = " ".join(verdict.notes)
    for side, photo in zip("ab", found.photos, strict=True):
        values |= {f"{name}_{side}": value for name, value in _of_photo(photo).items()}
    return [_text(values.get(name)) for name in COLUMNS]


def typed(name: str, text: str) -> Any:
    """The value that ``cells`` wrote."""
    kind = COLUMNS[name]
    if text == "":
        return None
    return text == "true" if kind is bool else kind(text)


def _of_photo(photo: Known | None) -> dict[str, Any]:
    if photo is None:
        return {}
    box = " ".join(f"{edge:g}" for edge in photo.found[photo.chosen].box)
    measures = asdict(photo.measures) if photo.measures else {}
    return {**measures, "faces": len(photo.found), "box": box}


def _text(value: Any) -> str:
    """For a cell: numbers with all their digits, on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(str(value).split())
