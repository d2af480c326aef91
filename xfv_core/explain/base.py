"""The seam every explanation method fits: values in, values out, no colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from xfv_core.models.base import FaceModel


@dataclass(frozen=True)
class Cost:
    """What a map cost: network passes (forward, backward: one each per image) and seconds."""

    passes: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Maps:
    """One signed map per photo, on the crop the network saw.

    ``a`` and ``b`` are float32 (H,W); > 0 marks what makes the pair similar, < 0 what makes it
    dissimilar, in the unit that ``unit`` names. A streaming method sets ``progress`` in (0,1];
    the last map it yields has ``progress == 1``.
    """

    a: NDArray[np.float32]
    b: NDArray[np.float32]
    method: str
    model: str
    cost: Cost
    unit: str = ""
    progress: float = 1.0
    details: Mapping[str, Any] = field(default_factory=dict)


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
