"""One face as a network sees it: its embedding and its measures, from one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xfv_core.confidence.cohort import Cohort
from xfv_core.confidence.measures import TEMPLATE_SIDE, Measures
from xfv_core.faces import align
from xfv_core.models import FaceEmbedder, embed_all
from xfv_core.models.base import HasRaw, raw_all
from xfv_core.results import Portrait

Looked = tuple[NDArray[np.float32], Measures | None]


def look(portrait: Portrait, network: FaceEmbedder, cohort: Cohort | None) -> Looked:
    """The unit embedding (D,), and the measures where there is a cohort to take them with."""
    x = portrait.tensor()[None]
    if cohort is None or not isinstance(network, HasRaw):
        return embed_all(network, x, fast=False)[0].cpu().numpy(), None
    raw = raw_all(network, x, fast=False).cpu().numpy()  # (1, D)
    measures = cohort.measure(raw, _template(portrait)[None]).row(0)
    return raw[0] / np.linalg.norm(raw[0]), measures


def _template(portrait: Portrait) -> NDArray[np.uint8]:
    """The face on the five-point template, whatever crop the network takes."""
    face = portrait.faces[portrait.chosen]
    return align(portrait.photo.pixels, face.landmarks, TEMPLATE_SIDE).pixels
