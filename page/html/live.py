"""The live camera: the widget's frame, and what is said about one picture of it."""

from __future__ import annotations

from html import escape

from page.html.pictures import data_url
from xfv_core.live import LIVE_SECONDS, LiveFrame
from xfv_core.overlay import legend_html

CAMERA = f"""<div class="xfv xfv-live" data-seconds="{LIVE_SECONDS}">
<div class="camera"><video muted playsinline aria-label="Your camera"></video>
<div class="controls"><button type="button">Start the camera</button>
<span class="rate" role="status"></span></div></div>
<div class="said" aria-live="off"><p class="basis">Choose a reference photo, then start the camera.
It stops by itself after {LIVE_SECONDS} seconds and when you leave this tab.</p></div></div>"""


def camera_says(frame: LiveFrame) -> str:
    """Verdict, both faces under their patch maps, legend."""
    verdict = frame.verdict
    faces = "".join(
        f'<div class="xfv-view"><img src="{data_url(pixels)}" alt="{alt}"></div>'
        for pixels, alt in (
            (frame.reference, "Reference face under its patch map"),
            (frame.camera, "Face in the camera under its patch map"),
        )
    )
    return (
        f'<p class="verdict">{verdict.words}</p><p class="sure">{verdict.certainty}</p>'
        f'<p class="basis">Similarity {verdict.similarity:.3f}, threshold {verdict.threshold:.3f}; '
        f"the sum of {escape(verdict.model)}'s patches.</p>"
        f'<div class="xfv-pair">{faces}</div>'
        f'<div class="xfv-legend">{legend_html(frame.scale, frame.unit)}</div>'
    )


def camera_problem(message: str) -> str:
    """Why this picture gave no answer."""
    return f'<p class="basis" role="alert">{escape(message)}</p>'
