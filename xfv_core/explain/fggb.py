"""FGGB: which pixels move the embedding, weighted by what each of its channels says.

Lu, Xu, Ebrahimi, "Explainable Face Verification via Feature-Guided Gradient Backpropagation", FG
2024, arXiv 2403.04549. Per channel k of D:

    G_k = ∂f(A)_k/∂A      g_k = mean over RGB of |G_k|      ĝ_k = g_k/||g_k||₂
    w_k = f(A)_k f(B)_k   S_A = Σ_k ĝ_k (w_k - θ/D)

In float32 and through the L2 normalisation of f.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from xfv_core.explain.base import Method, Steps, Values
from xfv_core.explain.fast.pullback import Pullback, channel_margins, per_pixel, pullback
from xfv_core.explain.registry import register
from xfv_core.explain.views import view_option
from xfv_core.models.base import FaceModel

AT_ONCE = 16  # channels per photo
STREAMED = 16  # maps at most: each is shown, which would cost more than a channel or two


@register
@dataclass(frozen=True)
class FGGB(Method):
    """Evidence per pixel, > 0 where the channels that look there speak for θ; as raw values for a
    similarity above 0.

    All D channels, those of the largest |w_k - θ/D| first, so that early maps are close to final.
    """

    view: str = view_option()

    name = "fggb"
    title = "Gradients"
    about = (
        "For each of the network's features: which pixels it hangs on, weighted by how much it "
        "speaks for or against a match. Finer than occlusion, and noisier."
    )
    paper = "Lu et al. 2024, arXiv 2403.04549"
    place = 20
    needs = FaceModel
    unfit = "{model} gives no gradients; choose another method."
    raw = True
    cost = 2

    @property
    def unit(self) -> str:
        of = "similarity above the threshold" if self.view == "evidence" else "similarity"
        return f"{of}, by gradient"

    def maps(
        self, model: FaceModel, pair: Tensor, threshold: float, steps: Steps
    ) -> Iterator[Values]:
        """``steps`` is called after every 16 channels."""
        bar = threshold if self.view == "evidence" else 0.0
        photos = [pullback(model, x, AT_ONCE) for x in pair]
        margins, done, yielded = channel_margins(photos, bar), 0, 0  # (D,)
        maps = margins.new_zeros(2, *pair.shape[2:])
        for part in margins.abs().argsort(descending=True).split(AT_ONCE):
            channels = F.one_hot(part, len(margins)).to(margins.dtype)  # (k,D)
            maps = maps + torch.stack([_evidence(p, channels, margins[part]) for p in photos])
            done += len(part)
            steps(done / len(margins))
            if done < len(margins) and (done - yielded) * STREAMED < len(margins):
                continue
            yielded = done
            yield Values(
                maps.cpu().numpy(),
                passes=2 + 2 * done,
                details={"threshold": bar, "channels": done},
            )


def _evidence(photo: Pullback, channels: Tensor, margins: Tensor) -> Tensor:
    """Σ_k ĝ_k (w_k - θ/D) over the channels given as one-hot rows (K,D): (S,S)."""
    g = per_pixel(photo(channels))  # (K,S,S)
    lengths = g.flatten(1).norm(dim=1).clamp_min(torch.finfo(g.dtype).tiny)  # (K,)
    return (g * (margins / lengths)[:, None, None]).sum(0)
