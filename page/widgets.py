"""What the tabs share: the verifier, the lanes of the queue, the photo widget."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr
from gradio.data_classes import ImageData

from page import FOLDER
from page.server.zero import make_verifier
from xfv_core import XfvError

P = ParamSpec("P")
R = TypeVar("R")

VERDICTS: dict[str, Any] = {
    "concurrency_id": "verdict",
    "concurrency_limit": 2,
    "api_visibility": "private",
}
MAPS: dict[str, Any] = {
    "concurrency_id": "maps",
    "concurrency_limit": 1,
    "api_visibility": "private",
}
# in the queue, because a change of state is only noticed there
SILENT: dict[str, Any] = {
    "concurrency_limit": None,
    "show_progress": "hidden",
    "api_visibility": "private",
}

Upload = str | bytes | None  # a file of ours, or the content of a data URL

verifier = make_verifier()


def in_words(callback: Callable[P, R]) -> Callable[P, R]:
    """A problem that the visitor can act on is one sentence, and no stack trace in the log."""

    @wraps(callback)
    def said(*values: P.args, **named: P.kwargs) -> R:
        try:
            return callback(*values, **named)
        except XfvError as problem:
            raise gr.Error(str(problem), print_exception=False) from problem

    return said


def file_of(payload: ImageData | None) -> Upload:
    """The path of an upload, or the bytes of a data URL; no other file of this machine.

    It stands in for Gradio's own preprocessing, which decodes whatever Pillow can: what is safe to
    decode, our own loader decides.
    """
    if payload is None:
        return None
    if payload.url and payload.url.startswith("data:"):
        return data_of(payload.url)
    path = Path(payload.path or "").resolve()
    if not path.is_relative_to(Path(FOLDER.name).resolve()):
        raise gr.Error("Upload a photo; other files are not read.", print_exception=False)
    if not path.is_file():
        raise gr.Error("This photo is not here any more; upload it again.", print_exception=False)
    return str(path)


def data_of(url: str) -> bytes:
    """The bytes of a base64 data URL."""
    try:
        return base64.b64decode(url.partition(",")[2], validate=True)
    except ValueError as error:
        raise gr.Error("This data URL is damaged.", print_exception=False) from error


def photo_widget(label: str, elem_id: str) -> gr.Image:
    """Upload, camera or clipboard, its content read by our own loader only."""
    return gr.Image(
        label=label,
        type="filepath",
        sources=["upload", "webcam", "clipboard"],
        webcam_options=gr.WebcamOptions(mirror=False),
        buttons=["fullscreen"],
        height="var(--photo-height)",
        elem_id=elem_id,
    )


def _read_ours(_: gr.Image, payload: ImageData | None) -> Upload:
    return file_of(payload)


async def _fetch_nothing(widget: gr.Image, path: str | Path | None) -> str | None:
    """Gradio would fetch an address; this server asks nobody for anything."""
    if str(path).lower().startswith(("http:", "https:")):
        raise gr.Error("Upload the photo; addresses are not fetched.", print_exception=False)
    return await _inherited(widget, path)


# On the class: an event that updates a widget makes a new one of it for that visitor, and what was
# set on the old one would be gone.
_inherited = gr.Image.async_move_resource_to_block_cache
setattr(gr.Image, "preprocess", _read_ours)  # noqa: B010
setattr(gr.Image, "async_move_resource_to_block_cache", _fetch_nothing)  # noqa: B010
