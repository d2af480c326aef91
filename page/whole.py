"""The whole page: its tabs and its looks."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from page import ASSETS
from page import html as render
from page.api import api
from page.server.folder import KEEP_SECONDS, SWEEP_SECONDS
from page.server.gradio_patches import patch_gradio, patch_queue
from page.server.inputs import Page
from page.tabs.explorer import BUNDLED, explorer
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
        gr.HTML(render.HEADER)
        with gr.Tabs(elem_id="jobs"):
            with gr.Tab("Two photos"):
                two_photos(blocks)
            with gr.Tab("Live camera"):
                live_camera()
            with gr.Tab("Explorer"):
                explorer(galleries)
            with gr.Tab("Models"):
                atlases = {
                    name: (ASSETS / f"atlas_{name}.png").read_bytes()
                    for name in verifier.models_for("parts")
                }
                gr.HTML(render.models(verifier.manifest, atlases))
        gr.HTML(render.limits(verifier.manifest.card(verifier.manifest.default)))
    blocks.queue(default_concurrency_limit=2, max_size=32)
    patch_queue(blocks)
    return blocks
