"""Grad-CAM of the package on a network whose maps and gradients are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1
from torch import Tensor, nn

from xfv_core.errors import XfvError
from xfv_core.explain import gradcam, make_method
from xfv_core.models import load_model
from xfv_core.models.base import FaceModel
from xfv_core.models.facenet import FaceNet

SIDE = 8


class Flat(FaceModel):
    """The embedding is the photo's mean colour; which part still has places, it does not say."""

    name, input_size, embedding_dim = "colours", SIDE, 3

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 3, 1, bias=False)
        self.look.weight.data = torch.eye(3)[..., None, None]
        self.requires_grad_(False)

    def embed(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(self.look(x).mean((2, 3)), dim=1)


class Colours(Flat):
    """The same, and it says that its maps are the photo's colours."""

    def last_maps(self) -> nn.Module:
        return self.look


RED_AND_GREEN, RED = torch.zeros(3, SIDE, SIDE), torch.zeros(3, SIDE, SIDE)
RED_AND_GREEN[0, :, : SIDE // 2] = RED[0] = 1
RED_AND_GREEN[1, :, SIDE // 2 :] = 1


def test_only_the_half_that_raises_the_similarity_is_marked() -> None:
    # s = r / |(r,g)|: ∂s/∂r > 0 and ∂s/∂g < 0, so the red half is kept, the green one rectified
    (maps,) = make_method("gradcam")(Colours(), RED_AND_GREEN, RED, threshold=0.3)
    by_hand = np.repeat([[1.0, 0.0]], SIDE // 2, axis=1) * np.ones((SIDE, 1))
    assert maps.a == pytest.approx(by_hand, abs=1e-6)
    assert maps.a.dtype == np.float32


def test_swapped_photos_swap_the_maps_and_no_hook_stays() -> None:
    model, method = Colours(), make_method("gradcam")
    (maps,) = method(model, RED_AND_GREEN, RED, threshold=0.3)
    (swapped,) = method(model, RED, RED_AND_GREEN, threshold=0.3)
    assert np.array_equal(maps.a, swapped.b) and np.array_equal(maps.b, swapped.a)
    assert not model.look._forward_hooks


def test_a_network_without_maps_is_refused_in_a_sentence() -> None:
    with pytest.raises(XfvError, match="no convolutional maps"):
        next(make_method("gradcam")(Flat(), RED, RED, threshold=0.3))


def test_without_the_package_the_method_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradcam, "find_spec", lambda name: None)
    with pytest.raises(XfvError, match="pip install grad-cam"):
        make_method("gradcam")


@pytest.mark.parametrize("name", ["sface", "rrf56", "ecnet", "facenet"])
def test_every_network_says_which_part_holds_its_last_maps(name: str) -> None:
    untrained = name == "facenet"
    model = FaceNet(InceptionResnetV1()) if untrained else load_model(name)
    photos = torch.rand(2, 3, model.input_size, model.input_size)
    (maps,) = make_method("gradcam")(model, *photos, threshold=0.3)
    assert maps.a.shape == maps.b.shape == photos.shape[2:]
    assert maps.a.min() == 0
