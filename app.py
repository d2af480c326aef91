"""The Space: python app.py serves the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import gradio as gr
import typer

from page import (
    ASSETS,
    SCRIPTS,
    STYLE,
)  # before Gradio, which reads its settings when it is imported
from page.api import api
from page.camera import live_camera
from page.explorer import BUNDLED, explorer
from page.two_photos import two_photos
from page.widgets import KEEP_SECONDS, verifier
from xfv_core import render

TITLE = "xfv — face verification that explains itself"
THEME = gr.themes.Base(
    primary_hue="indigo",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
)
MAX_UPLOAD = "40mb"


def build(galleries: Sequence[str] = (BUNDLED,)) -> gr.Blocks:
    """The page. ``galleries``: folders or data sets on the Hub that the Explorer offers."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(60, KEEP_SECONDS)) as blocks:
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
        gr.HTML(render.LIMITS)
    return blocks.queue(default_concurrency_limit=2, max_size=32)


def main(
    port: int = 7860,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets others in; cameras need HTTPS.")] = "",
    share: Annotated[bool, typer.Option(help="A public link for one week, open to all.")] = False,
    mcp: Annotated[bool, typer.Option(help="Also as MCP tools; needs gradio[mcp].")] = False,
    gallery: Annotated[
        list[str] | None, typer.Option(help="Folder, or OWNER/NAME on the Hub, for the Explorer.")
    ] = None,
) -> None:
    """Serve the page."""
    verifier.model(verifier.manifest.default)
    build([BUNDLED, *(gallery or ())]).launch(
        server_name=host or None,
        server_port=port,
        share=share,
        theme=THEME,
        css=STYLE,
        js=f"() => {{ {' '.join(f'({script})();' for script in SCRIPTS)} }}",
        max_file_size=MAX_UPLOAD,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=["gradio"],
        ssr_mode=False,
        mcp_server=mcp,
    )


if __name__ == "__main__":
    typer.run(main)
