"""What the zero of a map stands for: a pair at the threshold, or no effect."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xfv_core.explain.options import option

View = Literal["evidence", "raw"]
VIEWS = {
    "evidence": "evidence: zero is a pair at the threshold",
    "raw": "raw: zero is no effect on the similarity",
}
LEAST = 1e-9  # mean cost to a photo itself; below it the network sees nothing of these places


def view_option() -> Any:
    """The field ``view`` of a method that has both."""
    return option("evidence", "what the values are held against", VIEWS)


def against_the_bar(
    raw: NDArray[np.floating], own: NDArray[np.floating], margin: float
) -> NDArray[np.float64]:
    """Raw effects on the similarity as evidence, whose sum is ``margin``, S - θ: (…,n) each.

    ``raw``: what the similarity S of the pair loses without each place, ``own``: what the photo's
    likeness to itself loses. In a pair at the threshold θ the first is a share λ of the second on
    average, and on the same places. So, with sums over the n places,

        evidence = (raw - λ own) / Σ own        λ = Σ raw / Σ own - (S - θ)

    λ is the share that this pair would have at the threshold: what it has, less the margin. A photo
    against itself has raw = own, λ = θ and evidence (1 - θ) own / Σ own, nowhere below zero.
    Swapped photos swap their values. Zeros where the network sees nothing.
    """
    total = own.sum(-1, keepdims=True, dtype=np.float64)
    seen = total > LEAST * own.shape[-1]
    safe = np.where(seen, total, 1)
    share = raw.sum(-1, keepdims=True, dtype=np.float64) / safe - margin
    return np.where(seen, (raw - share * own) / safe, 0)
