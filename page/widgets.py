"""What the tabs share: the verifier, the lanes of the queue, problems in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from page.server.zero import make_verifier
from xfv_core import XfvError, explain
from xfv_core.explain import Method

P = ParamSpec("P")
R = TypeVar("R")

VERDICTS: dict[str, Any] = {
    "concurrency_id": "verdict",
    "concurrency_limit": 2,
    "api_visibility": "private",
}
MAPS: dict[str, Any] = {
    "concurrency_id": "maps",
    "concurrency_limit": 1,
    "api_visibility": "private",
}
# that wait in lanes of our own, see page/turns.py
IN_TURN: dict[str, Any] = {"concurrency_limit": None, "api_visibility": "private"}
# in the queue, because a change of state is only noticed there
SILENT: dict[str, Any] = {
    "concurrency_limit": None,
    "show_progress": "hidden",
    "api_visibility": "private",
}

verifier = make_verifier()


def methods() -> dict[str, type[Method]]:
    """What visitors choose from: the methods that can explain a network of the manifest."""
    offered = explain.methods("page").items()
    return {name: method for name, method in offered if verifier.models_for(name)}


def listed_models() -> list[str]:
    """The networks that can answer a visitor: a bar is known, and what runs them is installed.

    The default is among them, whatever it lacks: a page without a network could not start.
    """
    runs_onnx = find_spec("onnxruntime") is not None
    return [
        card.name
        for card in verifier.manifest.models.values()
        if card.name == verifier.manifest.default
        or ((card.calibration or card.indicative_threshold) and (card.arch != "onnx" or runs_onnx))
    ]


def in_words(callback: Callable[P, R]) -> Callable[P, R]:
    """A problem that the visitor can act on is one sentence, and no stack trace in the log."""

    @wraps(callback)
    def said(*values: P.args, **named: P.kwargs) -> R:
        try:
            return callback(*values, **named)
        except XfvError as problem:
            raise gr.Error(str(problem), print_exception=False) from problem

    return said
