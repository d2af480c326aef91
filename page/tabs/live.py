"""A camera held against a reference photo."""

from __future__ import annotations

from typing import Any

import gradio as gr

from page.html import LIVE_SCRIPT
from page.html.live import camera, camera_problem, camera_says, reading, reference
from page.photo import PhotoImage, Upload, data_of, photo_widget
from page.server.folder import written
from page.server.inputs import MISFIT, InputError
from page.server.limits import admit, visitor
from page.widgets import SILENT, VERDICTS, in_words, verifier
from xfv_core import XfvError
from xfv_core.faces import NoFaceError
from xfv_core.live import Live, LiveError, SeatsTakenError

LONGEST_FRAME = 4_000_000  # characters of a data URL

live = Live(verifier)


def live_reference(photo: Upload, request: gr.Request) -> str:
    """The reference face under a secret of its own, for the camera's frames to name."""
    if not photo:
        return ""
    try:
        admit(request, "verdict")
        token = live.open(photo, owner=visitor(request))
        return reference(token, live.face(token))
    except XfvError as problem:
        return camera_problem(str(problem))


def live_frame(request: Any) -> dict[str, Any]:
    """[secret, picture as data URL] -> what to show; or the state that the camera is in by now, and
    why. See ``live.js`` for the states."""
    match request:
        case [str(token), str(url)] if len(url) < LONGEST_FRAME:
            pass
        case _:
            return {"state": "stopped", "why": "This is not a picture of a camera."}
    try:
        return {"state": "comparing", **camera_says(live.frame(token, data_of(url)))}
    except SeatsTakenError as problem:
        return {"state": "full", "why": str(problem)}
    except LiveError as problem:
        return {"state": "stopped", "why": str(problem)}
    except NoFaceError:
        return {"state": "no-face", "why": "No face in the picture"}
    except XfvError as problem:
        return {"state": "no-face", "why": str(problem)}
    except gr.Error as problem:
        return {"state": "no-face", "why": problem.message}


@in_words
def still(photo: Upload, event: gr.EventData) -> list[Any]:
    """The reference and the frame that the camera's tab kept, as two photos; and their tab."""
    sent = event._data
    url = sent.get("frame") if isinstance(sent, dict) else None
    if not (photo and isinstance(url, str) and len(url) < LONGEST_FRAME):
        raise InputError(MISFIT)
    return [_file(photo), _file(data_of(url)), gr.Tabs(selected="photos")]


def _file(photo: str | bytes) -> str:
    """A photo as a file like an upload, that goes after the same minutes."""
    if isinstance(photo, str):
        return photo
    return str(written({"photo.jpg": photo})[0])


def live_camera(photos: tuple[PhotoImage, PhotoImage], tabs: gr.Tabs) -> None:
    """A reference photo and a camera that is held against it; ``photos``: of the tab where the best
    frame is compared like any other."""
    with gr.Row(elem_id="live"):
        with gr.Column(min_width=0, elem_id="live-stage"):
            seen = gr.HTML(
                html_template=camera(), js_on_load=LIVE_SCRIPT, server_functions=[live_frame]
            )
        with gr.Column(min_width=0, elem_id="live-side"):
            gr.HTML(reading())
            known = gr.HTML(elem_id="live-reference")
            photo = photo_widget("Reference photo", "photo-reference")
            change = gr.Button("Change the reference", size="sm", elem_id="change-reference")
    photo.change(live_reference, photo, known, **VERDICTS)
    change.click(None, None, photo, js="() => null", **SILENT)
    seen.select(still, photo, [*photos, tabs], **SILENT)
