"""A patch that somebody moves: the similarity of a face with it, on networks known by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.explain.toys import SIDE, OnePixel
from xfv_core.explain.base import MethodError
from xfv_core.explain.occluder import Occluder, Patch


class Halves(OnePixel):
    """How bright the upper and the lower half are, as a direction."""

    def embed(self, x: Tensor) -> Tensor:
        means = torch.stack([half.mean((1, 2, 3)) for half in x.chunk(2, dim=2)], dim=1)
        return nn.functional.normalize(means, dim=1)


@pytest.fixture
def grey() -> Tensor:
    return torch.full((3, SIDE, SIDE), 0.5)


def test_without_its_upper_half_a_grey_face_is_45_degrees_from_a_whole_one(grey: Tensor) -> None:
    occluder = Occluder(Halves(), grey, grey)
    assert occluder.similarity == pytest.approx(1)
    for side in (0, 1):
        found = occluder.covered(Patch(side, 0, 0, 1))
        assert found == pytest.approx(0)  # black all over has no direction
    half = grey.clone()
    half[:, : SIDE // 2] = 0
    assert Occluder(Halves(), half, grey).similarity == pytest.approx(0.5**0.5)


def test_a_patch_covers_only_the_photo_it_lies_on(grey: Tensor) -> None:
    bright = grey.clone()
    bright[:, SIDE // 2 :] = 1
    occluder = Occluder(Halves(), grey, bright)
    over_first, over_second = (occluder.covered(Patch(s, 0, 0, 0.5)) for s in (0, 1))
    assert over_first > occluder.similarity > over_second  # nearer to bright below, further off


@pytest.mark.parametrize(
    ("patch", "window"),
    [
        (Patch(0, 0, 0, 0.25), [[0, 0], [28, 28]]),
        (Patch(1, 0.9, 0.5, 0.25), [[84, 56], [112, 84]]),
        (Patch(0, 1, 1, 0), [[111, 111], [112, 112]]),
    ],
    ids=["in a corner", "held inside", "at least a pixel"],
)
def test_a_patch_is_a_square_of_pixels_inside_the_crop(
    patch: Patch, window: list[list[int]]
) -> None:
    assert patch.window(112).tolist() == window


@pytest.mark.parametrize(
    "patch",
    [
        Patch(2, 0, 0, 0.5),
        Patch(0, -0.1, 0, 0.5),
        Patch(0, 0, float("nan"), 0.5),
        Patch(0, 0, 0, 2),
    ],
    ids=["third photo", "above", "nowhere", "too large"],
)
def test_a_patch_that_lies_nowhere_is_refused(patch: Patch) -> None:
    with pytest.raises(MethodError, match="does not lie on a face"):
        patch.window(112)
