"""A camera held against a reference photo."""

from __future__ import annotations

from typing import Any

import gradio as gr

from page.html import LIVE_SCRIPT
from page.html.live import camera, camera_problem, camera_says, reference
from page.photo import Upload, data_of, photo_widget
from page.server.limits import admit, visitor
from page.widgets import VERDICTS, verifier
from xfv_core import XfvError
from xfv_core.live import Live, LiveError

live = Live(verifier)


def live_reference(photo: Upload, request: gr.Request) -> str:
    """The reference face under a secret of its own, for the camera's frames to name."""
    if not photo:
        return ""
    try:
        admit(request, "verdict")
        return reference(live.open(photo, owner=visitor(request)))
    except XfvError as problem:
        return camera_problem(str(problem))


def live_frame(request: Any) -> dict[str, str]:
    """[secret, picture as data URL] -> what to show, or why to stop."""
    match request:
        case [str(token), str(url)] if len(url) < 4_000_000:
            pass
        case _:
            return {"stop": "This is not a picture of a camera."}
    try:
        return {"html": camera_says(live.frame(token, data_of(url)))}
    except LiveError as problem:
        return {"stop": str(problem)}
    except XfvError as problem:
        return {"html": camera_problem(str(problem))}
    except gr.Error as problem:
        return {"html": camera_problem(problem.message)}


def live_camera() -> None:
    """A reference photo and a camera that is held against it."""
    with gr.Row(elem_id="live"):
        with gr.Column(min_width=240, scale=2):
            photo = photo_widget("Reference photo", "photo-reference")
            known = gr.HTML(elem_id="live-reference")
        with gr.Column(min_width=300, scale=5):
            gr.HTML(
                html_template=camera(),
                js_on_load=LIVE_SCRIPT,
                server_functions=[live_frame],
            )
    photo.change(live_reference, photo, known, **VERDICTS)
