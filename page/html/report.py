"""A report to keep: one HTML file with everything inside it, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import numpy as np
from markupsafe import Markup
from PIL import Image

from page.html import REPORT_STYLE, SCRIPTS, STYLE, filled
from page.html.answer import answer
from page.html.examiner import examiner
from page.html.maps import maps
from page.html.pictures import data_url
from page.html.regions import regions
from page.html.words import about, limits
from xfv_core import __version__
from xfv_core.confidence import Calibration
from xfv_core.explain import method_named
from xfv_core.overlay import encode
from xfv_core.record import record
from xfv_core.results import Explanation
from xfv_core.weights.manifest import ModelCard

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True)
class Section:
    """One method's part of the report."""

    title: str
    about: str
    maps: Markup


def report(
    explanations: Sequence[Explanation],
    card: ModelCard,
    calibration: Calibration | None,
    made: datetime,
    files: Sequence[bytes],
    prior: float = 0.5,
) -> Markup:
    """The verdict of the first explanation, then every explanation in full, then the record.

    ``card``, ``calibration``: of the first one's model. ``files``: both photos as they came. A
    policy inside the file forbids it to fetch anything. ``prior``: the reader's own, in (0,1).
    """
    first = explanations[0]
    kept = record(first.verdict, first.portraits, card, files, __version__, prior)
    return filled(
        "report",
        first=first,
        card=card,
        policy=POLICY,
        style=STYLE + REPORT_STYLE,
        scripts=SCRIPTS,
        made=f"{made:%Y-%m-%d %H:%M %Z}",
        version=__version__,
        photos=[
            (data_url(portrait.shown_photo()[0]), f"{which} photo")
            for portrait, which in zip(first.portraits, ("First", "Second"), strict=True)
        ],
        answer=answer(first.verdict, card, calibration, prior=prior),
        examiner=examiner(first, calibration, kept),
        regions=regions(explanations),
        sections=[_section(explanation) for explanation in explanations],
        others=sorted({e.maps.model for e in explanations} - {card.name}),
        limits=limits(card),
    )


def _section(explanation: Explanation) -> Section:
    method = method_named(explanation.maps.method)
    return Section(method.title, about(method), maps(explanation))


def all_in_one(explanations: Sequence[Explanation]) -> bytes:
    """The figures of several explanations below each other, as a PNG."""
    sheets = [Image.open(BytesIO(each.figure("png"))) for each in explanations]
    width = max(sheet.width for sheet in sheets)
    whole = Image.new("RGB", (width, sum(sheet.height for sheet in sheets)), "white")
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return encode(np.asarray(whole), "png")
