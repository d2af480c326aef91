"""More photos of the first person: one answer from all of them, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from page.html import macro
from page.html.key import Key
from page.html.references import no_references, references
from page.photo import photo_widget
from page.server.limits import admit
from page.tabs.controls import KEY_JS, Controls, Values
from page.widgets import MAPS, verifier
from xfv_core import XfvError, explain_references, verify_references
from xfv_core.references import MOST

ABOUT = (
    "All of them are compared with the second photo at once: more evidence on one person, no "
    "search. The largest face of each photo counts."
)


def more_references(controls: Controls) -> None:
    """Up to four photos besides the first, asked about at the press of a button."""
    with gr.Accordion(
        f"More photos of the first person (up to {MOST - 1})", open=False, elem_id="more-photos"
    ):
        gr.HTML(macro("words", "about", ABOUT))
        with gr.Row():
            more = [photo_widget(f"Photo {i}", f"more-{i}") for i in range(2, MOST + 1)]
        ask = gr.Button("Compare all of them with the second photo", elem_id="compare-all")
        said = gr.HTML(elem_id="references")

    def compare_all(values: Values, request: gr.Request) -> Iterator[str]:
        """The answer at once, the maps when they are there."""
        key = Key.of(values[controls.key]).of_pair
        first, other = controls.uploads(values)
        given = [photo for photo in (first, *(values[widget] for widget in more)) if photo]
        if not (first and other and len(given) > 1):
            yield no_references("Two faces above, and at least one more photo here, are needed.")
            return
        try:
            yield from _answers(controls, values, given, other, request, key)
        except XfvError as trouble:
            yield no_references(str(trouble))

    ask.click(compare_all, {*controls.pair, *more}, said, js=KEY_JS, show_progress_on=ask, **MAPS)


def _answers(
    controls: Controls,
    values: Values,
    given: list[str | bytes],
    other: str | bytes,
    request: gr.Request,
    key: Key,
) -> Iterator[str]:
    admit(request, "verdict", cost=len(given))
    admit(request, "maps", cost=len(given))
    ask = controls.of_pair(values)
    model = ask.model or verifier.manifest.default
    how: dict[str, Any] = {"model": model, "operating_point": ask.rule, "threshold": ask.threshold}
    found = verify_references(verifier, given, other, **how)
    faces = [verifier.portrait(photo, model) for photo in given]
    yield references(found, faces, key)
    maps = explain_references(verifier, given, other, **how)
    yield references(found, faces, key, maps)
