"""What happens to a pair: the answer, ever better maps, pictures, a report, a link."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from page.html.all import all_methods
from page.html.answer import answer, empty_answer, problem
from page.html.key import Key
from page.html.maps import SIDES, bare_face, face, no_reasons, reasons, scale
from page.html.report import all_in_one, report
from page.html.words import RULES, link
from page.photo import Upload
from page.server.folder import KEEP_SECONDS, written
from page.server.inputs import whole_number
from page.server.lanes import Wait
from page.server.limits import admit, admit_maps
from page.server.sessions import SESSIONS
from page.tabs.controls import Controls, Values
from page.turns import last_in_turn, reasons_in_turn
from page.widgets import in_words, listed_models, verifier
from xfv_core import Ask, Explanation, XfvError
from xfv_core.explain import method_named
from xfv_core.faces.decode import read
from xfv_core.memory import Recent
from xfv_core.results import OWN, PictureKind, Surface

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PAIRS = json.loads((EXAMPLES / "pairs.json").read_text(encoding="utf-8"))["pairs"]
FACE = "Face"
MOST_PICKS = 8  # photos whose chosen face is remembered

# what can be saved, under secrets: whole photos are in it, so few are held and not for long
finished = Recent(24, KEEP_SECONDS)
# by session, the newest question for maps: the browser cannot call off one that it has no name of
newest = Recent(SESSIONS, KEEP_SECONDS)


@dataclass(frozen=True)
class Views:
    """Where answers are shown: the verdict, the faces to choose from, both faces under their maps,
    what the maps are of, what they say; and every method at once."""

    answer: gr.HTML
    choices: tuple[gr.Gallery, gr.Gallery]
    faces: tuple[gr.HTML, gr.HTML]
    scale: gr.HTML
    reasons: gr.HTML
    all_methods: gr.HTML


class Pair:
    """The callbacks of one pair's widgets.

    ``asked``: (the pair that was compared last, or 0 where it has no answer; a count of questions
    for maps). ``shown``: under which secret the finished maps can be saved.
    """

    def __init__(self, controls: Controls, asked: gr.State, shown: gr.State) -> None:
        self.controls = controls
        self.asked = asked
        self.shown = shown

    def compare(
        self,
        values: Values,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        """The answer, the faces to choose from, both faces, and a new question for maps."""
        photos, key = self.controls.uploads(values), Key.of(values[self.controls.key])
        choices: list[Any] = [gr.Gallery(visible=False)] * 2
        turn = values[self.asked][1] + 1
        try:
            admit(request, "verdict")
            choices = [faces_of(photo) for photo in photos]
            if not all(photos):
                return empty_answer(any(photos)), *choices, "", "", "", "", (0, turn)
            verdict = verifier.answer(
                self.controls.of_pair(values),
                lambda done, total: progress((done, total), desc="Fetching the model"),
            )
            faces = self._bare_faces(values, key)
        except XfvError as trouble:
            return problem(str(trouble)), *choices, "", "", "", "", (0, turn)
        name = verdict.model
        card, calibration = verifier.manifest.card(name), verifier.calibration(name)
        said = answer(verdict, card, calibration, key)
        return said, *choices, *faces, "", "", (max(1, key.pair), turn)

    def _bare_faces(self, values: Values, key: Key) -> list[str]:
        """Both faces as the maps will lie on them."""
        ask = self.controls.of_method(values, values[self.controls.method])
        model = ask.model or verifier.default_model(ask.method)
        return [
            bare_face(verifier.portrait(photo, model, pick), side, key)
            for photo, pick, (side, _) in zip(ask.photos, ask.pick, SIDES, strict=True)
        ]

    async def explain(self, values: Values, request: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        """Ever better maps of the pair that was just compared, and under which secret they are."""
        key, compared = Key.of(values[self.controls.key]), values[self.asked][0]
        if not (compared and all(self.controls.uploads(values))):
            yield "", "", "", no_reasons(), ""
            return
        if key.pair not in (0, compared):  # another pair is being compared by now
            return
        secret, latest, session = "", None, request.session_hash
        newest.update(session, lambda known: max(known or key, key))
        try:
            ask = self.controls.of_method(values, values[self.controls.method])
            admit_maps(request, ask.explainer())
            async with aclosing(reasons_in_turn(ask)) as turns:
                async for found in turns:
                    if newest.peek(session) not in (None, key):
                        return
                    if isinstance(found, Wait):
                        line = found.words
                        said = reasons(latest, key, line) if latest else no_reasons(line)
                        yield gr.skip(), gr.skip(), gr.skip(), said, gr.skip()
                        continue
                    latest, secret = found, secret or held(found)
                    title = verifier.manifest.card(found.maps.model).title
                    faces = [face(found, side, key) for side, _ in SIDES]
                    yield *faces, scale(found, title, key), reasons(found, key), secret
        except XfvError as trouble:
            yield gr.skip(), gr.skip(), "", no_reasons(str(trouble)), ""

    async def explain_all(self, values: Values, request: gr.Request) -> AsyncIterator[str]:
        """Every method's maps of the pair, side by side, as they are finished."""
        key = Key.of(values[self.controls.key])
        found: list[tuple[Explanation, str]] = []
        missing: list[tuple[str, str]] = []
        names = list(self.controls.methods)
        try:
            for i, name in enumerate(names):
                title = method_named(name).title
                busy = f"{title}, {i + 1} of {len(names)} …"
                yield all_methods(found, key.of_pair, missing, busy)
                ask = self.controls.of_method(values, name)
                admit_maps(request, ask.explainer())
                last = await last_in_turn(ask)
                found.append((last, verifier.manifest.card(last.maps.model).title))
        except XfvError as trouble:
            missing.append((title, str(trouble)))
        yield all_methods(found, key.of_pair, missing)

    async def report(
        self,
        values: Values,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[gr.DownloadButton]:
        """Every method's maps of the pair in one HTML file and in one picture."""
        try:
            admit(request, "report")
            pair = self.controls.of_pair(values)
            found = [
                await last_in_turn(self.controls.of_method(values, method))
                for method in progress.tqdm(
                    self.controls.methods, desc="Making every map", unit="map"
                )
            ]
            return await asyncio.to_thread(self._report, pair, values, found)
        except XfvError as trouble:
            raise gr.Error(str(trouble), print_exception=False) from trouble

    def _report(
        self, pair: Ask, values: Values, found: list[Explanation]
    ) -> list[gr.DownloadButton]:
        name = pair.model or verifier.manifest.default
        card, calibration = verifier.manifest.card(name), verifier.calibration(name)
        files = [read(photo) for photo in self.controls.uploads(values) if photo]
        prior = values[self.controls.prior]
        page = report(found, card, calibration, datetime.now(timezone.utc), files, prior)
        whole = {"xfv-report.html": page.encode(), "xfv-report.png": all_in_one(found)}
        return [gr.DownloadButton(value=file, visible=True) for file in written(whole)]

    def link(self, values: Values) -> str:
        """An address that brings these settings back, and the pair if it is an example."""
        method = values[self.controls.method]
        asked = {
            "model": values[self.controls.model], "at": values[self.controls.rule], "why": method,
        }  # fmt: skip
        if asked["at"] == OWN:
            asked["threshold"] = values[self.controls.threshold]
        if self.preset:
            asked["detail"] = values[self.preset]
        if (number := example_of(*self.controls.uploads(values))) is not None:
            asked["example"] = str(number + 1)
        return link(urlencode(asked))

    def restore(self, request: gr.Request) -> list[Any]:
        """Model, rule, method and its detail, and photos that a link asks for, where they exist;
        see ``restored``."""
        asked = dict(request.query_params)
        method, number = asked.get("why", ""), asked.get("example", "")
        pair = PAIRS[int(number) - 1] if number in map(str, range(1, len(PAIRS) + 1)) else None
        known = method in self.controls.methods
        details = [value for _, value in self.preset.choices] if self.preset else []
        return [
            similarity(asked.get("threshold", "")),
            asked["model"] if asked.get("model") in listed_models() else gr.skip(),
            asked["at"] if asked.get("at") in RULES else gr.skip(),
            method if known else gr.skip(),
            *(str(EXAMPLES / pair[side]) if pair else gr.skip() for side in "ab"),
            *(
                [asked["detail"] if asked.get("detail") in details else gr.skip()]
                if details
                else ()
            ),
        ]

    @property
    def restored(self) -> list[Any]:
        """What ``restore`` sets."""
        c = self.controls
        detail = [self.preset] if self.preset else []
        return [c.threshold, c.model, c.rule, c.method, *c.photos, *detail]

    @property
    def preset(self) -> Any:
        """The widget of the occlusion's detail, if there is one."""
        occlusion = self.controls.methods.get("occlusion")
        return occlusion.options.get("preset") if occlusion else None


def similarity(text: str) -> Any:
    """The threshold that a link brings, where it is one."""
    try:
        value = float(text)
    except ValueError:
        return gr.skip()
    return value if -1 <= value <= 1 else gr.skip()


def faces_of(photo: Upload) -> gr.Gallery:
    """The faces of a photo to choose from, hidden while there is no choice."""
    faces = verifier.face_pictures(photo) if photo else []
    several = len(faces) > 1
    named = [(face, f"Face {i + 1}") for i, face in enumerate(faces)] if several else []
    return gr.Gallery(value=named, visible=several)


def held(explanation: Explanation) -> str:
    """The secret under which final maps can be saved for a while; none while they are not."""
    if explanation.maps.progress < 1:
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
    on: Surface = "crop" if surface == FACE else "photo"
    kinds: tuple[PictureKind, ...] = ("png", "jpeg")
    files = written({
        f"xfv-{explanation.maps.method}.{kind}":
            explanation.figure(kind, on=on, strength=strength / 100)
        for kind in kinds
    })  # fmt: skip
    return [gr.DownloadButton(value=file, interactive=True) for file in files]


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
def chosen_face(photo: Upload, picks: dict[Upload, int], event: gr.EventData) -> dict[Upload, int]:
    """The faces chosen so far, and the one that was picked in this photo."""
    latest = list(picks.items())[-MOST_PICKS:]
    return {**dict(latest), photo: whole_number(event, "index")}


@in_words
def chosen_method(event: gr.EventData) -> str:
    """The method whose row was picked."""
    sent = event._data
    return method_named(str(sent.get("method")) if isinstance(sent, dict) else "", "page").name
