"""For programs and agents: verify, explain and models, as HTTP endpoints and as MCP tools.

Names, parameters and the keys of the answers stay as they are within a major version.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from page.photo import Upload, photo_widget
from page.server.folder import written
from page.server.inputs import MaybeNumber
from page.server.limits import admit, admit_maps
from page.turns import reasons_in_turn
from page.widgets import IN_TURN, VERDICTS, in_words, verifier
from xfv_core import Ask, Explanation, XfvError
from xfv_core.explain import method_named
from xfv_core.explain.masks import OFFERED
from xfv_core.explain.occlusion import Occlusion


@in_words
def verify(
    photo_a: Upload,
    photo_b: Upload,
    model: str,
    point: str,
    face_a: int,
    face_b: int,
    request: gr.Request,
    threshold: float | None = None,
    prior: float | None = None,
) -> dict[str, Any]:
    """Do two photos show the same person? The verdict and its calibrated probability.

    Args:
        photo_a: a photo with a face; of several the largest is taken.
        photo_b: another one.
        model: a name that the tool models gives, or empty for the default.
        point: the rule: balanced, best_accuracy, eer, fmr_1e-2 or fmr_1e-3.
        face_a: which face of the first photo, 1 the largest.
        face_b: which face of the second photo.
        threshold: a similarity from -1 to 1 that decides instead of the rule, or nothing.
        prior: P(same person) before the photos are seen, between 0 and 1, or nothing.

    Returns:
        same (bool), similarity (cosine), threshold, probability_same (at equal odds), confidence
        (null where rule and probability disagree), notes, all faces found and more; with a prior
        also at_prior, the probability there.
    """
    admit(request, "verdict")
    photos, pick = both(photo_a, photo_b), (face_a - 1, face_b - 1)
    verdict = verifier.answer(Ask(photos, pick, model or None, point, threshold))
    if prior is None:
        return asdict(verdict)
    at_prior = {"prior": prior, "probability": verdict.at_prior(prior)}
    return asdict(verdict) | {"at_prior": at_prior}


async def explain(
    photo_a: Upload,
    photo_b: Upload,
    method: str,
    model: str,
    point: str,
    detail: str,
    face_a: int,
    face_b: int,
    view: str,
    request: gr.Request,
    threshold: float | None = None,
) -> AsyncIterator[tuple[dict[str, Any], str]]:
    """Why do two photos look alike to the network, or not? Maps, in words and as a picture.

    Args:
        photo_a: a photo with a face; of several the largest is taken.
        photo_b: another one.
        method: occlusion, or another that the tool models names for the network.
        model: a name that the tool models gives, or empty for the method's own network.
        point: the rule: balanced, best_accuracy, eer, fmr_1e-2 or fmr_1e-3.
        detail: of occlusion maps: fast, standard or paper.
        face_a: which face of the first photo, 1 the largest.
        face_b: which face of the second photo.
        view: evidence, whose zero is a pair at the threshold, or raw, whose zero is no effect.
        threshold: a similarity from -1 to 1 that decides instead of the rule, or nothing.

    Returns:
        The verdict, a sentence, the share of the effect by region of the face, the fidelity of the
        maps against chance and their values (rows of numbers, above 0 similar, below 0 dissimilar);
        and a PNG of both photos under their maps.
        Streamed: first without the fidelity, as soon as the maps are there, then with it.
    """
    try:
        asked = method_named(method, "api")
        options = {"preset": offered_detail(detail)} if method == "occlusion" else {}
        if view != Occlusion.view or "view" in {option.name for option in asked.options()}:
            options["view"] = view  # others have but one
        admit_maps(request, asked.having(**options))
        photos, pick = both(photo_a, photo_b), (face_a - 1, face_b - 1)
        ask = Ask(photos, pick, model or None, point, threshold, method, options)
        picture: Path | None = None
        async for found in reasons_in_turn(ask):
            if isinstance(found, Explanation) and found.maps.progress == 1:
                picture = picture or await asyncio.to_thread(figure_file, found)
                yield found.to_dict(), str(picture)
    except XfvError as problem:
        raise gr.Error(str(problem), print_exception=False) from problem


def figure_file(found: Explanation) -> Path:
    """The file of a figure."""
    return written({"maps.png": found.figure("png")})[0]


def models() -> list[dict[str, Any]]:
    """The networks there are: name, title, licence, whether calibrated, what explains them."""
    return [
        {
            "name": card.name,
            "title": card.title,
            "license": card.license,
            "calibrated": card.calibration is not None,
            "methods": list(verifier.methods_for(card.name, "api")),
        }
        for card in verifier.manifest.models.values()
    ]


def both(photo_a: Upload, photo_b: Upload) -> tuple[str | bytes, str | bytes]:
    """The photos; XfvError where one is missing."""
    if not (photo_a and photo_b):
        raise XfvError("Two photos are needed.")
    return photo_a, photo_b


def offered_detail(name: str) -> str:
    """The name; XfvError where it is no detail that visitors are offered."""
    if name not in OFFERED:
        raise XfvError(f"There is no detail {name!r} here; choose from {', '.join(OFFERED)}.")
    return name


def api() -> None:
    """The endpoints; nobody sees their widgets."""
    public = {"api_visibility": "public"}
    with gr.Column(visible=False):
        photos = [photo_widget(f"Photo {side}", f"api-photo-{side}") for side in "ab"]
        model = gr.Textbox("", label="model")
        method, point = gr.Textbox("occlusion", label="method"), gr.Textbox("balanced", label="at")
        detail = gr.Textbox(Occlusion.preset, label="detail")
        view = gr.Textbox(Occlusion.view, label="view")
        faces = [gr.Number(1, precision=0, label=f"face_{side}") for side in "ab"]
        threshold, prior = (MaybeNumber(None, label=name) for name in ("threshold", "prior"))
        said, picture = gr.JSON(), gr.Image(type="filepath", format="png")
        ask = gr.Button()
    verdicts, maps = {**VERDICTS, **public}, {**IN_TURN, **public}
    for_maps = [*photos, method, model, point, detail, *faces, view, threshold]
    for_verdict = [*photos, model, point, *faces, threshold, prior]
    ask.click(verify, for_verdict, said, api_name="verify", **verdicts)
    ask.click(explain, for_maps, [said, picture], api_name="explain", **maps)
    ask.click(models, None, said, api_name="models", **verdicts)
