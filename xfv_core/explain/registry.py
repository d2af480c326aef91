"""The methods by name: those of this folder, those that packages announce, those registered."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeVar

from xfv_core.explain.base import Audience, Method, MethodError

ENTRY_POINTS = "xfv.methods"  # group of entry points under which other packages announce theirs
_AUDIENCES: tuple[Audience, ...] = ("page", "api", "study")
_known: dict[str, type[Method]] = {}
_M = TypeVar("_M", bound=type[Method])


def register(method: _M) -> _M:
    """Class decorator: from now on the method is found by its name; the latest of a name counts."""
    _known[method.name] = method
    return method


def methods(audience: Audience = "study") -> dict[str, type[Method]]:
    """Every method that is offered to an audience, by name, in the order of its ``place``.

    "page": what visitors choose from; "api": these and what programs may ask for; "study": all.
    """
    _discover()
    wanted = _AUDIENCES[: _AUDIENCES.index(audience) + 1]
    found = [method for method in _known.values() if method.offered in wanted]
    return {each.name: each for each in sorted(found, key=lambda each: (each.place, each.name))}


def method_named(name: str, audience: Audience = "study") -> type[Method]:
    """The class of a method; MethodError names what there is instead."""
    known = methods(audience)
    if name not in known:
        raise MethodError(f"There is no method {name!r}; choose from {', '.join(known)}.")
    return known[name]


def make_method(name: str, **options: Any) -> Method:
    """The method with its options set; MethodError where it, an option or a value is not there."""
    return method_named(name).having(**options)


@cache
def _discover() -> None:
    """Import what registers methods: the modules of this folder, and what packages announce."""
    package = importlib.import_module("xfv_core.explain")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    for announced in entry_points(group=ENTRY_POINTS):
        announced.load()
