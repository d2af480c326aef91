"""What happens to a pair: the answer, ever better maps, pictures, a report, a link."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from page import ASSETS, SCRIPTS, STYLE
from page import html as render
from page.photo import Upload
from page.server.folder import KEEP_SECONDS, new_folder
from page.server.inputs import whole_number
from page.server.limits import admit, admit_maps
from page.widgets import in_words, verifier
from xfv_core import Explanation, XfvError
from xfv_core.explain.masks import OFFERED
from xfv_core.memory import Recent
from xfv_core.results import PictureKind, Surface, all_in_one

EXAMPLES = ASSETS.parents[1] / "examples"
PAIRS = json.loads((EXAMPLES / "pairs.json").read_text(encoding="utf-8"))["pairs"]
FACE = "Face"

# what can be saved, under secrets: whole photos are in it, so few are held and not for long
finished = Recent(24, KEEP_SECONDS)


def compare(
    photo_a: Upload,
    photo_b: Upload,
    pick_a: int,
    pick_b: int,
    model: str,
    point: str,
    asked: int,
    request: gr.Request,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
) -> tuple[Any, ...]:
    """The answer, the faces to choose from, and a new number that asks for maps."""
    galleries = [gr.Gallery(visible=False)] * 2
    try:
        admit(request, "verdict")
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
    request: gr.Request,
) -> Iterator[tuple[str, str]]:
    """Ever better maps of the pair that was just compared, and under which secret they are."""
    if not (asked and photo_a and photo_b):
        yield render.waiting(), ""
        return
    try:
        admit_maps(request, method, preset)
        for explanation in verifier.explain(
            photo_a,
            photo_b,
            operating_point=point,
            pick=(pick_a, pick_b),
            **asked_of(method, model, preset, mode, shape, fill, adding, summands),
        ):
            yield render.maps(explanation), held(explanation)
    except XfvError as problem:
        yield render.waiting(str(problem)), ""


def held(explanation: Explanation) -> str:
    """The secret under which finished maps can be saved for a while; none while they are not."""
    if explanation.fidelity is None:
        return ""
    secret = token_urlsafe(16)
    finished.put(secret, explanation)
    return secret


@in_words
def save(shown: str, strength: float, surface: str) -> list[gr.DownloadButton]:
    """The finished figure as PNG and as JPEG; buttons without use while there is none."""
    explanation: Explanation | None = finished.peek(shown)
    if explanation is None:
        return [gr.DownloadButton(interactive=False)] * 2
    folder = new_folder()
    buttons = []
    on: Surface = "crop" if surface == FACE else "photo"
    kinds: tuple[PictureKind, ...] = ("png", "jpeg")
    for kind in kinds:
        file = folder / f"xfv-{explanation.maps.method}.{kind}"
        file.write_bytes(explanation.figure(kind, on=on, strength=strength / 100))
        buttons.append(gr.DownloadButton(value=file, interactive=True))
    return buttons


@in_words
def report(
    photo_a: Upload,
    photo_b: Upload,
    pick_a: int,
    pick_b: int,
    model: str,
    point: str,
    preset: str,
    mode: int,
    shape: str,
    fill: str,
    adding: str,
    summands: str,
    request: gr.Request,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
) -> list[gr.DownloadButton]:
    """Every method's maps of the pair in one HTML file and in one picture."""
    admit(request, "report")
    if not (photo_a and photo_b):
        raise XfvError("Two photos are needed.")
    found = [
        verifier.explained(
            photo_a,
            photo_b,
            operating_point=point,
            pick=(pick_a, pick_b),
            **asked_of(method, model, preset, mode, shape, fill, adding, summands),
        )
        for method in progress.tqdm(render.TITLES, desc="Drawing every map", unit="map")
    ]
    page = render.report(
        found, verifier.manifest.card(model), verifier.calibration(model),
        made=datetime.now(timezone.utc), style=STYLE, scripts=SCRIPTS,
    )  # fmt: skip
    folder = new_folder()
    (folder / "xfv-report.html").write_text(page, encoding="utf-8")
    (folder / "xfv-report.png").write_bytes(all_in_one(found))
    return [
        gr.DownloadButton(value=folder / f"xfv-report.{kind}", visible=True)
        for kind in ("html", "png")
    ]


def link(photo_a: Upload, photo_b: Upload, model: str, point: str, method: str, preset: str) -> str:
    """An address that brings these settings back, and the pair if it is one of the examples."""
    values = {"model": model, "at": point, "why": method, "detail": preset}
    if (number := example_of(photo_a, photo_b)) is not None:
        values["example"] = str(number + 1)
    return render.link(urlencode(values))


def example_of(photo_a: Upload, photo_b: Upload) -> int | None:
    """Which example these two photos are, by their bytes."""
    if not (isinstance(photo_a, str) and isinstance(photo_b, str)):
        return None
    given = (Path(photo_a).read_bytes(), Path(photo_b).read_bytes())
    for number, pair in enumerate(PAIRS):
        if given == tuple((EXAMPLES / pair[side]).read_bytes() for side in "ab"):
            return number
    return None


def restore(request: gr.Request) -> list[Any]:
    """Model, rule, method, its tab, detail and photos that a link asks for, where they exist."""
    asked = dict(request.query_params)
    method = asked.get("why", "")
    number = asked.get("example", "")
    pair = PAIRS[int(number) - 1] if number in map(str, range(1, len(PAIRS) + 1)) else None
    known = method in render.TITLES
    return [
        asked["model"] if asked.get("model") in verifier.manifest.models else gr.skip(),
        asked["at"] if asked.get("at") in render.POINTS else gr.skip(),
        method if known else gr.skip(),
        gr.Tabs(selected=method) if known else gr.skip(),
        asked["detail"] if asked.get("detail") in OFFERED else gr.skip(),
        *(str(EXAMPLES / pair[side]) if pair else gr.skip() for side in "ab"),
    ]


def asked_of(
    method: str,
    model: str,
    preset: str,
    mode: int,
    shape: str,
    fill: str,
    adding: str,
    summands: str,
) -> dict[str, Any]:
    """What the page's widgets ask of a method; patches and parts have networks of their own."""
    options: dict[str, dict[str, Any]] = {
        "occlusion": {"preset": preset, "mode": mode, "shape": shape, "fill": fill},
        "patches": {"model": adding, "view": summands},
        "parts": {"model": None},
    }
    return {"method": method, "model": model, **options.get(method, {})}


@in_words
def example(event: gr.EventData) -> list[str]:
    """The two photos of the example that was picked."""
    pair = PAIRS[whole_number(event, "index", below=len(PAIRS))]
    return [str(EXAMPLES / pair[side]) for side in "ab"]


@in_words
def chosen_face(event: gr.EventData) -> int:
    """The place of the face that was picked."""
    return whole_number(event, "index")
