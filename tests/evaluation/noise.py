"""Pairs of noise, as aligned crops in a folder per person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.explain.test_fidelity import SIDE
from xfv_core.evaluation.data.pairs import PairSet


def noise_pairs(root: Path) -> PairSet:
    """Six pairs, every second one genuine, of six people."""
    rng = np.random.default_rng(0)
    for i in range(6):
        (root / f"p{i}").mkdir()
        for name in ("0.png", "1.png"):
            pixels = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
            Image.fromarray(pixels).save(root / f"p{i}" / name)
    first = tuple(f"p{i}/0.png" for i in range(6))
    second = tuple(f"p{i if i % 2 == 0 else (i + 1) % 6}/1.png" for i in range(6))
    return PairSet("noise", first, second, np.array([True, False] * 3), None, root)
