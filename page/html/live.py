"""The live camera: the widget's frame, and what is said about one picture of it."""

from __future__ import annotations

from markupsafe import Markup

from page.html import macro
from page.html.legend import legend
from page.html.pictures import data_url
from xfv_core.live import LIVE_SECONDS, LiveFrame


def camera() -> Markup:
    """The place for the camera's picture and for what is said about it."""
    return macro("live", "camera", LIVE_SECONDS)


def reference(token: str) -> Markup:
    """The secret of a reference photo, for ``live.js`` to find."""
    return macro("live", "reference", token)


def camera_says(frame: LiveFrame) -> Markup:
    """Verdict, both faces under their patch maps, legend."""
    faces = (
        (data_url(frame.reference), "Reference face under its patch map"),
        (data_url(frame.camera), "Face in the camera under its patch map"),
    )
    return macro("live", "says", frame, faces, legend(frame.scale, frame.unit))


def camera_problem(message: str) -> Markup:
    """Why this picture gave no answer."""
    return macro("live", "problem", message)
