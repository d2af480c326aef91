"""A map of nothing: what every method has to beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import zoom
from torch import Tensor

from xfv_core.explain.base import Method, Steps, Values
from xfv_core.explain.registry import register
from xfv_core.models.base import FaceEmbedder

FIELD = 7  # cells per side, interpolated between them


@register
@dataclass(frozen=True)
class RandomMap(Method):
    """Two smooth random fields, whatever the photos show."""

    seed: int = 0

    name = "random"
    title = "Random"
    about = "A smooth random field that looks at neither photo. What every method has to beat."
    offered = "study"
    place = 130
    unit = "random"

    def maps(
        self, model: FaceEmbedder, pair: Tensor, threshold: float, steps: Steps
    ) -> Iterator[Values]:
        fields = np.random.default_rng(self.seed).standard_normal((2, FIELD, FIELD))
        size = pair.shape[-1] / FIELD
        maps = np.stack([zoom(values, size, order=1) for values in fields])
        yield Values(maps.astype(np.float32))
