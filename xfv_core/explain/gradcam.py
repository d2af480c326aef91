"""Grad-CAM on the similarity, by the package ``grad-cam``: a baseline, made as its users make it.

Selvaraju et al., *Grad-CAM*, ICCV 2017: channel c of the last convolutional maps X weighted by the
mean gradient of the target, α_c = mean_ij ∂s/∂X_cij, and CAM = max(Σ_c α_c X_c, 0). The target is
the cosine s to the other photo's embedding. The package stretches the maps over the whole photo,
also those of unpadded networks, whose outermost units lie inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from time import perf_counter

import torch
from torch import Tensor, nn

from xfv_core.errors import XfvError
from xfv_core.explain.base import Cost, Maps
from xfv_core.models.base import FaceModel, embed_all


class GradCAMError(XfvError):
    """Grad-CAM cannot be made here."""


class _Embedding(nn.Module):
    """The network as the package calls it."""

    def __init__(self, model: FaceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.embed(x)


@dataclass(frozen=True)
class GradCAM:
    """An ``Explainer``, rectified: similar only, nothing is ever < 0. Each map is in [0,1], scaled
    by the package from its least to its greatest value. GradCAMError without the package."""

    def __post_init__(self) -> None:
        if find_spec("pytorch_grad_cam") is None:
            raise GradCAMError("Grad-CAM needs its package: pip install grad-cam.")

    def __call__(
        self,
        model: FaceModel,
        a: Tensor,
        b: Tensor,
        *,
        threshold: float,
        steps: Callable[[float], None] | None = None,
    ) -> Iterator[Maps]:
        """The maps of ``a`` and ``b``, (3,S,S) RGB in [0,1], at once; ``threshold`` unused.

        Raises GradCAMError for a network without convolutional maps.
        """
        from pytorch_grad_cam import GradCAM as Package

        layer = model.last_maps()
        if layer is None:
            raise GradCAMError(f"{model.name} has no convolutional maps; choose another method.")
        began = perf_counter()
        photos = torch.stack([a, b])
        others = embed_all(model, photos, fast=False).clone().flip(0)  # (2, D)
        targets = [lambda embedding, other=other: embedding @ other for other in others]
        package = Package(_Embedding(model), [layer])
        try:
            maps = package(photos.requires_grad_(), targets)  # (2, S, S)
        finally:
            package.activations_and_grads.release()
        if steps:
            steps(1.0)
        yield Maps(
            a=maps[0],
            b=maps[1],
            method="gradcam",
            model=model.name,
            cost=Cost(passes=6, seconds=perf_counter() - began),
            unit="share of the strongest",
        )
