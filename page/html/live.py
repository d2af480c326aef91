"""The live camera: the widget's frame, and what is said about one picture of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from page.html import macro
from page.html.legend import legend
from page.html.pictures import data_url
from xfv_core.live import LIVE_SECONDS, LiveFrame

WINDOW = 20  # seconds that the chart shows
SPAN = 2  # seconds whose range is the band


def camera() -> Markup:
    """The place for the camera's picture, and its buttons."""
    return macro("live", "camera", LIVE_SECONDS)


def reading() -> Markup:
    """The place for what is said about a frame, and the chart of P(same person)."""
    return macro("live", "reading", WINDOW, SPAN)


def reference(token: str, face: NDArray[np.uint8]) -> Markup:
    """A reference face (S,S,3), and its secret for ``live.js`` to find."""
    return macro("live", "reference", token, data_url(face))


def camera_says(frame: LiveFrame) -> dict[str, Any]:
    """What ``live.js`` shows of one frame.

    ``said`` and ``reference`` are HTML; ``p`` is P(same person), None without calibration; ``face``
    is the compared face under its map and ``place`` where it lies, as a canvas transform a … f;
    ``others``: boxes of the faces that were not compared, in pixels of the frame.
    """
    boxes = [found.box for found in frame.verdict.found[1]]
    chosen = frame.verdict.faces[1]
    return {
        "said": macro("live", "says", frame),
        "reference": macro(
            "live", "held", data_url(frame.reference), legend(frame.scale, frame.unit)
        ),
        "words": frame.verdict.words,
        "p": frame.verdict.probability_same,
        "quality": frame.quality,
        "face": data_url(frame.camera),
        "place": frame.place.T.ravel().tolist(),
        "others": [box for i, box in enumerate(boxes) if i != chosen],
    }


def camera_problem(message: str) -> Markup:
    """Why this reference photo is of no use."""
    return macro("live", "problem", message)
