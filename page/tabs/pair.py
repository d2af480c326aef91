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

from page.html.answer import answer, empty_answer, problem
from page.html.maps import maps, waiting
from page.html.report import report
from page.html.words import POINTS, link
from page.photo import Upload
from page.server.folder import KEEP_SECONDS, new_folder
from page.server.inputs import whole_number
from page.server.limits import admit, admit_maps
from page.tabs.controls import Controls, Values
from page.widgets import in_words, verifier
from xfv_core import Explanation, XfvError
from xfv_core.memory import Recent
from xfv_core.results import PictureKind, Surface, all_in_one

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PAIRS = json.loads((EXAMPLES / "pairs.json").read_text(encoding="utf-8"))["pairs"]
FACE = "Face"

# what can be saved, under secrets: whole photos are in it, so few are held and not for long
finished = Recent(24, KEEP_SECONDS)


class Pair:
    """The callbacks of one pair's widgets. ``asked`` counts the questions for maps, 0: none."""

    def __init__(self, controls: Controls, asked: gr.State) -> None:
        self.controls = controls
        self.asked = asked

    def compare(
        self,
        values: Values,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        """The answer, the faces to choose from, and a new number that asks for maps."""
        galleries = [gr.Gallery(visible=False)] * 2
        photos = self.controls.uploads(values)
        try:
            admit(request, "verdict")
            galleries = [faces_of(photo) for photo in photos]
            if not all(photos):
                return empty_answer(any(photos)), *galleries, 0
            ask = self.controls.of_pair(values)
            verdict = verifier.answer(
                ask, lambda done, total: progress((done, total), desc="Fetching the model")
            )
        except XfvError as trouble:
            return problem(str(trouble)), *galleries, 0
        card, calibration = (
            verifier.manifest.card(verdict.model),
            verifier.calibration(verdict.model),
        )
        return answer(verdict, card, calibration), *galleries, values[self.asked] + 1

    def explain(self, values: Values, request: gr.Request) -> Iterator[tuple[str, str]]:
        """Ever better maps of the pair that was just compared, and under which secret they are."""
        if not (values[self.asked] and all(self.controls.uploads(values))):
            yield waiting(), ""
            return
        try:
            ask = self.controls.of_method(values, values[self.controls.method])
            admit_maps(request, ask.explainer())
            for explanation in verifier.reasons(ask):
                yield maps(explanation), held(explanation)
        except XfvError as trouble:
            yield waiting(str(trouble)), ""

    @in_words
    def report(
        self,
        values: Values,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[gr.DownloadButton]:
        """Every method's maps of the pair in one HTML file and in one picture."""
        admit(request, "report")
        pair = self.controls.of_pair(values)
        found = []
        for method in progress.tqdm(self.controls.methods, desc="Making every map", unit="map"):
            *_, last = verifier.reasons(self.controls.of_method(values, method))
            found.append(last)
        name = pair.model or verifier.manifest.default
        card, calibration = verifier.manifest.card(name), verifier.calibration(name)
        page = report(found, card, calibration, datetime.now(timezone.utc))
        folder = new_folder()
        (folder / "xfv-report.html").write_text(page, encoding="utf-8")
        (folder / "xfv-report.png").write_bytes(all_in_one(found))
        return [
            gr.DownloadButton(value=folder / f"xfv-report.{kind}", visible=True)
            for kind in ("html", "png")
        ]

    def link(self, values: Values) -> str:
        """An address that brings these settings back, and the pair if it is an example."""
        method = values[self.controls.method]
        asked = {
            "model": values[self.controls.model], "at": values[self.controls.rule], "why": method,
        }  # fmt: skip
        if self.preset:
            asked["detail"] = values[self.preset]
        if (number := example_of(*self.controls.uploads(values))) is not None:
            asked["example"] = str(number + 1)
        return link(urlencode(asked))

    def restore(self, request: gr.Request) -> list[Any]:
        """Model, rule, method, its tab and detail, and photos that a link asks for, where they
        exist; see ``restored``."""
        asked = dict(request.query_params)
        method, number = asked.get("why", ""), asked.get("example", "")
        pair = PAIRS[int(number) - 1] if number in map(str, range(1, len(PAIRS) + 1)) else None
        known = method in self.controls.methods
        details = [value for _, value in self.preset.choices] if self.preset else []
        return [
            asked["model"] if asked.get("model") in verifier.manifest.models else gr.skip(),
            asked["at"] if asked.get("at") in POINTS else gr.skip(),
            method if known else gr.skip(),
            gr.Tabs(selected=method) if known else gr.skip(),
            *(str(EXAMPLES / pair[side]) if pair else gr.skip() for side in "ab"),
            *(
                [asked["detail"] if asked.get("detail") in details else gr.skip()]
                if details
                else ()
            ),
        ]

    def restored(self, tabs: gr.Tabs) -> list[Any]:
        """What ``restore`` sets."""
        c = self.controls
        detail = [self.preset] if self.preset else []
        return [c.model, c.rule, c.method, tabs, *c.photos, *detail]

    @property
    def preset(self) -> Any:
        """The widget of the occlusion's detail, if there is one."""
        occlusion = self.controls.methods.get("occlusion")
        return occlusion.options.get("preset") if occlusion else None


def faces_of(photo: Upload) -> gr.Gallery:
    """The faces of a photo to choose from, hidden while there is no choice."""
    faces = verifier.face_pictures(photo) if photo else []
    several = len(faces) > 1
    named = [(face, f"Face {i + 1}") for i, face in enumerate(faces)] if several else []
    return gr.Gallery(value=named, visible=several)


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


def example_of(photo_a: Upload, photo_b: Upload) -> int | None:
    """Which example these two photos are, by their bytes."""
    if not (isinstance(photo_a, str) and isinstance(photo_b, str)):
        return None
    given = (Path(photo_a).read_bytes(), Path(photo_b).read_bytes())
    for number, pair in enumerate(PAIRS):
        if given == tuple((EXAMPLES / pair[side]).read_bytes() for side in "ab"):
            return number
    return None


@in_words
def example(event: gr.EventData) -> list[str]:
    """The two photos of the example that was picked."""
    pair = PAIRS[whole_number(event, "index", below=len(PAIRS))]
    return [str(EXAMPLES / pair[side]) for side in "ab"]


@in_words
def chosen_face(event: gr.EventData) -> int:
    """The place of the face that was picked."""
    return whole_number(event, "index")
