"""The Space: python app.py serves the page.

Gradio reads settings when it is imported, and ``page`` makes them: nothing here imports it first.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from page.html import HEAD, STYLE
from page.server.gate import SERVING
from page.tabs.explorer import BUNDLED
from page.whole import THEME, build
from page.widgets import verifier
from xfv_core import XfvError
from xfv_core.weights.manifest import load_manifest

MAX_UPLOAD = "40mb"


def main(
    port: int = 7860,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets others in; cameras need HTTPS.")] = "",
    share: Annotated[bool, typer.Option(help="A public link for one week, open to all.")] = False,
    mcp: Annotated[bool, typer.Option(help="Also as MCP tools; needs gradio[mcp].")] = False,
    gallery: Annotated[
        list[str] | None, typer.Option(help="Folder, or OWNER/NAME on the Hub, for the Explorer.")
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="Another weights.json.")] = None,
) -> None:
    """Serve the page."""
    if manifest:
        try:
            verifier.use(load_manifest(manifest))
        except XfvError as problem:
            sys.exit(str(problem))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that the folder of uploads goes too
    verifier.model(verifier.manifest.default)
    page = build([BUNDLED, *(gallery or ())])
    try:
        page.launch(
            server_name=host or None,
            server_port=port,
            share=share,
            theme=THEME,
            css=STYLE,
            head=HEAD,
            max_file_size=MAX_UPLOAD,
            show_error=False,
            run_history=False,
            enable_monitoring=False,
            footer_links=["gradio"],
            ssr_mode=False,
            mcp_server=mcp,
            **SERVING,
        )
    finally:
        page.close(verbose=False)  # before the folder goes that answers are written into


if __name__ == "__main__":
    typer.run(main)
