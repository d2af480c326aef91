"""JSON <-> dataclasses, strictly: every key known, every value of its declared type, no NaN.

A key is never read twice and a value never converted ("12" is no number, true is not 1, 3.0 is no
whole number). What does not fit is one sentence that names its place.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from filelock import FileLock
from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from xfv_core.errors import XfvError

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_OBJECT = ("dataclass_type", "dict_type", "mapping_type", "model_type")
_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
}
_WIDTH = 100
T = TypeVar("T")


class JsonError(XfvError):
    """Text that is no JSON, or JSON that is not what was to be read."""


def parse(text: str) -> Any:
    """``json.loads`` that refuses a key given twice and NaN; JsonError, one sentence."""
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise JsonError(f"it is not valid JSON: {error}.") from error


def build(kind: type[T], value: Any, place: str = "") -> T:
    """``kind``, a dataclass, from plain data as :func:`parse` returns it.

    ``place``: what the sentence of a JsonError calls ``value``. Errors of other types that
    ``kind`` raises itself pass through.
    """
    try:
        built: T = _adapter(kind).validate_json(json.dumps(value))  # type: ignore[arg-type]
        return built
    except ValidationError as error:
        first = error.errors()[0]
        raise JsonError(_sentence(place, first)) from error


def wanted(check: Callable[[Any], bool], want: str) -> BeforeValidator:
    """For ``Annotated``: a value that fails ``check`` "must {want}, not …"."""

    def validate(value: Any) -> Any:
        if not check(value):
            raise ValueError(f"must {want}, not {value!r:.80}")
        return value

    return BeforeValidator(validate)


Text = Annotated[str, wanted(lambda x: isinstance(x, str) and bool(x.strip()), "be text")]
Positive = Annotated[int, wanted(lambda x: type(x) is int and x > 0, "be a positive whole number")]


def pretty(value: Any) -> str:
    """JSON with short objects and lists on one line, long rows of numbers wrapped at 100."""
    return _pretty(value) + "\n"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else who asks may write ``path`` meanwhile; the lock lies beside it."""
    with FileLock(path.with_name(f".{path.name}.lock")):
        yield


def write_text(path: Path, text: str) -> None:
    """Replace a file: all of ``text`` or nothing of it."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file: all of ``data`` or nothing of it."""
    scratch = path.with_name(path.name + ".new")
    scratch.write_bytes(data)
    scratch.replace(path)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _sentence(place: str, error: Any) -> str:
    """A pydantic error in words: ``models.sface.bytes must be a positive whole number, not 0.``"""
    kind, (*parents, last) = error["type"], error["loc"] or ("",)
    where = ".".join([place, *map(str, parents)] if place else map(str, parents))
    if kind in _UNKNOWN:
        return _at(where, f"unknown key {last!r}.")
    if kind.startswith("missing"):
        return _at(where, f"the key {last!r} is missing.")
    if kind == "value_error" and not (said := str(error["ctx"]["error"])).startswith("must "):
        whole = ".".join(filter(None, (where, str(last))))
        return _at(whole, said if said.endswith(".") else f"{said}.")
    whole = ".".join(filter(None, (where, str(last)))) or "the file"
    if kind == "value_error":
        return f"{whole} {said}."
    want = "an object" if kind in _OBJECT else _WANTED.get(kind)
    if want is None:
        return _at(whole, f"{error['msg']}, not {error['input']!r:.80}.")
    return f"{whole} must be {want}, not {error['input']!r:.80}."


def _at(where: str, sentence: str) -> str:
    return f"{where}: {sentence}" if where else sentence


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise JsonError(f"the key {twice[0]!r} occurs twice in one object.")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise JsonError(f"{name} is not a number that JSON knows.")


def _pretty(value: Any, indent: int = 0, used: int = 0) -> str:
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list | tuple) or indent + used + len(flat) < _WIDTH:
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        keys = [json.dumps(key, ensure_ascii=False) + ": " for key in value]
        rows = [
            pad + key + _pretty(item, indent + 2, len(key))
            for key, item in zip(keys, value.values(), strict=True)
        ]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    if all(isinstance(item, int | float) and not isinstance(item, bool) for item in value):
        body = textwrap.fill(flat[1:-1], _WIDTH, initial_indent=pad, subsequent_indent=pad)
    else:
        body = ",\n".join(pad + _pretty(item, indent + 2) for item in value)
    return "[\n" + body + "\n" + " " * indent + "]"
