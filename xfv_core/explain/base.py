"""The seam every explanation method fits: values in, values out, no colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from xfv_core.models.base import FaceModel

SIDE = 112  # px; what the widths below are stated at
SMOOTH_SIGMA, SMOOTH_RADIUS = 5.0, 12  # px at SIDE; the 25x25 Gaussian of FGGB's public code


@dataclass(frozen=True)
class Cost:
    """What a map cost: network passes (forward, backward: one each per image) and seconds.

    A pass counts as one even where most of it was reused from another.
    """

    passes: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Maps:
    """One signed map per photo, on the crop the network saw.

    ``a`` and ``b`` are float32 (H,W); > 0 marks what makes the pair similar, < 0 what makes it
    dissimilar, in the unit that ``unit`` names. A streaming method sets ``progress`` in (0,1];
    the last map it yields has ``progress == 1``. ``raw``: gradients, to be smoothed where they are
    shown; ``shown_px``: the pixels whose sum is shown as one value (1: the values themselves).
    """

    a: NDArray[np.float32]
    b: NDArray[np.float32]
    method: str
    model: str
    cost: Cost
    unit: str = ""
    progress: float = 1.0
    raw: bool = False
    shown_px: int = 1
    details: Mapping[str, Any] = field(default_factory=dict)

    def drawn(self) -> Maps:
        """The maps as they are shown; metrics judge the values themselves."""
        a, b = (smooth(values) if self.raw else values for values in (self.a, self.b))
        return replace(self, a=a * self.shown_px, b=b * self.shown_px)


def smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A raw map (H,W) as it is shown: Gaussian of σ 5 px at H = 112, mirrored at the border."""
    scale = values.shape[0] / SIDE
    radius = max(1, round(SMOOTH_RADIUS * scale))
    return gaussian_filter(values, SMOOTH_SIGMA * scale, mode="mirror", radius=radius)


class Explainer(Protocol):
    """A method. Yields ever better maps of one pair; the last one is final."""

    def __call__(
        self,
        model: FaceModel,
        a: Tensor,
        b: Tensor,
        *,
        threshold: float,
        steps: Callable[[float], None] | None = None,
    ) -> Iterator[Maps]:
        """``a``, ``b``: (3,S,S) RGB in [0,1]; ``threshold``: θ on the cosine similarity."""
        ...


def distance(u: Tensor, v: Tensor) -> Tensor:
    """1 - u·v of unit vectors, as |u - v|²/2: exactly 0 for equal ones, never below."""
    return (u - v).square().sum(-1) / 2
