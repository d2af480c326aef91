"""Photos made worse: blur, coarse pixels, JPEG, darkness, mosaic, drawn masks and sunglasses.

Every function takes a template crop of 112 px, which may go on below, and a generator for what is
random in it.
``SETTINGS`` are what a calibration is fitted on; ``UNSEEN`` are kept for judging it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from xfv_core.faces import TEMPLATE

Pixels = NDArray[np.uint8]
Picture = Image.Image
CLOTH = ((235, 235, 235), (110, 160, 205), (25, 25, 28), (240, 200, 210), (90, 120, 90))
CASTS = ((1.6, 0.6, 0.3), (0.3, 0.6, 1.6), (0.4, 1.3, 0.4), (1.5, 0.4, 1.3))


class Setting(NamedTuple):
    """A kind of degradation and how strong; ``mild``: most photos are still recognised."""

    kind: str
    value: float = 0
    mild: bool = False


def blur(image: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    """Gaussian, ``sigma`` in px."""
    return image.filter(ImageFilter.GaussianBlur(sigma))


def small(image: Picture, side: float, rng: np.random.Generator) -> Picture:
    """Shrunk to ``side`` px and blown up again."""
    little = _shrunk(image, side, Image.Resampling.BICUBIC)
    return little.resize(image.size, Image.Resampling.BICUBIC)


def jpeg(image: Picture, quality: float, rng: np.random.Generator) -> Picture:
    """Through a JPEG file of that quality."""
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=int(quality))
    return Image.open(memory).convert("RGB")


def dark(image: Picture, light: float, rng: np.random.Generator) -> Picture:
    """A share of the light, and a sensor's noise."""
    pixels = np.asarray(image)
    return _clipped(pixels * light + rng.normal(0, 2, pixels.shape))


def mosaic(image: Picture, blocks: float, rng: np.random.Generator) -> Picture:
    """``blocks`` squares of one colour to a row."""
    few = _shrunk(image, blocks, Image.Resampling.BOX)
    return few.resize(image.size, Image.Resampling.NEAREST)


def mask(image: Picture, _: float, rng: np.random.Generator) -> Picture:
    """A cloth mask over nose and mouth."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    cloth = CLOTH[rng.integers(len(CLOTH))]
    outline = ((17, 66), (36, 68), (56, 65), (76, 68), (95, 66), (90, 92), (72, 113), (40, 113),
               (22, 92))  # fmt: skip
    draw.polygon([tuple(rng.normal(point, 1.5)) for point in outline], fill=cloth)
    fold = tuple(int(0.85 * c) for c in cloth)
    for y in rng.normal((80, 92), 1.5):
        draw.line([(26, y), (86, y)], fill=fold)
    return image


def glasses(image: Picture, _: float, rng: np.random.Generator) -> Picture:
    """Dark glasses, round or square."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    glass = tuple(int(c) for c in rng.integers(5, 40, 3))
    width, height = rng.uniform((13, 9), (17, 13))
    (left, y), (right, _) = TEMPLATE[:2]
    y += rng.normal(1.5, 1)
    for x in (left, right):
        box = (x - width, y - height, x + width, y + height)
        if rng.integers(2):
            draw.ellipse(box, fill=glass)
        else:
            draw.rounded_rectangle(box, 5, fill=glass)
    bridge = y - height / 3
    ends = ((left, right, 0), (left - width, 8, -2), (right + width, 104, -2))
    for start, end, rise in ends:
        draw.line([(start, bridge), (end, bridge + rise)], fill=glass, width=3)
    return image


def both(image: Picture, value: float, rng: np.random.Generator) -> Picture:
    """Mask and dark glasses."""
    return mask(glasses(image, value, rng), value, rng)


def motion(image: Picture, length: float, rng: np.random.Generator) -> Picture:
    """Smeared over ``length`` px along a line of any direction."""
    angle, steps = rng.uniform(0, np.pi), np.linspace(-length / 2, length / 2, 2 * int(length) + 1)
    moved = (
        image.transform(
            image.size, Image.Transform.AFFINE,
            (1, 0, t * np.cos(angle), 0, 1, t * np.sin(angle)), Image.Resampling.BILINEAR,
        )
        for t in steps.tolist()
    )  # fmt: skip
    return _clipped(np.mean([np.asarray(each, float) for each in moved], axis=0))


def cast(image: Picture, _: float, rng: np.random.Generator) -> Picture:
    """Light of a strong colour."""
    return _clipped(np.asarray(image) * np.array(CASTS[rng.integers(len(CASTS))]))


def noise(image: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    """Gaussian noise of ``sigma`` grey levels."""
    pixels = np.asarray(image)
    return _clipped(pixels + rng.normal(0, sigma, pixels.shape))


KINDS: dict[str, Callable[[Picture, float, np.random.Generator], Picture]] = {
    "blur": blur, "small": small, "jpeg": jpeg, "dark": dark, "mosaic": mosaic, "mask": mask,
    "glasses": glasses, "both": both, "motion": motion, "cast": cast, "noise": noise,
}  # fmt: skip
SETTINGS = (
    *(Setting("blur", sigma, sigma <= 3) for sigma in (1, 2, 3, 4, 6, 8, 11)),
    *(Setting("small", side, side >= 24) for side in (48, 32, 24, 16, 11, 8)),
    *(Setting("jpeg", quality, quality >= 10) for quality in (30, 20, 10, 5, 2)),
    *(Setting("dark", light, light >= 0.1) for light in (0.3, 0.12, 0.06, 0.03)),
    *(Setting("mosaic", blocks) for blocks in (28, 20, 16, 12, 8)),
    *(Setting(kind) for kind in ("mask", "mask", "glasses", "glasses", "both", "both")),
)  # covers twice, so that they are drawn as often as one of five strengths
UNSEEN = (*(Setting("motion", length) for length in (6, 12, 20)), Setting("cast"),
          *(Setting("noise", sigma) for sigma in (15, 40)))  # fmt: skip
COVERS = {"eyes": ("glasses", "both"), "mouth": ("mask", "both")}


def degraded(crops: Pixels, settings: list[Setting], seed: int) -> Pixels:
    """(N,112,112,3) crops, or (N,112+M,112,3), each degraded by its own setting."""
    rngs = np.random.default_rng(seed).spawn(len(crops))
    return np.stack(
        [
            np.asarray(KINDS[setting.kind](Image.fromarray(crop), setting.value, rng))
            for crop, setting, rng in zip(crops, settings, rngs, strict=True)
        ]
    )


def _shrunk(image: Picture, width: float, how: Image.Resampling) -> Picture:
    """The whole picture ``width`` px wide."""
    height = round(int(width) * image.height / image.width)
    return image.resize((int(width), height), how)


def _clipped(values: NDArray[np.floating]) -> Picture:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
