"""The photo widget: an upload, a data URL, and no other file or address."""

from __future__ import annotations

import base64
from pathlib import Path

import gradio as gr
from gradio.data_classes import ImageData

from page import FOLDER

Upload = str | bytes | None  # a file of ours, or the content of a data URL


class PhotoImage(gr.Image):
    """Gradio's image, with its content read by our own loader only.

    Gradio's preprocessing decodes whatever Pillow can, and fetches addresses; what is safe to
    decode, ``faces/images.py`` decides, and this server asks nobody for anything. To the browser
    it stays an "image", also after an event has made a new one of it.
    """

    is_template = True

    def preprocess(self, payload: ImageData | None) -> Upload:  # type: ignore[override]
        """The path of an upload or the bytes of a data URL; gr.Error for any other file."""
        return file_of(payload)

    async def async_move_resource_to_block_cache(self, path: str | Path | None) -> str | None:
        """As Gradio's; gr.Error for an address, which it would fetch."""
        if str(path).lower().startswith(("http:", "https:")):
            raise gr.Error("Upload the photo; addresses are not fetched.", print_exception=False)
        return await super().async_move_resource_to_block_cache(path)


def photo_widget(label: str, elem_id: str) -> PhotoImage:
    """Upload, camera or clipboard."""
    return PhotoImage(
        label=label,
        type="filepath",
        sources=["upload", "webcam", "clipboard"],
        webcam_options=gr.WebcamOptions(mirror=False),
        buttons=["fullscreen"],
        height="var(--photo-height)",
        elem_id=elem_id,
    )


def file_of(payload: ImageData | None) -> Upload:
    """The path of an upload, or the bytes of a data URL; no other file of this machine."""
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
