"""The methods by name. Values in, values out; whoever draws them is upstairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from xfv_core.errors import XfvError
from xfv_core.explain.base import Cost, Explainer, Maps
from xfv_core.explain.baselines import CorrRISE, RandomMap
from xfv_core.explain.gradcam import GradCAM
from xfv_core.explain.gradient import FGGB, XSSAB
from xfv_core.explain.occlusion import Occlusion
from xfv_core.explain.parts import PartLine, Parts, PartsFound
from xfv_core.explain.patches import Patches, PatchSum

__all__ = [
    "METHODS", "Cost", "Explainer", "Maps", "MethodError", "PartLine", "PartsFound", "PatchSum",
    "make_explainer",
]  # fmt: skip

METHODS: dict[str, Callable[..., Explainer]] = {
    "occlusion": Occlusion,
    "fggb": FGGB,
    "xssab": XSSAB,
    "patches": Patches,
    "parts": Parts,
    "corrrise": CorrRISE,
    "gradcam": GradCAM,
    "random": RandomMap,
}


class MethodError(XfvError):
    """A method, or an option of it, that does not exist."""


def make_explainer(method: str, **options: Any) -> Explainer:
    """The method with its options set; MethodError names what there is instead."""
    if method not in METHODS:
        raise MethodError(f"There is no method {method!r}; choose from {', '.join(METHODS)}.")
    known = [field.name for field in fields(METHODS[method])]  # type: ignore[arg-type]
    if unknown := sorted(set(options) - set(known)):
        there = f"it has {', '.join(known)}" if known else "it has none"
        raise MethodError(f"{method} has no option {unknown[0]!r}; {there}.")
    return METHODS[method](**options)
