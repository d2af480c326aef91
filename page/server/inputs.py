"""What callbacks are given: nothing that the page's own widgets could not have sent."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

import gradio as gr

from xfv_core import XfvError

LONGEST_TEXT = 100
MISFIT = (
    "This is not what is expected here: reload the page, or send photos and the names that "
    "`models` gives."
)

log = logging.getLogger("xfv")


class InputError(XfvError):
    """A value that no widget of the page sends."""


class Page(gr.Blocks):
    """Blocks that say in one sentence what does not fit, and log nothing of it."""

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Gradio's widgets raise nearly anything, with what was sent in the message."""
        try:
            inputs = completed(block_fn, inputs)
            check(block_fn, inputs)
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except Exception as problem:
            if isinstance(problem, gr.Error) and not problem.print_exception:  # said by us
                raise
            log.info("%s", place_of(problem))
            raise gr.Error(MISFIT, print_exception=False) from problem


class MaybeNumber(gr.Number):
    """A number that may be left out; to the browser a number."""

    is_template = True


def place_of(problem: Exception) -> str:
    """What was raised and where, without the message: that holds what a visitor sent."""
    frame = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__} in {Path(frame.filename).name}:{frame.lineno}"


def completed(block_fn: Any, inputs: list[Any]) -> list[Any]:
    """Numbers, and texts that are never empty, that a program leaves out at the end are what their
    widget holds: which face, say, came to the endpoints later than the rest."""
    missing = block_fn.inputs[len(inputs) :]
    known = all(
        isinstance(widget, gr.Number) or (isinstance(widget, gr.Textbox) and widget.value)
        for widget in missing
    )
    return [*inputs, *(widget.value for widget in missing)] if known else inputs


def check(block_fn: Any, inputs: list[Any]) -> None:
    """Raise InputError where number or kind of the values is wrong."""
    if block_fn.fn is None or len(inputs) != len(block_fn.inputs):
        raise InputError(MISFIT)
    if not all(map(fits, block_fn.inputs, inputs)):
        raise InputError(MISFIT)


def fits(widget: gr.components.Component, value: Any) -> bool:
    """Whether ``value`` is of the kind that the widget sends; Gradio lets None and lists pass."""
    match widget:
        case gr.Textbox():
            return value is None or (isinstance(value, str) and len(value) <= LONGEST_TEXT)
        case gr.Dropdown() | gr.Radio():
            return type(value) in (str, int)
        case MaybeNumber():
            return value is None or type(value) in (int, float)
        case gr.Slider() | gr.Number():
            return type(value) in (int, float)
    return True


def whole_number(event: gr.EventData, name: str, below: int = 10**9) -> int:
    """The whole number that an event brings, from 0; raises InputError where it brings none."""
    sent = event._data
    found = sent.get(name) if isinstance(sent, dict) else None
    if type(found) is not int or not 0 <= found < below:
        raise InputError(MISFIT)
    return found
