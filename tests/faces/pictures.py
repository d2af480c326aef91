"""Small pictures, faces and moved points for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter

from xfv_core.faces import TEMPLATE, Face


def face_at(box: ArrayLike, landmarks: ArrayLike = TEMPLATE, turn: int = 0) -> Face:
    return Face(np.asarray(box, np.float32), np.asarray(landmarks, np.float32), 1.0, turn=turn)


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def moved(points: np.ndarray, scale: float, degrees: float, shift: tuple[float, float]):
    turn = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return points @ (scale * rotation).T + shift


def grey(values: np.ndarray) -> np.ndarray:
    """(H,W) in [0, 255] -> (H,W,3) uint8."""
    return np.repeat(np.round(values).astype(np.uint8)[..., None], 3, axis=2)


def blurred_noise(height: int, width: int, sigma: float = 3) -> np.ndarray:
    noise = np.random.default_rng(5).normal(size=(height, width, 3))
    smooth = gaussian_filter(noise, (sigma, sigma, 0))
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def two_people(examples: Path, file: Path) -> None:
    """One photo with two faces."""
    with Image.open(examples / "obama.jpg") as one, Image.open(examples / "astronaut.jpg") as two:
        together = Image.new("RGB", (1000, 600))
        together.paste(ImageOps.contain(one, (500, 600)), (0, 0))
        together.paste(ImageOps.contain(two, (500, 400)), (500, 0))
    together.save(file)
