"""Grad-CAM on the similarity, by the package ``grad-cam``: a baseline, made as its users make it.

Selvaraju et al., *Grad-CAM*, ICCV 2017: channel c of the last convolutional maps X weighted by the
mean gradient of the target, α_c = mean_ij ∂s/∂X_cij, and CAM = max(Σ_c α_c X_c, 0). The target is
the cosine s to the other photo's embedding. The package stretches the maps over the whole photo,
also those of unpadded networks, whose outermost units lie inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import cast

from torch import Tensor, nn

from xfv_core.explain.base import Method, MethodError, Steps, Values
from xfv_core.explain.registry import register
from xfv_core.models.base import FaceModel, HasLastMaps, embed_all


class _Embedding(nn.Module):
    """The network as the package calls it."""

    def __init__(self, model: FaceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.embed(x)


@register
@dataclass(frozen=True)
class GradCAM(Method):
    """Rectified: similar only, nothing is ever < 0. Each map is in [0,1], scaled by the package
    from its least to its greatest value; ``threshold`` plays no part. MethodError without the
    package."""

    name = "gradcam"
    title = "Grad-CAM"
    about = (
        "The last convolutional maps, weighted by how much each moves the similarity. It shows "
        "what makes a pair similar, and nothing else."
    )
    paper = "Selvaraju et al. 2017, arXiv 1610.02391"
    offered = "study"
    place = 120
    needs = HasLastMaps
    unfit = "{model} has no convolutional maps; choose another method."
    unit = "share of the strongest"

    def __post_init__(self) -> None:
        super().__post_init__()
        if find_spec("pytorch_grad_cam") is None:
            raise MethodError("Grad-CAM needs its package: pip install grad-cam.")

    def maps(
        self, model: FaceModel, pair: Tensor, threshold: float, steps: Steps
    ) -> Iterator[Values]:
        from pytorch_grad_cam import GradCAM as Package

        others = embed_all(model, pair, fast=False).clone().flip(0)  # (2, D)
        targets = [lambda embedding, other=other: embedding @ other for other in others]
        package = Package(_Embedding(model), [cast(HasLastMaps, model).last_maps()])
        try:
            maps = package(pair.requires_grad_(), targets)  # (2, S, S)
        finally:
            package.activations_and_grads.release()
        yield Values(maps, passes=6)
