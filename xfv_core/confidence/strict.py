"""Dataclasses back from JSON: every field present, none unknown, each of its declared type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from xfv_core.confidence.curves import CalibrationError

T = TypeVar("T")


def read_dataclass(kind: type[T], data: Any, where: str) -> T:
    """Build ``kind`` from plain data; CalibrationError names the field that does not fit."""
    if not isinstance(data, Mapping):
        raise CalibrationError(f"{where} must be an object, not {data!r:.60}")
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if data.keys() != names:
        odd = ", ".join(sorted(map(str, data.keys() ^ names)))
        raise CalibrationError(f"{where} has missing or unknown fields: {odd}")
    hints = get_type_hints(kind)
    return kind(**{name: _read(hints[name], data[name], f"{where}.{name}") for name in names})


def _read(kind: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return read_dataclass(kind, value, where)  # type: ignore[arg-type]
    if origin is UnionType:  # X | None
        return None if value is None else _read(args[0], value, where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else args
        if len(kinds) == len(value):
            return tuple(_read(k, v, where) for k, v in zip(kinds, value, strict=True))
    if origin is Mapping and isinstance(value, Mapping):
        return {str(name): _read(args[1], v, f"{where}.{name}") for name, v in value.items()}
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise CalibrationError(f"{where} is {value!r:.60}, which does not fit")
