"""xSSAB: which pixels move the channels that agree with the other photo, and which the others.

Huber et al., "Efficient Explainable Face Verification based on Similarity Score Argument
Backpropagation", WACV 2024, arXiv 2304.13409. f(B) is split into w⁺, where f(A)_k f(B)_k >= θ/D,
and w⁻, the rest:

    S_A = mean over RGB of |∂(w⁺·f(A))/∂A| - mean over RGB of |∂(w⁻·f(A))/∂A|

In float32 and through the L2 normalisation of f.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from xfv_core.explain.base import Method, Steps, Values
from xfv_core.explain.fast.pullback import channel_margins, per_pixel, pullback
from xfv_core.explain.registry import register
from xfv_core.explain.views import view_option
from xfv_core.models.base import FaceModel


@register
@dataclass(frozen=True)
class XSSAB(Method):
    """> 0 where a change of the pixel moves agreeing channels most; at once. Raw, a channel agrees
    from a product of 0, not of θ/D."""

    view: str = view_option()

    name = "xssab"
    title = "xSSAB"
    about = (
        "The other photo's features are split into those that agree and those that do not, and "
        "each half is followed back to the pixels that move it. Two gradients a photo, so quick."
    )
    paper = "Huber et al. 2024, arXiv 2304.13409"
    offered = "api"
    place = 30
    needs = FaceModel
    unfit = "{model} gives no gradients; choose another method."
    unit = "cosine per unit of pixel value"
    raw = True
    cost = 2

    def maps(
        self, model: FaceModel, pair: Tensor, threshold: float, steps: Steps
    ) -> Iterator[Values]:
        photos = [pullback(model, x, 2) for x in pair]
        bar = threshold if self.view == "evidence" else 0.0
        agree = channel_margins(photos, bar) >= 0  # (D,)
        halves = torch.stack([agree, ~agree])  # (2,D)
        gradients = [
            per_pixel(here(halves * there.embedding))  # (2,S,S) of w⁺ and w⁻
            for here, there in zip(photos, reversed(photos), strict=True)
        ]
        maps = torch.stack([plus - minus for plus, minus in gradients]).cpu().numpy()
        details = {"threshold": bar, "channels": int(agree.sum())}
        yield Values(maps, passes=6, details=details)
