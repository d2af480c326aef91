"""Two photos: the answer, and why."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from page import ASSETS, FOLDER
from page.widgets import KEEP_SECONDS, MAPS, SILENT, VERDICTS, Upload, photo_widget, verifier
from xfv_core import Explanation, XfvError, render
from xfv_core.explain.occlusion import FILLS, SHAPES
from xfv_core.results import PictureKind, Surface

EXAMPLES = ASSETS.parent / "examples"
PAIRS = json.loads((EXAMPLES / "pairs.json").read_text(encoding="utf-8"))["pairs"]
FACE = "Face"
STRENGTH_JS = "v => { document.documentElement.style.setProperty('--xfv-strength', v / 100) }"
VIEW_JS = "v => { document.getElementById('maps').classList.toggle('whole-photo', v !== 'Face') }"


def compare(
    photo_a: Upload,
    photo_b: Upload,
    pick_a: int,
    pick_b: int,
    model: str,
    point: str,
    asked: int,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
) -> tuple[Any, ...]:
    """The answer, the faces to choose from, and a new number that asks for maps."""
    galleries = [gr.Gallery(visible=False)] * 2
    try:
        galleries = [faces_of(photo) for photo in (photo_a, photo_b)]
        if not (photo_a and photo_b):
            return render.empty_answer(bool(photo_a or photo_b)), *galleries, 0
        verdict = verifier.verify(
            photo_a,
            photo_b,
            model=model,
            operating_point=point,
            pick=(pick_a, pick_b),
            progress=lambda done, total: progress((done, total), desc="Fetching the model"),
        )
    except XfvError as problem:
        return render.problem(str(problem)), *galleries, 0
    card, calibration = verifier.manifest.card(model), verifier.calibration(model)
    return render.answer(verdict, card, calibration), *galleries, asked + 1


def verify(photo_a: Upload, photo_b: Upload, model: str, point: str) -> dict[str, Any]:
    """The verdict on two photos with its calibrated probability, for programs."""
    try:
        if not (photo_a and photo_b):
            raise XfvError("Two photos are needed.")
        return asdict(verifier.verify(photo_a, photo_b, model=model, operating_point=point))
    except XfvError as problem:
        raise gr.Error(str(problem), print_exception=False) from problem


def faces_of(photo: Upload) -> gr.Gallery:
    """The faces of a photo to choose from, hidden while there is no choice."""
    faces = verifier.face_pictures(photo) if photo else []
    several = len(faces) > 1
    named = [(face, f"Face {i + 1}") for i, face in enumerate(faces)] if several else []
    return gr.Gallery(value=named, visible=several)


def explain(
    asked: int,
    photo_a: Upload,
    photo_b: Upload,
    pick_a: int,
    pick_b: int,
    model: str,
    point: str,
    method: str,
    preset: str,
    mode: int,
    shape: str,
    fill: str,
    adding: str,
    summands: str,
) -> Iterator[tuple[str, Explanation | None]]:
    """Ever better maps of the pair that was just compared."""
    if not (asked and photo_a and photo_b):
        yield render.waiting(), None
        return
    options: dict[str, dict[str, Any]] = {
        "occlusion": {"preset": preset, "mode": mode, "shape": shape, "fill": fill},
        "patches": {"view": summands},
    }
    try:
        for explanation in verifier.explain(
            photo_a,
            photo_b,
            model={"patches": adding, "parts": None}.get(method, model),
            operating_point=point,
            pick=(pick_a, pick_b),
            method=method,
            **options.get(method, {}),
        ):
            yield render.maps(explanation), explanation
    except XfvError as problem:
        yield render.waiting(str(problem)), None


def save(explanation: Explanation | None, strength: float, surface: str) -> list[gr.DownloadButton]:
    """The finished figure as PNG and as JPEG; buttons without use while there is none."""
    if explanation is None or explanation.fidelity is None:
        return [gr.DownloadButton(interactive=False)] * 2
    folder = Path(tempfile.mkdtemp(dir=FOLDER.name))
    buttons = []
    on: Surface = "crop" if surface == FACE else "photo"
    kinds: tuple[PictureKind, ...] = ("png", "jpeg")
    for kind in kinds:
        file = folder / f"xfv-{explanation.maps.method}.{kind}"
        file.write_bytes(explanation.figure(kind, on=on, strength=strength / 100))
        buttons.append(gr.DownloadButton(value=file, interactive=True))
    return buttons


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


def example(event: gr.SelectData) -> list[str]:
    """The two photos of the example that was picked."""
    return [str(EXAMPLES / PAIRS[event.index][side]) for side in "ab"]


def chosen_face(event: gr.SelectData) -> int:
    """The place of the face that was picked."""
    return int(event.index)


def two_photos() -> None:
    """Verdict and reasons for two photos."""
    asked, shown = gr.State(0), gr.State(time_to_live=KEEP_SECONDS)
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
    with gr.Tabs(elem_id="methods"):
        with gr.Tab("Occlusion") as occlusion:
            gr.HTML(render.about("occlusion"))
            with gr.Row():
                preset = gr.Radio(["fast", "standard", "paper"], value="fast", label="Detail")
            with gr.Accordion("Occluders", open=False), gr.Row():
                mode = gr.Radio(render.MODES, value=1, label="Compare")
                shape = gr.Radio(list(SHAPES), value="square", label="Shape")
                fill = gr.Radio(list(FILLS), value="black", label="Fill")
        with gr.Tab("Gradients") as gradients:
            gr.HTML(render.about("fggb"))
        with gr.Tab("Patches") as patches:
            gr.HTML(render.about("patches"))
            with gr.Row():
                names = verifier.models_for("patches")
                titles = [(verifier.manifest.card(name).title, name) for name in names]
                adding = gr.Radio(titles, value=names[0], label="Network")
                summands = gr.Radio(render.VIEWS, value="evidence", label="Show")
        with gr.Tab("Parts") as parts:
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
    gr.Button(visible=False).click(
        verify, [photo_a, photo_b, model, point], gr.JSON(visible=False),
        api_name="verify", **{**VERDICTS, "api_visibility": "public"},
    )  # fmt: skip

    pair = [photo_a, photo_b, pick_a, pick_b, model, point]
    options = [preset, mode, shape, fill, adding, summands]
    explaining = asked.change(
        explain, [asked, *pair, method, *options], [view, shown], show_progress="hidden",
        trigger_mode="multiple", **MAPS,
    )  # fmt: skip
    to_save = ([shown, strength, surface], pictures)
    explaining.then(save, *to_save, show_progress="hidden", **MAPS)
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
