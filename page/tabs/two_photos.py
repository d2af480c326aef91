"""Two photos: the answer, and why."""

from __future__ import annotations

from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from page import html as render
from page.photo import photo_widget
from page.tabs.pair import (
    EXAMPLES,
    FACE,
    PAIRS,
    chosen_face,
    compare,
    example,
    explain,
    link,
    report,
    restore,
    save,
)
from page.widgets import MAPS, SILENT, VERDICTS, verifier
from xfv_core.explain.masks import OFFERED, SHAPES
from xfv_core.explain.occlusion import FILLS, Occlusion

STRENGTH_JS = "v => { document.documentElement.style.setProperty('--xfv-strength', v / 100) }"
VIEW_JS = "v => { document.getElementById('maps').classList.toggle('whole-photo', v !== 'Face') }"


def photo_input(label: str, side: str) -> tuple[gr.Image, gr.Gallery]:
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


def two_photos(page: gr.Blocks) -> None:
    """Verdict and reasons for two photos."""
    asked, shown = gr.State(0), gr.State("")
    pick_a, pick_b, method = gr.State(0), gr.State(0), gr.State("occlusion")
    with gr.Row(elem_id="photos"):
        photo_a, faces_a = photo_input("First photo", "a")
        photo_b, faces_b = photo_input("Second photo", "b")
    answer = gr.HTML(render.empty_answer(), elem_id="answer")
    with gr.Accordion("Model and decision rule", open=False), gr.Row():
        cards = verifier.manifest.models.values()
        default = verifier.manifest.default
        model = gr.Dropdown([(c.title, c.name) for c in cards], value=default, label="Model")
        point = gr.Dropdown(
            [(words, name) for name, words in render.POINTS.items()],
            value="balanced",
            label="Decide at",
        )
    examples = gr.Gallery(
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
    gr.HTML(render.WHY)
    with gr.Tabs(elem_id="methods") as methods:
        with gr.Tab("Occlusion", id="occlusion") as occlusion:
            gr.HTML(render.about("occlusion"))
            with gr.Row():
                preset = gr.Radio(list(OFFERED), value=Occlusion.preset, label="Detail")
            with gr.Accordion("Occluders", open=False), gr.Row():
                mode = gr.Radio(render.MODES, value=1, label="Compare")
                shape = gr.Radio(list(SHAPES), value="square", label="Shape")
                fill = gr.Radio(list(FILLS), value="black", label="Fill")
        with gr.Tab("Gradients", id="fggb") as gradients:
            gr.HTML(render.about("fggb"))
        with gr.Tab("Patches", id="patches") as patches:
            gr.HTML(render.about("patches"))
            with gr.Row():
                names = verifier.models_for("patches")
                titles = [(verifier.manifest.card(name).title, name) for name in names]
                adding = gr.Radio(titles, value=names[0], label="Network")
                summands = gr.Radio(render.VIEWS, value="evidence", label="Show")
        with gr.Tab("Parts", id="parts") as parts:
            gr.HTML(render.about("parts"))
    view = gr.HTML(render.waiting(), elem_id="maps", elem_classes="xfv-holder")
    with gr.Row(elem_id="view-controls"):
        with gr.Column(min_width=200, scale=2):
            strength = gr.Slider(0, 100, value=85, step=1, label="Strength of the colours, %")
        with gr.Column(min_width=200, scale=2):
            surface = gr.Radio([FACE, "Whole photo"], value=FACE, label="Show on")
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
    pair = [photo_a, photo_b, pick_a, pick_b, model, point]
    options = [preset, mode, shape, fill, adding, summands]
    explaining = asked.change(
        explain, [asked, *pair, method, *options], [view, shown], show_progress="hidden",
        trigger_mode="multiple", **MAPS,
    )  # fmt: skip
    to_save = ([shown, strength, surface], pictures)
    explaining.then(save, *to_save, show_progress="hidden", **MAPS)
    linking = (link, [photo_a, photo_b, model, point, method, preset], linked)
    gr.on([asked.change, method.change, preset.change], *linking, **SILENT)
    to_report.click(report, [*pair, *options], reports, show_progress_on=to_report, **MAPS)
    asked.change(lambda: [gr.DownloadButton(visible=False)] * 2, None, reports, **SILENT)
    to_compare = (compare, [*pair, asked], [answer, faces_a, faces_b, asked])
    answering: dict[str, Any] = {
        "cancels": [explaining],
        "show_progress_on": answer,
        **VERDICTS,
    }
    for photo, faces, pick in ((photo_a, faces_a, pick_a), (photo_b, faces_b, pick_b)):
        photo.change(lambda: 0, None, pick, **SILENT).then(*to_compare, **answering)
        faces.select(chosen_face, None, pick, **SILENT).then(*to_compare, **answering)
    examples.select(example, None, [photo_a, photo_b], **SILENT)
    gr.on([model.change, point.change], *to_compare, **answering)
    tabs = {"occlusion": occlusion, "fggb": gradients, "patches": patches, "parts": parts}
    for name, tab in tabs.items():
        tab.select(lambda n, name=name: (name, n and n + 1), asked, [method, asked],
                   cancels=[explaining], **SILENT)  # fmt: skip
    gr.on([option.change for option in options], lambda n: n and n + 1, asked, asked,
          cancels=[explaining], **SILENT)  # fmt: skip
    strength.input(None, strength, js=STRENGTH_JS, **SILENT)
    surface.change(None, surface, js=VIEW_JS, **SILENT)
    gr.on([strength.release, surface.change], save, *to_save, show_progress="hidden", **MAPS)
    page.load(restore, None, [model, point, method, methods, preset, photo_a, photo_b], **SILENT)
