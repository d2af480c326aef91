"""For programs and agents: verify, explain and models, as HTTP endpoints and as MCP tools.

Names, parameters and the keys of the answers stay as they are within a major version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr

from page.photo import Upload, photo_widget
from page.server.folder import new_folder
from page.server.limits import admit, admit_maps
from page.widgets import MAPS, VERDICTS, in_words, verifier
from xfv_core import XfvError
from xfv_core.explain.masks import OFFERED
from xfv_core.explain.occlusion import Occlusion

METHODS = ("occlusion", "fggb", "xssab", "patches", "parts")


@in_words
def verify(
    photo_a: Upload, photo_b: Upload, model: str, point: str, request: gr.Request
) -> dict[str, Any]:
    """Do two photos show the same person? The verdict and its calibrated probability.

    Args:
        photo_a: a photo with a face; of several the largest is taken.
        photo_b: another one.
        model: a name that the tool models gives, or empty for the default.
        point: the rule: balanced, best_accuracy, eer, fmr_1e-2 or fmr_1e-3.

    Returns:
        same (bool), similarity (cosine), threshold, probability_same (at equal odds), confidence
        (null where rule and probability disagree), notes and more.
    """
    admit(request, "verdict")
    pair = both(photo_a, photo_b)
    return asdict(verifier.verify(*pair, model=model or None, operating_point=point))


@in_words
def explain(
    photo_a: Upload,
    photo_b: Upload,
    method: str,
    model: str,
    point: str,
    detail: str,
    request: gr.Request,
) -> tuple[dict[str, Any], str]:
    """Why do two photos look alike to the network, or not? Maps, in words and as a picture.

    Args:
        photo_a: a photo with a face; of several the largest is taken.
        photo_b: another one.
        method: occlusion, fggb (gradients), xssab, patches or parts.
        model: a name that the tool models gives, or empty for the method's own network.
        point: the rule: balanced, best_accuracy, eer, fmr_1e-2 or fmr_1e-3.
        detail: of occlusion maps: fast, standard or paper.

    Returns:
        The verdict, a sentence, the fidelity of the maps against chance and their values (rows of
        numbers, above 0 similar, below 0 dissimilar); and a PNG of both photos under their maps.
    """
    occluded = one_of(METHODS, method) == "occlusion"
    options = {"preset": one_of(OFFERED, detail)} if occluded else {}
    admit_maps(request, method, detail)
    found = verifier.explained(
        *both(photo_a, photo_b), model=model or None, operating_point=point,
        method=method, **options,
    )  # fmt: skip
    picture = new_folder() / "maps.png"
    picture.write_bytes(found.figure("png"))
    return found.to_dict(), str(picture)


def models() -> list[dict[str, Any]]:
    """The networks there are: name, title, licence, whether calibrated, what explains them."""
    return [
        {
            "name": card.name,
            "title": card.title,
            "license": card.license,
            "calibrated": card.calibration is not None,
            "methods": [method for method in METHODS if card.name in verifier.models_for(method)],
        }
        for card in verifier.manifest.models.values()
    ]


def both(photo_a: Upload, photo_b: Upload) -> tuple[str | bytes, str | bytes]:
    """The photos; XfvError where one is missing."""
    if not (photo_a and photo_b):
        raise XfvError("Two photos are needed.")
    return photo_a, photo_b


def one_of(names: Sequence[str], name: str) -> str:
    """The name; XfvError where it is none of those, as baselines are none of the methods."""
    if name not in names:
        raise XfvError(f"There is no {name!r} here; choose from {', '.join(names)}.")
    return name


def api() -> None:
    """The endpoints; nobody sees their widgets."""
    public = {"api_visibility": "public"}
    with gr.Column(visible=False):
        photos = [photo_widget(f"Photo {side}", f"api-photo-{side}") for side in "ab"]
        model = gr.Textbox("", label="model")
        method, point = gr.Textbox("occlusion", label="method"), gr.Textbox("balanced", label="at")
        detail = gr.Textbox(Occlusion.preset, label="detail")
        said, picture = gr.JSON(), gr.Image(type="filepath", format="png")
        ask = gr.Button()
    ask.click(verify, [*photos, model, point], said, api_name="verify", **{**VERDICTS, **public})
    ask.click(explain, [*photos, method, model, point, detail], [said, picture], api_name="explain",
              **{**MAPS, **public})  # fmt: skip
    ask.click(models, None, said, api_name="models", **{**VERDICTS, **public})
