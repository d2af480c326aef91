"""Two photos: the answer, and why."""

from __future__ import annotations

from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from page.html.answer import empty_answer
from page.html.maps import waiting
from page.html.words import about_line, why
from page.photo import PhotoImage, photo_widget
from page.tabs.controls import Controls, method_controls, model_widget, rule_widget
from page.tabs.pair import EXAMPLES, FACE, PAIRS, Pair, chosen_face, example, save
from page.widgets import MAPS, SILENT, VERDICTS, methods

STRENGTH_JS = "v => { document.documentElement.style.setProperty('--xfv-strength', v / 100) }"
VIEW_JS = "v => { document.getElementById('maps').classList.toggle('whole-photo', v !== 'Face') }"


def photo_input(label: str, side: str) -> tuple[PhotoImage, gr.Gallery]:
    """One photo and, below it, the faces to choose from where there are several."""
    with gr.Column(min_width=0):
        photo = photo_widget(label, f"photo-{side}")
        faces = gr.Gallery(
            label="Which face?", visible=False, columns=4, height=120, allow_preview=False,
            buttons=[], interactive=False, elem_id=f"faces-{side}",
        )  # fmt: skip
    return photo, faces


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


def two_photos(page: gr.Blocks) -> None:
    """Verdict and reasons for two photos."""
    offered = methods()
    asked, shown, method = gr.State(0), gr.State(""), gr.State(next(iter(offered)))
    picks = gr.State(0), gr.State(0)
    with gr.Row(elem_id="photos"):
        photo_a, faces_a = photo_input("First photo", "a")
        photo_b, faces_b = photo_input("Second photo", "b")
    says = gr.HTML(empty_answer(), elem_id="answer")
    with gr.Accordion("Model and decision rule", open=False), gr.Row():
        model, rule = model_widget(), rule_widget()
    examples = examples_widget()
    gr.HTML(why())
    tabs, widgets = {}, {}
    with gr.Tabs(elem_id="methods") as switch:
        for name, each in offered.items():
            with gr.Tab(each.title, id=name) as tabs[name]:
                gr.HTML(about_line(each))
                widgets[name] = method_controls(each)
    view = gr.HTML(waiting(), elem_id="maps", elem_classes="xfv-holder")
    controls = Controls((photo_a, photo_b), picks, model, rule, method, widgets)
    pair = Pair(controls, asked)
    save_and_link(pair, view, shown)
    answering: dict[str, Any] = {
        "cancels": [explain_when_asked(pair, view, shown, tabs)],
        "show_progress_on": says,
        **VERDICTS,
    }
    to_compare = (pair.compare, {*controls.pair, asked}, [says, faces_a, faces_b, asked])
    for photo, faces, pick in zip(controls.photos, (faces_a, faces_b), picks, strict=True):
        photo.change(lambda: 0, None, pick, **SILENT).then(*to_compare, **answering)
        faces.select(chosen_face, None, pick, **SILENT).then(*to_compare, **answering)
    examples.select(example, None, [photo_a, photo_b], **SILENT)
    gr.on([model.change, rule.change], *to_compare, **answering)
    page.load(pair.restore, None, pair.restored(switch), **SILENT)


def explain_when_asked(pair: Pair, view: gr.HTML, shown: gr.State, tabs: dict[str, gr.Tab]) -> Any:
    """Maps follow every question, and another method or option is another question."""
    controls, asked = pair.controls, pair.asked
    explaining = asked.change(
        pair.explain, {*controls.all, asked}, [view, shown], show_progress="hidden",
        trigger_mode="multiple", **MAPS,
    )  # fmt: skip
    for name, tab in tabs.items():
        tab.select(lambda n, name=name: (name, n and n + 1), asked, [controls.method, asked],
                   cancels=[explaining], **SILENT)  # fmt: skip
    gr.on([option.change for option in controls.options], lambda n: n and n + 1, asked, asked,
          cancels=[explaining], **SILENT)  # fmt: skip
    return explaining


def save_and_link(pair: Pair, view: gr.HTML, shown: gr.State) -> None:
    """How the maps are shown, and what can be taken home."""
    controls, asked = pair.controls, pair.asked
    with gr.Row(elem_id="view-controls"):
        with gr.Column(min_width=200, scale=2):
            strength = gr.Slider(
                0, 100, value=85, step=1, label="Strength of the colours, %", elem_id="strength"
            )
        with gr.Column(min_width=200, scale=2):
            surface = gr.Radio(
                [FACE, "Whole photo"], value=FACE, label="Show on", elem_id="surface"
            )
        with gr.Column(min_width=120, scale=1):
            pictures = [
                gr.DownloadButton(f"Save {kind}", size="sm", interactive=False)
                for kind in ("PNG", "JPEG")
            ]
        with gr.Column(min_width=120, scale=1):
            to_report = gr.Button("Make a report", size="sm", elem_id="make-report")
            reports = [
                gr.DownloadButton(f"Report as {kind}", size="sm", visible=False)
                for kind in ("HTML", "PNG")
            ]
            linked = gr.HTML(elem_id="link")
    gr.on([shown.change, strength.release, surface.change], save, [shown, strength, surface],
          pictures, show_progress="hidden", **MAPS)  # fmt: skip
    to_link = [asked.change, controls.method.change]
    to_link += [pair.preset.change] if pair.preset else []
    gr.on(to_link, pair.link, controls.all, linked, **SILENT)
    to_report.click(pair.report, controls.all, reports, show_progress_on=to_report, **MAPS)
    asked.change(lambda: [gr.DownloadButton(visible=False)] * 2, None, reports, **SILENT)
    strength.input(None, strength, js=STRENGTH_JS, **SILENT)
    surface.change(None, surface, js=VIEW_JS, **SILENT)
