"""What JPEG does to a photo, on tensors of any device: blocks, cosine transform, rounding.

ITU-T T.81 with the tables of its annex K, colour halved (4:2:0), without the entropy coding, which
loses nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 8
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)  # fmt: skip


def jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """(B,3,H,W) in [0,1], sides divisible by 16, and qualities (B,) in 1 … 100 -> the same shape,
    as if compressed and decoded."""
    to_ycc = x.new_tensor(TO_YCC)
    y, colour = (torch.einsum("ij,bjhw->bihw", to_ycc, x) * 255).split((1, 2), 1)
    y = _coded(y - 128, LUMINANCE, quality) + 128
    colour = _coded(functional.avg_pool2d(colour, 2), CHROMINANCE, quality)
    colour = functional.interpolate(colour, scale_factor=2, mode="bilinear")
    ycc = torch.cat([y, colour], 1) / 255
    return torch.einsum("ij,bjhw->bihw", x.new_tensor(TO_RGB), ycc).clamp(0, 1)


def _coded(planes: Tensor, table: tuple[int, ...], quality: Tensor) -> Tensor:
    """(B,C,H,W) -> the same after transforming, rounding to the steps of the table, and back."""
    transform = cosine_transform().to(planes)
    height = planes.shape[2] // BLOCK
    blocks = planes.unflatten(3, (-1, BLOCK)).unflatten(2, (height, BLOCK))  # (B,C,h,8,w,8)
    blocks = blocks.transpose(3, 4)  # (B,C,h,w,8,8)
    steps = _steps(planes.new_tensor(table), quality)
    rounded = torch.round(transform @ blocks @ transform.T / steps) * steps
    return (transform.T @ rounded @ transform).transpose(3, 4).flatten(4, 5).flatten(2, 3)


def _steps(table: Tensor, quality: Tensor) -> Tensor:
    """The table (64,) scaled as the Independent JPEG Group does, (B,1,1,1,8,8)."""
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = ((table * percent[:, None] + 50) / 100).floor().clamp(1, 255)
    return steps.view(-1, 1, 1, 1, BLOCK, BLOCK)


def cosine_transform() -> Tensor:
    """The orthonormal DCT-II of eight values, (8,8): rows are frequencies."""
    place = torch.arange(BLOCK, dtype=torch.float64)
    waves = torch.cos(math.pi / BLOCK * (place + 0.5) * place[:, None]) * math.sqrt(2 / BLOCK)
    waves[0] /= math.sqrt(2)
    return waves
