"""A patch that visitors drag over a face; similarity and P follow."""

from __future__ import annotations

from typing import Any

import gradio as gr

from page.html import OCCLUDER_SCRIPT
from page.html.key import Key
from page.html.occluder import covered_says, not_opened, opened, switch
from page.server.limits import admit
from page.tabs.controls import KEY_JS, Controls, Values
from page.widgets import VERDICTS, verifier
from xfv_core import XfvError
from xfv_core.explain.occluder import Patch
from xfv_core.occluder import Occluders

occluders = Occluders(verifier)


def cover(request: Any) -> dict[str, Any]:
    """[secret, side, top, left, size] -> what to show beside the patch, or why to take it away."""
    match request:
        case [str(token), int(side), int() | float() as top, int() | float() as left,
              int() | float() as size]:  # fmt: skip
            pass
        case _:
            return {"gone": "This is no patch on a face."}
    try:
        return covered_says(occluders.cover(token, Patch(side, top, left, size)))
    except XfvError as problem:
        return {"gone": str(problem)}


def occluder_switch() -> tuple[gr.HTML, gr.HTML]:
    """The switch that puts a patch on the faces, and where the pair that it lies on is held."""
    switched = gr.HTML(
        html_template=switch(),
        js_on_load=OCCLUDER_SCRIPT,
        server_functions=[cover],
        elem_id="occluder",
    )
    return switched, gr.HTML(elem_id="occluder-pair")


def open_when_switched(widgets: tuple[gr.HTML, gr.HTML], controls: Controls) -> None:
    """The pair of these controls is held while the patch is on it."""

    def hold_pair(values: Values, request: gr.Request) -> str:
        try:
            admit(request, "verdict")
            token = occluders.open(controls.of_pair(values))
        except XfvError as problem:
            return not_opened(str(problem))
        return opened(token, Key.of(values[controls.key]))

    switched, held = widgets
    switched.select(hold_pair, controls.pair, held, js=KEY_JS, show_progress="hidden", **VERDICTS)
