"""The methods by name. Values in, values out; ``overlay`` colours them."""

from __future__ import annotations

from xfv_core.explain.base import Cost, Maps, Method, MethodError, Reading, Steps, Values
from xfv_core.explain.options import Option, option
from xfv_core.explain.registry import make_method, method_named, methods, register

__all__ = [
    "Cost", "Maps", "Method", "MethodError", "Option", "Reading", "Steps", "Values", "make_method",
    "method_named", "methods", "option", "register",
]  # fmt: skip
