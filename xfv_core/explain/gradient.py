"""Gradient maps: which pixels move the embedding, weighted by what each of its channels says.

FGGB   Lu, Xu, Ebrahimi, "Explainable Face Verification via Feature-Guided Gradient
       Backpropagation", FG 2024, arXiv 2403.04549. Per channel k of D:
           G_k = ∂f(A)_k/∂A      g_k = mean over RGB of |G_k|      ĝ_k = g_k/||g_k||₂
           w_k = f(A)_k f(B)_k   S_A = Σ_k ĝ_k (w_k - θ/D)
xSSAB  Huber et al., WACV 2024, arXiv 2304.13409: f(B) split into w⁺, where w_k >= θ/D, and w⁻;
           S_A = mean over RGB of |∂(w⁺·f(A))/∂A| - mean over RGB of |∂(w⁻·f(A))/∂A|

Both in float32 and through the L2 normalisation of f. Maps hold the raw values, which is what
metrics rank; ``Maps.raw`` says so, and ``Maps.drawn`` smooths them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from xfv_core.explain.base import Cost, Maps
from xfv_core.explain.fast.pullback import Pullback, pullback
from xfv_core.models.base import FaceModel

AT_ONCE = 16  # channels per photo
STREAMED = 16  # maps at most: each is drawn, which would cost more than a channel or two
Steps = Callable[[float], None]


@dataclass(frozen=True)
class FGGB:
    """An ``Explainer``: evidence per pixel, > 0 where the channels that look there speak for θ.

    All D channels, those of the largest |w_k - θ/D| first, so that early maps are close to final.
    """

    def __call__(
        self,
        model: FaceModel,
        a: Tensor,
        b: Tensor,
        *,
        threshold: float,
        steps: Steps | None = None,
    ) -> Iterator[Maps]:
        """Maps of ``a`` and ``b``, (3,S,S) RGB in [0,1], ever finer.

        ``steps`` hears the finished share after every 16 channels and may raise to stop the work.
        """
        began, seconds, done, shown = perf_counter(), 0.0, 0, 0
        photos = [pullback(model, x, AT_ONCE) for x in (a, b)]
        weights = _channel_weights(photos, threshold)  # (D,)
        maps = weights.new_zeros(2, *a.shape[1:])
        for part in weights.abs().argsort(descending=True).split(AT_ONCE):
            channels = F.one_hot(part, len(weights)).to(weights.dtype)  # (k,D)
            maps = maps + torch.stack([_evidence(p, channels, weights[part]) for p in photos])
            done += len(part)
            if steps:
                steps(done / len(weights))
            if done < len(weights) and (done - shown) * STREAMED < len(weights):
                continue
            shown = done
            seconds += perf_counter() - began
            values = maps.cpu().numpy()
            yield Maps(
                a=values[0],
                b=values[1],
                method="fggb",
                model=model.name,
                cost=Cost(passes=2 + 2 * done, seconds=seconds),
                unit="similarity above the threshold, by gradient",
                progress=done / len(weights),
                raw=True,
                details={"threshold": threshold, "channels": done},
            )
            began = perf_counter()  # what the caller did with that map is not our cost


@dataclass(frozen=True)
class XSSAB:
    """An ``Explainer``: > 0 where a change of the pixel moves agreeing channels most."""

    def __call__(
        self,
        model: FaceModel,
        a: Tensor,
        b: Tensor,
        *,
        threshold: float,
        steps: Steps | None = None,
    ) -> Iterator[Maps]:
        """The maps of ``a`` and ``b``, (3,S,S) RGB in [0,1], at once."""
        began = perf_counter()
        photos = [pullback(model, x, 2) for x in (a, b)]
        agree = _channel_weights(photos, threshold) >= 0  # (D,)
        halves = torch.stack([agree, ~agree])  # (2,D)
        gradients = [
            _per_pixel(here(halves * there.embedding))  # (2,S,S) of w⁺ and w⁻
            for here, there in zip(photos, reversed(photos), strict=True)
        ]
        maps = torch.stack([plus - minus for plus, minus in gradients]).cpu().numpy()
        seconds = perf_counter() - began
        if steps:
            steps(1.0)
        yield Maps(
            a=maps[0],
            b=maps[1],
            method="xssab",
            model=model.name,
            cost=Cost(passes=6, seconds=seconds),
            unit="cosine per unit of pixel value",
            raw=True,
            details={"threshold": threshold, "channels": int(agree.sum())},
        )


def _channel_weights(photos: list[Pullback], threshold: float) -> Tensor:
    """w_k - θ/D, (D,): its sum is s - θ."""
    product = photos[0].embedding * photos[1].embedding
    return product - threshold / len(product)


def _evidence(photo: Pullback, channels: Tensor, weights: Tensor) -> Tensor:
    """Σ_k ĝ_k (w_k - θ/D) over the channels given as one-hot rows (K,D): (S,S)."""
    g = _per_pixel(photo(channels))  # (K,S,S)
    lengths = g.flatten(1).norm(dim=1).clamp_min(torch.finfo(g.dtype).tiny)  # (K,)
    return (g * (weights / lengths)[:, None, None]).sum(0)


def _per_pixel(gradients: Tensor) -> Tensor:
    """(K,3,S,S) -> (K,S,S): mean over RGB of the magnitudes."""
    return gradients.abs().mean(1)
