"""The peers compute what ours compute, so that a race compares only speed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tests.evaluation.speed.test_bench import Small, photos
from xfv_core.evaluation.speed.peers import Pair, plain_xface
from xfv_core.explain.base import smooth
from xfv_core.explain.occlusion import Occlusion
from xfv_core.explain.xssab import XSSAB
from xfv_core.models.base import FaceModel


class Coarse(FaceModel):
    """112 px photos, of which it sees 8 x 8 means."""

    name, input_size, embedding_dim = "coarse", 112, 5

    def embed(self, x: Tensor) -> Tensor:
        means = functional.avg_pool2d(x - 0.4, 14).flatten(1)  # (B, 192)
        weights = torch.randn(192, 5, generator=torch.Generator().manual_seed(4))
        return functional.normalize(means @ weights, dim=1)


def test_xface_written_out_gives_the_maps_of_our_paper_preset() -> None:
    model, seen = Coarse(), []

    def embed(x: Tensor) -> Tensor:
        seen.append(len(x))
        return model.embed(x)

    plain = plain_xface(embed, photos(112))
    *_, ours = Occlusion(preset="paper", view="raw", bfloat16=False)(
        model, *photos(112), threshold=0.3
    )
    assert np.allclose(plain.a, ours.a, atol=1e-4) and np.allclose(plain.b, ours.b, atol=1e-4)
    assert sum(seen) == 2 + 2 * 1130


def test_maps_are_compared_as_they_are_shown() -> None:
    model, faces = Small(), photos()
    shown = Pair(model, faces, 0.3).maps("xssab")
    *_, gradients = XSSAB()(model, *faces, threshold=0.3)
    for ours, values in ((shown.a, gradients.a), (shown.b, gradients.b)):
        assert np.allclose(ours, smooth(values) * gradients.shown_px, rtol=1e-4)
        assert not np.allclose(ours, values * gradients.shown_px, rtol=0.1)
