"""The part of a report that an examiner reads: propositions, likelihood ratio, files, limits."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from page.html import filled
from page.html.pictures import data_url
from xfv_core.confidence import Calibration
from xfv_core.confidence.measures import MEASURES
from xfv_core.confidence.verdicts import likelihood_ratio
from xfv_core.results import Explanation

PLAIN = {
    "sha256": "sha256 of the file", "bytes": "bytes", "pixels": "width and height, px",
    "face": "face compared, 1 the largest", "faces_found": "faces found",
    "box": "box of the face, px", "eye_distance_px": "distance of the eyes, px",
    "detector_probability": "detector's probability of a face",
}  # fmt: skip


def examiner(
    explanation: Explanation, calibration: Calibration | None, record: dict[str, Any]
) -> Markup:
    """``record``: as ``xfv_core.record`` makes it; it also lies in the page as JSON."""
    verdict, photos = explanation.verdict, record["photos"]
    rows = [(words, [_plain(photo[key]) for photo in photos]) for key, words in PLAIN.items()]
    for name in photos[0]["measures"]:
        measure, found = MEASURES[name], [photo["measures"][name]["value"] for photo in photos]
        iso = f", ISO/IEC 29794-5 {measure.component}" if measure.component else ""
        rows.append((f"{measure.title}, {measure.unit}{iso}", [f"{value:.3f}" for value in found]))
    alone = None
    if calibration and calibration.conditional:
        alone = likelihood_ratio(float(calibration.probability(verdict.similarity)))[0]
    return filled(
        "examiner",
        record=record,
        rows=rows,
        lr=verdict.likelihood_ratio,
        log10_lr=verdict.log10_lr,
        bound=verdict.lr_bound,
        alternative=alone,
        dataset=calibration.dataset if calibration else "",
        crops=[data_url(portrait.crop.pixels) for portrait in explanation.portraits],
        json=Markup(_safe_json(record)),
    )


def _safe_json(record: dict[str, Any]) -> str:
    """JSON that no text in it can end as a script: ``<``, ``>`` and ``&`` are written as codes."""
    text = json.dumps(record)
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"})


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " x ".join(str(each) for each in value) if len(value) == 2 else str(value)[1:-1]
    return f"{value:.4g}" if isinstance(value, float) else str(value)
