"""Occlusion maps of a real pair: half precision and few masks rank pixels as all of it does."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr
from torch import Tensor

from xfv_core.explain.base import Maps
from xfv_core.explain.occlusion import Occlusion
from xfv_core.models import load_model

pytestmark = [pytest.mark.data, pytest.mark.slow]


def maps_of(pair: tuple[Tensor, Tensor], occlusion: Occlusion) -> Maps:
    *_, last = occlusion(load_model("sface"), *pair, threshold=0.3)
    return last


@pytest.fixture(scope="module")
def lfw_pair(research_data: Path) -> tuple[Tensor, Tensor]:
    names = ("Abel_Pacheco/Abel_Pacheco_0001.jpg", "Abel_Pacheco/Abel_Pacheco_0004.jpg")
    with tarfile.open(research_data / "lfw112.tar") as tar:
        photos = [Image.open(io.BytesIO(tar.extractfile(name).read())) for name in names]
        a, b = (torch.from_numpy(np.array(p)).permute(2, 0, 1).float() / 255 for p in photos)
    return a, b


def test_bfloat16_maps_of_a_real_pair_correlate_with_fp32_at_0_999(
    lfw_pair: tuple[Tensor, Tensor],
) -> None:
    half, full = (maps_of(lfw_pair, Occlusion("fast", bfloat16=b)) for b in (True, False))
    assert np.corrcoef(half.a.ravel(), full.a.ravel())[0, 1] > 0.999
    assert np.corrcoef(half.b.ravel(), full.b.ravel())[0, 1] > 0.999


def test_the_quick_presets_rank_a_real_pair_as_the_full_one_does(
    lfw_pair: tuple[Tensor, Tensor],
) -> None:
    full, standard, fast = (
        maps_of(lfw_pair, Occlusion(name)) for name in ("full", "standard", "fast")
    )
    for side in ("a", "b"):
        reference = getattr(full, side).ravel()
        assert spearmanr(reference, getattr(standard, side).ravel()).statistic > 0.93
        assert spearmanr(reference, getattr(fast, side).ravel()).statistic > 0.8
