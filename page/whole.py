"""The whole page: its tabs and its looks."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from page.api import api
from page.html import FOLDER
from page.html.models import models
from page.html.words import header, limits
from page.server.folder import KEEP_SECONDS, SWEEP_SECONDS
from page.server.gradio_patches import patch_gradio, patch_queue
from page.server.inputs import Page
from page.tabs.explorer import BUNDLED, explorer, readable
from page.tabs.live import live_camera
from page.tabs.two_photos import two_photos
from page.widgets import verifier

TITLE = "xfv — face verification that explains itself"
THEME = gr.themes.Base(
    primary_hue="indigo",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
)


def build(galleries: Sequence[str] = (BUNDLED,)) -> gr.Blocks:
    """The page. ``galleries``: folders or data sets on the Hub that the Explorer offers."""
    patch_gradio()
    swept = (SWEEP_SECONDS, KEEP_SECONDS)
    with Page(title=TITLE, analytics_enabled=False, delete_cache=swept) as blocks:
        api()  # first, so that its endpoints get the names they ask for
        gr.HTML(header())
        with gr.Tabs(elem_id="jobs") as tabs:
            with gr.Tab("Two photos", id="photos"):
                photos = two_photos(blocks)
            if verifier.models_for("patches"):
                with gr.Tab("Live camera"):
                    live_camera(photos, tabs)
            if sources := readable(galleries):
                with gr.Tab("Explorer"):
                    explorer(sources)
            with gr.Tab("Models"):
                gr.HTML(models(verifier.manifest, atlases()))
        gr.HTML(limits(verifier.manifest.card(verifier.manifest.default)))
    blocks.queue(default_concurrency_limit=2, max_size=32)
    patch_queue(blocks)
    return blocks


def atlases() -> dict[str, bytes]:
    """By model, a picture of what its channels find, where one was made."""
    files = {name: FOLDER / f"atlas_{name}.png" for name in verifier.models_for("parts")}
    return {name: file.read_bytes() for name, file in files.items() if file.exists()}
