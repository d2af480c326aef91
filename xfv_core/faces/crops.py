"""Square crops of a face: aligned to five points, or the detector's box.

Alignment is the least-squares similarity transform of Umeyama (1991) to the five-point template
of ArcFace (Deng et al., 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xfv_core.faces.detect import Face

TEMPLATE = np.array(  # left eye, right eye, nose, left and right mouth corner in 112 x 112 px
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)


@dataclass(frozen=True, eq=False)
class Crop:
    """A square piece of a photo for a network.

    pixels : (S,S,3) uint8 RGB; black where it reaches beyond the photo.
    matrix : (2,3) float64, photo (x, y, 1) -> crop (x, y), in pixel indices on both sides.
    landmarks : (5,2) float32 in crop coordinates.
    """

    pixels: NDArray[np.uint8]
    matrix: NDArray[np.float64]
    landmarks: NDArray[np.float32]


def align(pixels: NDArray[np.uint8], landmarks: NDArray[np.floating], size: int = 112) -> Crop:
    """Similarity transform of a photo (H,W,3) by five landmarks (5,2) to the template, S = size."""
    target = (TEMPLATE + 0.5) * (size / 112) - 0.5
    return cut(pixels, similarity(np.asarray(landmarks, float), target), landmarks, size)


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """The (2,3) rotation, scale and shift with the least squares from (N,2) to (N,2) points.

    In the plane Umeyama's solution is one complex number: ``a = sum(conj(z) w) / sum |z|^2`` of
    the centred points z and w.
    """
    z, w = ((points - points.mean(axis=0)) @ (1, 1j) for points in (source, target))
    a = np.vdot(z, w) / np.vdot(z, z).real
    linear = np.array([[a.real, -a.imag], [a.imag, a.real]])
    return np.column_stack([linear, target.mean(axis=0) - linear @ source.mean(axis=0)])


def crop_box(
    pixels: NDArray[np.uint8],
    face: Face,
    size: int = 160,
    margin: float = 14,
    *,
    stretch: bool = True,
) -> Crop:
    """The detector's box and a margin, stretched to a square, as facenet-pytorch crops for FaceNet.

    As there, ``margin`` counts pixels of the crop (half of it on each side), and the aspect ratio
    of the box is not kept: the network was trained on faces squeezed this way, and its authors'
    figures are for 160 px with a margin of 14. Unlike there, a box that reaches beyond the photo is
    padded with black, where facenet-pytorch would stretch what is left of it. Without ``stretch``
    the box's shorter side grows to the longer one instead.
    """
    low, high = face.box[:2].astype(float), face.box[2:].astype(float)
    scale = (size - margin) / (high - low)  # (2,) for x and y
    scale = scale if stretch else np.full(2, scale.min())
    shift = (size - 1) / 2 - scale * (low + high - 1) / 2
    matrix = np.column_stack([np.diag(scale), shift])
    quarter = np.array([[0, 1, 0], [-1, 0, size - 1]])  # (x, y) -> (y, S-1-x), as np.rot90
    for _ in range(face.turn):
        matrix = quarter @ np.vstack([matrix, (0, 0, 1)])
    return cut(pixels, matrix, face.landmarks, size)


def recut(pixels: NDArray[np.uint8], crop: Crop, size: int) -> NDArray[np.uint8]:
    """The same square of the photo again, at ``size`` px: sharper than the crop blown up."""
    scale = size / len(crop.pixels)
    matrix = crop.matrix * scale
    matrix[:, 2] += (scale - 1) / 2  # the centre of the first pixel moves with its size
    return _warp(pixels, matrix, size)


def crop_to_photo(crop: Crop, size: int) -> NDArray[np.float64]:
    """The (2,3) matrix from ``recut`` at ``size`` px back to the photo; both in pixels counted from
    the outer corner of the first one, as drawing surfaces count them."""
    scale = size / len(crop.pixels)
    forth = np.vstack([crop.matrix, [0, 0, 1]])
    forth[:2, 2] += 0.5 - forth[:2, :2] @ [0.5, 0.5]  # from pixels' centres to their corners
    back = np.linalg.inv(np.diag([scale, scale, 1.0]) @ forth)
    return np.asarray(back[:2])


def cut(
    pixels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    landmarks: NDArray[np.floating],
    size: int,
) -> Crop:
    """The square that ``matrix``, photo (x, y, 1) -> crop (x, y), maps to ``size`` px."""
    inside = moved(np.asarray(landmarks, float), matrix)  # (5,2)
    return Crop(_warp(pixels, matrix, size), matrix, inside.astype(np.float32))


def moved(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (...,2) through a (2,3) matrix."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def _warp(pixels: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Resample (H,W,3) through photo -> crop ``matrix`` to (size,size,3), anti-aliased.

    What shrinks is averaged over: whole blocks of the photo first, then ``fine`` x ``fine``
    samples a pixel.
    """
    shrink = 1 / np.linalg.svd(matrix[:, :2], compute_uv=False).min()
    block = max(1, int(shrink / 2))
    fine = max(1, int(np.ceil(shrink / block)))
    to_photo = np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))  # crop -> photo
    low, high = _region(to_photo, size, pixels.shape, 2 * block)
    part = Image.fromarray(pixels[low[1] : high[1], low[0] : high[0]]).reduce(block)
    # edges of samples -> pixel indices of the crop -> those of the photo -> edges of blocks
    samples = np.array([[1 / fine, 0, -0.5], [0, 1 / fine, -0.5], [0, 0, 1]])
    blocks = np.array([[1, 0, 0.5 - low[0]], [0, 1, 0.5 - low[1]], [0, 0, block]]) / block
    affine = (blocks @ to_photo @ samples)[:2].ravel().tolist()
    resampled = part.transform(
        (size * fine, size * fine), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC
    )
    return np.array(resampled.reduce(fine))


def _region(
    to_photo: NDArray[np.float64], size: int, shape: tuple[int, ...], border: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The part of the photo, from (x, y) to (x, y), that a crop looks at."""
    corners = np.array([(x, y, 1) for x in (0, size) for y in (0, size)]) @ to_photo[:2].T  # (4,2)
    last = np.array([shape[1], shape[0]])
    low = np.clip(np.floor(corners.min(axis=0)) - border, 0, last - 1).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + border, low + 1, last).astype(int)
    return low, high
