"""Augmentation of a whole batch on tensors of any device, repeatable from one generator.

Photos come with a margin around the 112 px template crop, so shifts, rotations and scales show
real pixels. Flip and geometry are one bilinear sampling; colour is one 3x3 matrix per photo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from xfv_core.training.jpeg import jpeg

CROP_SIZE = 112
DRAWS = 21  # random numbers for a photo


@dataclass(frozen=True)
class Augmentation:
    """Strengths; 0 switches a part off. ``*_share`` is the share of photos it happens to.

    Attributes
    ----------
    down : pixels from the template crop down to the crop's mean place; no strength.
    shift : pixels, uniform in ±shift.        rotation : degrees, uniform in ±rotation.
    scale : relative, uniform in 1±scale.
    brightness, contrast, saturation, tint : relative, uniform in ±value.
    blur_share : a Gaussian of σ 1-2 px.    jpeg_share : JPEG of quality 20-60.
    occlusion_share : one grey rectangle of 20-60 px sides.
    """

    down: float = 0.0
    shift: float = 3.0
    rotation: float = 5.0
    scale: float = 0.05
    brightness: float = 0.15
    contrast: float = 0.2
    saturation: float = 0.3
    tint: float = 0.05
    blur_share: float = 0.05
    jpeg_share: float = 0.03
    occlusion_share: float = 0.1


def centre_crop(photos: Tensor, down: float = 0.0) -> Tensor:
    """uint8 (B,3,P,P) -> the crop ``down`` px below the template's, (B,3,112,112) in [0,1]."""
    margin = (photos.shape[-1] - CROP_SIZE) // 2
    top = margin + round(down)
    inner = photos[..., top : top + CROP_SIZE, margin : margin + CROP_SIZE]
    return inner.float() / 255


def augment(photos: Tensor, strength: Augmentation, generator: Generator) -> Tensor:
    """uint8 (B,3,P,P) -> float (B,3,112,112) in [0,1], where the photos are; every photo its own
    draw. One generator gives the same draws for photos on any device.
    """
    draws = torch.rand(DRAWS, len(photos), generator=generator, device=generator.device)
    draw = iter(draws.unbind())

    def uniform(spread: float) -> Tensor:
        return ((next(draw) * 2 - 1) * spread).to(photos.device)

    x = _warp(photos.float() / 255, strength, uniform)
    x = _recolour(x, strength, uniform)
    for share, spoil, count in (
        (strength.blur_share, _blur, 1),
        (strength.jpeg_share, _jpeg, 1),
        (strength.occlusion_share, _occlude, 5),
    ):
        rows = torch.nonzero(next(draw) < share)[:, 0]
        own = [next(draw)[rows].to(x.device) for _ in range(count)]
        if len(rows):
            rows = rows.to(x.device)
            x[rows] = spoil(x[rows], *own)
    return x


def _warp(x: Tensor, strength: Augmentation, uniform: Callable[[float], Tensor]) -> Tensor:
    """Flip, rotate, scale and shift in one sampling around the centre of the crop."""
    count, size = len(x), x.shape[-1]
    angle = uniform(np.pi / 180 * strength.rotation)
    zoom = (1 + uniform(strength.scale)) * CROP_SIZE / size
    flip = torch.where(uniform(1.0) < 0, -1.0, 1.0)
    across, down = uniform(2 * strength.shift / size), uniform(2 * strength.shift / size)
    rows = [zoom * angle.cos() * flip, -zoom * angle.sin(), across]
    rows += [zoom * angle.sin() * flip, zoom * angle.cos(), down + 2 * strength.down / size]
    theta = torch.stack(rows, 1).view(count, 2, 3)
    grid = functional.affine_grid(theta, [count, 3, CROP_SIZE, CROP_SIZE], align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _recolour(x: Tensor, strength: Augmentation, uniform: Callable[[float], Tensor]) -> Tensor:
    """Saturation, contrast and tint as one matrix, brightness as its offset."""
    saturation, contrast = 1 + uniform(strength.saturation), 1 + uniform(strength.contrast)
    brightness = uniform(strength.brightness)
    tint = 1 + torch.stack([uniform(strength.tint) for _ in range(3)], 1)  # (B, 3)
    grey = x.new_tensor([0.299, 0.587, 0.114]).expand(3, 3)
    mix = torch.eye(3, device=x.device) * saturation[:, None, None]
    mix = mix + grey * (1 - saturation)[:, None, None]
    mix = mix * (contrast[:, None] * tint)[:, :, None]  # (B, 3, 3)
    offset = (1 - contrast) * x.mean((1, 2, 3)) + brightness
    flat = torch.baddbmm(offset[:, None, None], mix, x.flatten(2))  # (B, 3, H·W)
    return flat.clamp_(0, 1).view_as(x)


def _blur(x: Tensor, width: Tensor) -> Tensor:
    """A Gaussian along columns and rows, as a product with a matrix of its own per photo."""
    sigma = 1 + width[:, None, None]
    place = torch.arange(CROP_SIZE, device=x.device)
    apart = (place[:, None] - place).square()
    kernel = torch.softmax(-apart / (2 * sigma**2), dim=-1)[:, None]  # (B, 1, H, H)
    return kernel @ x @ kernel.transpose(-1, -2)


def _jpeg(x: Tensor, draw: Tensor) -> Tensor:
    return jpeg(x, (20 + 41 * draw).floor())


def _occlude(
    x: Tensor, high: Tensor, wide: Tensor, down: Tensor, across: Tensor, grey: Tensor
) -> Tensor:
    inside = _between(high, down)[:, None, :, None] & _between(wide, across)[:, None, None, :]
    return torch.where(inside, grey[:, None, None, None], x)


def _between(length: Tensor, start: Tensor) -> Tensor:
    """Draws (B,) -> which pixels of a side lie in an interval of 20-60 px, (B,112)."""
    length = (20 + 41 * length).floor()
    start = ((CROP_SIZE - length + 1) * start).floor()
    place = torch.arange(CROP_SIZE, device=length.device)
    return (place >= start[:, None]) & (place < (start + length)[:, None])
