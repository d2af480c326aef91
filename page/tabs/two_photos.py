"""Two photos: the answer, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from page.html import ALL_SCRIPT
from page.html.answer import empty_answer
from page.html.words import about_line, keys, look_first
from page.photo import PhotoImage, photo_widget
from page.tabs.controls import (
    KEY_JS,
    Controls,
    MethodControls,
    method_controls,
    model_widget,
    rule_widget,
    shown_for,
    threshold_widget,
)
from page.tabs.occluder import occluder_switch, open_when_switched
from page.tabs.pair import (
    EXAMPLES,
    FACE,
    PAIRS,
    Pair,
    Views,
    chosen_face,
    chosen_method,
    example,
    save,
)  # fmt: skip
from page.tabs.references import more_references
from page.widgets import IN_TURN, MAPS, SILENT, VERDICTS, methods
from xfv_core.explain import Method

SETTINGS = "Model, decision rule and options of the method"
STRENGTH_JS = "v => { document.documentElement.style.setProperty('--xfv-strength', v / 100) }"
VIEW_JS = "v => { document.getElementById('stage').classList.toggle('whole-photo', v !== 'Face') }"
PRIOR_JS = "(...values) => [...values.slice(0, -1), xfv.prior()]"
NEW_PAIR_JS = "() => { xfv.newPair() }"
NEW_TURN_JS = "asked => { xfv.newTurn(); return asked }"
NEW_FACE_JS = "(photo, picks) => { xfv.newPair(); return [photo, picks] }"
CHOOSE_JS = "method => { xfv.choose(method) }"


def side_by_side_thumbnail(pair: dict[str, str], side: int = 160) -> Image.Image:
    """Both photos of an example, cut square from the top, as one small picture."""
    strip = Image.new("RGB", (2 * side, side))
    for place, name in enumerate((pair["a"], pair["b"])):
        with Image.open(EXAMPLES / name) as photo:
            square = ImageOps.fit(photo, (side, side), centering=(0.5, 0.12))
        strip.paste(square, (place * side, 0))
    return strip


def examples_widget() -> gr.Gallery:
    """The example pairs, to be picked with a click."""
    return gr.Gallery(
        [(side_by_side_thumbnail(pair), pair["caption"]) for pair in PAIRS],
        label="Or try a pair",
        columns=len(PAIRS),
        allow_preview=False,
        buttons=[],
        interactive=False,
        object_fit="contain",
        height="auto",
        elem_id="examples",
    )


def two_photos(page: gr.Blocks) -> tuple[PhotoImage, PhotoImage]:
    """Verdict and reasons for two photos, in one view; returns the places of the photos."""
    key = gr.Textbox(visible=False)  # the first: see KEY_JS
    asked, shown, picks = gr.State((0, 0)), gr.State(""), gr.State({})
    with gr.Column(elem_id="stage", elem_classes="xfv-holder"):
        with gr.Row(elem_id="heroes"):
            photo_a, view_a, choice_a, change_a = hero("First photo", "a")
            with gr.Column(elem_id="between", min_width=0):
                says = gr.HTML(empty_answer(), elem_id="answer")
                of = gr.HTML(elem_id="scale")
                with gr.Row(elem_id="both"):
                    swap = gr.Button("Swap", size="sm", elem_id="swap")
                    clear = gr.Button("Clear", size="sm", elem_id="clear")
            photo_b, view_b, choice_b, change_b = hero("Second photo", "b")
        with gr.Row(elem_id="switch"):
            method = method_widget()
            side_by_side = gr.Button("All side by side", size="sm", elem_id="all-methods")
            patch = occluder_switch()
            strength = gr.Slider(
                0, 100, value=85, step=1, label="Strength of the colours, %", elem_id="strength",
                container=False, buttons=[],
            )  # fmt: skip
        said = gr.HTML(elem_id="reasons")
        every = gr.HTML(elem_id="all", js_on_load=ALL_SCRIPT)
        taken_home = tools()
        gr.HTML(keys(len(methods())), elem_id="keys")
    examples = examples_widget()
    with gr.Accordion(SETTINGS, open=False, elem_id="settings"):
        with gr.Row(elem_id="decide"):
            model, rule, threshold = model_widget(), rule_widget(), threshold_widget()
        gr.Checkbox(False, label="Look first: cover the verdict", elem_id="look-first")
        gr.HTML(look_first())
        widgets = {name: options_of(each) for name, each in methods().items()}
    prior = gr.Number(0.5, visible=False)  # the last: see PRIOR_JS
    photos = (photo_a, photo_b)
    controls = Controls(key, photos, picks, model, rule, threshold, method, widgets, prior)
    pair = Pair(controls, asked, shown)
    more_references(controls)
    views = Views(says, (choice_a, choice_b), (view_a, view_b), of, said, every)
    mark_what_is_out_of_date(controls)
    explaining = explain_when_asked(pair, views)
    compare_when_changed(pair, views, explaining)
    for photo, change in ((photo_a, change_a), (photo_b, change_b)):
        change.click(None, None, photo, js="() => null", **SILENT)
    swap.click(None, [photo_a, photo_b], [photo_a, photo_b], js="(a, b) => [b, a]", **SILENT)
    clear.click(None, None, [photo_a, photo_b], js="() => [null, null]", **SILENT)
    examples.select(example, None, [photo_a, photo_b], **SILENT)
    side_by_side.click(pair.explain_all, controls.all, every, js=KEY_JS, show_progress="hidden",
                       **IN_TURN)  # fmt: skip
    every.select(chosen_method, None, method, **SILENT)
    open_when_switched(patch, controls)
    save_and_link(pair, strength, taken_home)
    page.load(pair.restore, None, pair.restored, **SILENT)
    page.load(None, method, None, js=CHOOSE_JS, **SILENT)
    return photo_a, photo_b


def hero(label: str, side: str) -> tuple[PhotoImage, gr.HTML, gr.Gallery, gr.Button]:
    """The place of one photo, and of its face under the map once there is one; below it the faces
    to choose from where there are several."""
    with gr.Column(min_width=0, elem_id=f"hero-{side}", elem_classes="hero"):
        photo = photo_widget(label, f"photo-{side}")
        view = gr.HTML(elem_id=f"view-{side}")
        faces = gr.Gallery(
            label="Which face?", visible=False, columns=4, height=120, allow_preview=False,
            buttons=[], interactive=False, elem_id=f"faces-{side}",
        )  # fmt: skip
        change = gr.Button(f"Change the {label.lower()}", size="sm", elem_id=f"change-{side}")
    return photo, view, faces, change


def method_widget() -> gr.Radio:
    """The switch between methods."""
    titled = [(method.title, name) for name, method in methods().items()]
    return gr.Radio(
        titled,
        value=titled[0][1],
        label="Why?",
        elem_id="method",
        container=False,
        show_label=False,
    )


def options_of(method: type[Method]) -> MethodControls:
    """What a method does, and its options; shown while it is the chosen one."""
    with gr.Column(elem_id=f"options-{method.name}", elem_classes="method-options"):
        gr.HTML(about_line(method))
        return method_controls(method)


def mark_what_is_out_of_date(controls: Controls) -> None:
    """At once and in the browser; made before what asks the server, so that it goes first."""
    always: dict[str, Any] = {**SILENT, "trigger_mode": "multiple"}
    gr.on(controls.changes, None, None, None, js=NEW_PAIR_JS, **always)
    controls.method.change(None, controls.method, None, js=CHOOSE_JS, **always)


def explain_when_asked(pair: Pair, views: Views) -> Any:
    """Maps follow every question, and another method or option is another question."""
    controls, asked = pair.controls, pair.asked
    explained = [*views.faces, views.scale, views.reasons, pair.shown]
    explaining = asked.change(
        pair.explain, {*controls.all, asked}, explained,
        show_progress="hidden", trigger_mode="multiple", js=KEY_JS, **IN_TURN,
    )  # fmt: skip
    gr.on([each.change for each in (controls.method, *controls.options)], next_turn, asked, asked,
          cancels=[explaining], js=NEW_TURN_JS, trigger_mode="multiple", **SILENT)  # fmt: skip
    return explaining


def compare_when_changed(pair: Pair, views: Views, explaining: Any) -> None:
    """The answer comes by itself."""
    controls = pair.controls
    compared = [views.answer, *views.choices, *views.faces, views.scale, views.reasons, pair.asked]
    to_compare: dict[str, Any] = {
        "fn": pair.compare,
        "inputs": {*controls.pair, controls.method, *controls.options, pair.asked},
        "outputs": compared,
        "js": KEY_JS,
        "cancels": [explaining],
        "show_progress": "hidden",
        **VERDICTS,
    }
    gr.on(controls.changes, **to_compare, trigger_mode="always_last")
    controls.rule.change(shown_for, controls.rule, controls.threshold, **SILENT)
    for photo, faces in zip(controls.photos, views.choices, strict=True):
        faces.select(
            chosen_face, [photo, controls.picks], controls.picks, js=NEW_FACE_JS, **SILENT
        ).then(**to_compare)


def next_turn(asked: tuple[int, int]) -> tuple[int, int]:
    """Another question about the same pair."""
    return asked[0], asked[1] + 1


@dataclass(frozen=True)
class Tools:
    """What the maps lie on, and what can be taken home."""

    surface: gr.Radio
    pictures: list[gr.DownloadButton]
    to_report: gr.Button
    reports: list[gr.DownloadButton]
    link: gr.HTML


def tools() -> Tools:
    """A row of small widgets."""
    with gr.Row(elem_id="tools"):
        surfaces = [FACE, "Whole photo"]
        surface = gr.Radio(
            surfaces, value=FACE, label="Show on", elem_id="surface", container=False
        )
        pictures = [
            gr.DownloadButton(f"Save {kind}", size="sm", interactive=False)
            for kind in ("PNG", "JPEG")
        ]
        to_report = gr.Button("Make a report", size="sm", elem_id="make-report")
        reports = [
            gr.DownloadButton(f"Report as {kind}", size="sm", visible=False)
            for kind in ("HTML", "PNG")
        ]
        return Tools(surface, pictures, to_report, reports, gr.HTML(elem_id="link"))


def save_and_link(pair: Pair, strength: gr.Slider, tools: Tools) -> None:
    """Saved pictures are as the maps are shown."""
    controls, asked, shown = pair.controls, pair.asked, pair.shown
    gr.on([shown.change, strength.release, tools.surface.change], save,
          [shown, strength, tools.surface], tools.pictures, show_progress="hidden",
          **MAPS)  # fmt: skip
    gr.on([asked.change], pair.link, controls.all, tools.link, **SILENT)
    tools.to_report.click(
        pair.report,
        {*controls.all, controls.prior},
        tools.reports,
        js=PRIOR_JS,
        show_progress_on=tools.to_report,
        **IN_TURN,
    )
    hidden = [gr.DownloadButton(visible=False)] * 2
    asked.change(lambda: hidden, None, tools.reports, **SILENT)
    strength.input(None, strength, js=STRENGTH_JS, **SILENT)
    tools.surface.change(None, tools.surface, js=VIEW_JS, **SILENT)
