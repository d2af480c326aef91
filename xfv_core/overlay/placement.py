"""Where a map goes: over the crop the network saw, or back onto the photo it was cut from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import affine_transform

from xfv_core.overlay.colours import blend

_FEATHER = 0.1  # width of the skirt around the crop, in crop sides


def overlay_crop(
    crop: NDArray[np.uint8],
    values: NDArray[np.float32],
    scale: float,
    strength: float,
    size: int | None = None,
) -> NDArray[np.uint8]:
    """A crop (S,S,3) under its map (H,W), shown at ``size`` x ``size`` pixels (default S).

    Values are enlarged, not colours, and bilinearly: a sharper kernel would overshoot and show a
    pink rim around every green patch.
    """
    side = size or crop.shape[0]
    if crop.shape[:2] != (side, side):
        crop = np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.LANCZOS))
    return blend(crop, _resized(values, side), scale, strength)


def _resized(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    plane = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(plane.resize((side, side), Image.Resampling.BILINEAR))


def overlay_photo(
    photo: NDArray[np.uint8],
    values: NDArray[np.float32],
    matrix: NDArray[np.floating],
    scale: float,
    strength: float,
) -> NDArray[np.uint8]:
    """The original photo (H,W,3) with a crop's map laid back where the crop was taken.

    ``matrix`` (2,3) takes photo xy to the xy of ``values`` (the crop the network saw); in both,
    (0,0) is the centre of the first pixel.  Inside the crop the strength is full; around it the
    overlay fades within a narrow skirt; farther out the photo is unchanged bit for bit.
    """
    to_crop = matrix.astype(np.float64)
    rows, columns = _reach(to_crop, values.shape, photo.shape)
    window = photo[rows, columns]
    out = photo.copy()
    if window.size:
        warped, inside = _laid_back(values, to_crop, rows, columns)
        out[rows, columns] = blend(window, warped, scale, np.float32(strength) * inside)
    return out


def _reach(
    matrix: NDArray[np.float64], crop: tuple[int, ...], photo: tuple[int, ...]
) -> tuple[slice, slice]:
    """Rows and columns of the photo that the crop and its skirt can touch."""
    height, width = crop[:2]
    skirt = 0.5 + _FEATHER * max(height, width)
    xs, ys = (-skirt, width - 1 + skirt), (-skirt, height - 1 + skirt)
    corners = np.array([(x, y) for x in xs for y in ys])
    there = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T  # (4,2) photo xy
    limits = [photo[1], photo[0]]
    low = np.clip(np.floor(there.min(axis=0)), 0, limits).astype(int)
    high = np.clip(np.ceil(there.max(axis=0)) + 1, 0, limits).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _laid_back(
    values: NDArray[np.float32], matrix: NDArray[np.float64], rows: slice, columns: slice
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The map resampled on a window of the photo, and the weight (1 inside the crop, 0 far out)."""
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    backward = matrix[::-1, 1::-1]  # photo (row, column) -> crop (row, column)
    offset = matrix[::-1, 2] + backward @ (rows.start, columns.start)
    warped = affine_transform(
        np.asarray(values, np.float32), backward, offset, shape, order=1, mode="nearest"
    )
    height, width = values.shape
    down = backward @ np.array([1.0, 0.0])
    right = backward @ np.array([0.0, 1.0])
    i, j = np.arange(shape[0], dtype=np.float32)[:, None], np.arange(shape[1], dtype=np.float32)
    y = np.float32(offset[0]) + np.float32(down[0]) * i + np.float32(right[0]) * j
    x = np.float32(offset[1]) + np.float32(down[1]) * i + np.float32(right[1]) * j
    beyond_y = np.maximum(np.maximum(-0.5 - y, y - (height - 0.5)), 0)
    beyond_x = np.maximum(np.maximum(-0.5 - x, x - (width - 0.5)), 0)
    near = 1 - np.hypot(beyond_x, beyond_y) / np.float32(_FEATHER * max(height, width))
    near = np.clip(near, 0, 1)
    return warped, near * near * (3 - 2 * near)
