"""Augmentation of a whole batch on tensors, repeatable from one generator.

Photos come with a 12 px margin around the 112 px template crop, so shifts, rotations and scales
show real pixels. Flip and geometry are one bilinear sampling; colour is one 3x3 matrix per photo.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor
from torch.nn import functional

CROP_SIZE = 112


@dataclass(frozen=True)
class Augmentation:
    """Strengths; 0 switches a part off. ``*_share`` is the share of photos it happens to.

    Attributes
    ----------
    down : pixels from the template crop down to the crop's mean place; no strength.
    shift : pixels, uniform in ±shift.        rotation : degrees, uniform in ±rotation.
    scale : relative, uniform in 1±scale.
    brightness, contrast, saturation, tint : relative, uniform in ±value.
    blur_share : shrunk 2-4 times and enlarged again.    jpeg_share : JPEG of quality 20-60.
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
    """uint8 (B,3,136,136) -> the crop ``down`` px below the template's, (B,3,112,112) in [0,1]."""
    margin = (photos.shape[-1] - CROP_SIZE) // 2
    top = margin + round(down)
    inner = photos[..., top : top + CROP_SIZE, margin : margin + CROP_SIZE]
    return inner.float() / 255


def augment(photos: Tensor, strength: Augmentation, generator: Generator) -> Tensor:
    """uint8 (B,3,136,136) -> float (B,3,112,112) in [0,1]; every photo its own draw."""
    x = _recolour(_warp(photos.float() / 255, strength, generator), strength, generator)
    x = _blur(x, _chosen(len(x), strength.blur_share, generator), generator)
    x = _jpeg(x, _chosen(len(x), strength.jpeg_share, generator), generator)
    return _occlude(x, _chosen(len(x), strength.occlusion_share, generator), generator)


def _uniform(count: int, spread: float, generator: Generator) -> Tensor:
    return (torch.rand(count, generator=generator) * 2 - 1) * spread


def _chosen(count: int, share: float, generator: Generator) -> list[int]:
    return torch.nonzero(torch.rand(count, generator=generator) < share)[:, 0].tolist()


def _warp(x: Tensor, strength: Augmentation, generator: Generator) -> Tensor:
    """Flip, rotate, scale and shift in one sampling around the centre of the crop."""
    count, size = len(x), x.shape[-1]
    angle = _uniform(count, np.pi / 180 * strength.rotation, generator)
    zoom = (1 + _uniform(count, strength.scale, generator)) * CROP_SIZE / size
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    shift = _uniform(2 * count, 2 * strength.shift / size, generator).view(2, count)
    rows = [zoom * angle.cos() * flip, -zoom * angle.sin(), shift[0]]
    rows += [zoom * angle.sin() * flip, zoom * angle.cos(), shift[1] + 2 * strength.down / size]
    theta = torch.stack(rows, 1).view(count, 2, 3)
    grid = functional.affine_grid(theta, [count, 3, CROP_SIZE, CROP_SIZE], align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _recolour(x: Tensor, strength: Augmentation, generator: Generator) -> Tensor:
    """Saturation, contrast and tint as one matrix, brightness as its offset."""
    count = len(x)
    saturation = 1 + _uniform(count, strength.saturation, generator)
    contrast = 1 + _uniform(count, strength.contrast, generator)
    brightness = _uniform(count, strength.brightness, generator)
    tint = 1 + _uniform(3 * count, strength.tint, generator).view(count, 3)
    grey = torch.tensor([0.299, 0.587, 0.114]).expand(3, 3)
    mix = torch.eye(3) * saturation[:, None, None] + grey * (1 - saturation)[:, None, None]
    mix = mix * (contrast[:, None] * tint)[:, :, None]  # (B, 3, 3)
    offset = (1 - contrast) * x.mean((1, 2, 3)) + brightness
    flat = torch.baddbmm(offset[:, None, None], mix, x.flatten(2))  # (B, 3, H·W)
    return flat.clamp_(0, 1).view_as(x)


def _blur(x: Tensor, rows: list[int], generator: Generator) -> Tensor:
    for row in rows:
        side = int(torch.randint(CROP_SIZE // 4, CROP_SIZE // 2, (), generator=generator))
        small = functional.interpolate(x[row : row + 1], size=side, mode="area")
        x[row] = functional.interpolate(small, size=CROP_SIZE, mode="bilinear")[0]
    return x


def _jpeg(x: Tensor, rows: list[int], generator: Generator) -> Tensor:
    for row in rows:
        quality = int(torch.randint(20, 61, (), generator=generator))
        pixels = (x[row].permute(1, 2, 0) * 255).round().byte().numpy()
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
        decoded = np.array(Image.open(buffer))
        x[row] = torch.from_numpy(decoded).permute(2, 0, 1).float() / 255
    return x


def _occlude(x: Tensor, rows: list[int], generator: Generator) -> Tensor:
    for row in rows:
        height, width = torch.randint(20, 61, (2,), generator=generator).tolist()
        top = int(torch.randint(0, CROP_SIZE - height + 1, (), generator=generator))
        left = int(torch.randint(0, CROP_SIZE - width + 1, (), generator=generator))
        grey = torch.rand((), generator=generator)
        x[row, :, top : top + height, left : left + width] = grey
    return x
