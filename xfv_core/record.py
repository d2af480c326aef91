"""A comparison on record: everything that an examiner would ask about, as plain data.

The likelihood ratio answers how much likelier the similarity is under one proposition than under
the other; what an examiner makes of it depends on the prior and on other evidence (ENFSI guideline
for evaluative reporting, 2015).
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from xfv_core.confidence.measures import MEASURES
from xfv_core.results import Pair, Portrait, Verdict
from xfv_core.weights.manifest import ModelCard

PROPOSITIONS = (
    "Both photos show the same person.",
    "The photos show two people, drawn from the people whose photos the calibration was fitted to.",
)
PRIORS = (0.5, 0.1, 0.01, 0.001)
LIMITS = (
    "Twins, siblings and other look-alikes cannot be told apart; they were not measured.",
    "Photos of children were not among those that the probability was fitted to.",
    "No check was made whether a photo shows a living person, a mask, a screen or a made-up face.",
    "Maps show what moved this network's number; they add nothing to the likelihood ratio.",
)


def record(
    verdict: Verdict,
    pair: Pair,
    card: ModelCard,
    files: Sequence[bytes],
    version: str,
    prior: float = 0.5,
) -> dict[str, Any]:
    """``files``: the two photos as they were handed in; ``prior``: the reader's own, in (0,1).

    JSON takes what comes back.
    """
    return {
        "propositions": list(PROPOSITIONS),
        "population": _population(card),
        "verdict": asdict(verdict),
        "prior": prior,
        "probability_at_priors": {str(p): verdict.at_prior(p) for p in _priors(prior)},
        "photos": [
            _photo(portrait, file, verdict, side)
            for side, (portrait, file) in enumerate(zip(pair, files, strict=True))
        ],
        "network": {
            "name": card.name,
            "title": card.title,
            "sha256": card.sha256,
            "revision": card.hub.revision if card.hub else None,
            "trained_on": card.trained_on,
        },
        "rule": _rule(verdict, card),
        "made_with": {
            "xfv": version,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "processor": platform.machine(),
            "arithmetic": "float32 for the verdict; maps may use bfloat16",
            "seeds": "none in the verdict; 0 in maps and their judges",
        },
        "limits": list(LIMITS),
    }


def _priors(own: float) -> list[float]:
    return sorted({*PRIORS, own}, reverse=True)


def _population(card: ModelCard) -> str:
    calibration = card.calibration
    if calibration is None:
        return "none: this network was not calibrated"
    if calibration.conditional is None:
        return f"{calibration.dataset}, {calibration.protocol}"
    return f"{calibration.dataset} and more, {calibration.conditional.protocol}"


def _photo(portrait: Portrait, file: bytes, verdict: Verdict, side: int) -> dict[str, Any]:
    face = portrait.faces[portrait.chosen]
    eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    measures = asdict(verdict.measures[side]) if verdict.measures else {}
    return {
        "sha256": hashlib.sha256(file).hexdigest(),
        "bytes": len(file),
        "pixels": list(portrait.photo.pixels.shape[1::-1]),
        "face": portrait.chosen + 1,
        "faces_found": len(portrait.faces),
        "box": [round(edge, 1) for edge in face.box.tolist()],
        "eye_distance_px": round(eyes, 1),
        "detector_probability": face.probability,
        "measures": {
            name: {"value": value, "unit": MEASURES[name].unit, "iso": MEASURES[name].component}
            for name, value in measures.items()
        },
        "notes": list(portrait.notes),
    }


def _rule(verdict: Verdict, card: ModelCard) -> dict[str, Any]:
    """The rule that decided, and its error rates by population."""
    curve = card.calibration.conditional if card.calibration else None
    known = curve.rates(verdict.operating_point) if curve else {}
    rates = {name: asdict(each) for name, each in known.items()}
    return {"name": verdict.operating_point, "threshold": verdict.threshold, "rates": rates}
