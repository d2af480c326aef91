"""The tensors' JPEG is the library's, without its bit stream."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from xfv_core.training.jpeg import BLOCK, cosine_transform, jpeg


def photo() -> np.ndarray:
    """A coloured landscape of smooth hills with some noise, (112,112,3) uint8."""
    rng = np.random.default_rng(2)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((112, 112), Image.Resampling.BICUBIC), dtype=float)
    return np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


def decoded(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("quality", [20, 45, 60])
def test_a_photo_loses_what_it_loses_in_the_library(quality: int) -> None:
    pixels = photo()
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    ours = (jpeg(x, torch.tensor([quality]))[0].permute(1, 2, 0) * 255).numpy()
    theirs = decoded(pixels, quality).astype(float)
    lost = np.abs(theirs - pixels).mean()
    assert np.abs(ours - theirs).mean() < 0.2 * lost


def test_each_photo_has_its_own_quality() -> None:
    x = (torch.from_numpy(photo()).permute(2, 0, 1) / 255).expand(2, -1, -1, -1)
    both = jpeg(x, torch.tensor([20, 60]))
    for row, quality in enumerate((20, 60)):
        alone = jpeg(x[:1], torch.tensor([quality]))
        torch.testing.assert_close(both[row : row + 1], alone)


def test_the_cosine_transform_is_orthonormal() -> None:
    transform = cosine_transform()
    torch.testing.assert_close(transform @ transform.T, torch.eye(BLOCK, dtype=torch.float64))
