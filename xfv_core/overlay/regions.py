"""What a map says region by region, so that maps of several methods can be laid side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xfv_core.faces.regions import REGIONS, face_regions

if TYPE_CHECKING:
    from xfv_core.explain.base import Maps

GROUPS: Mapping[str, tuple[str, ...]] = {  # as one says them of both photos: no left, no right
    "brows and forehead": ("brows and forehead",),
    "eyes": ("left eye", "right eye"),
    "nose": ("nose",),
    "cheeks": ("left cheek", "right cheek"),
    "mouth": ("mouth",),
    "chin": ("chin",),
    "outside the face": ("background",),
}


def by_region(
    maps: Maps, landmarks_a: ArrayLike, landmarks_b: ArrayLike
) -> dict[str, tuple[float, float]]:
    """Per region what speaks for, less what speaks against, in the first and the second photo: as
    a share of all that the map of that photo shows, in [-1,1]; 0 everywhere of a map of zeros.

    Landmarks are (5,2) xy on the crop, as in ``face_regions``.
    """
    shares = [_shares(maps.a, landmarks_a), _shares(maps.b, landmarks_b)]
    return {
        group: (float(shares[0][rows].sum()), float(shares[1][rows].sum()))
        for group, names in GROUPS.items()
        for rows in [[REGIONS.index(name) for name in names]]
    }


def _shares(values: NDArray[np.float32], landmarks: ArrayLike) -> NDArray[np.float64]:
    regions = face_regions(landmarks, values.shape)
    sums = np.bincount(regions.ravel(), values.ravel(), len(REGIONS))
    whole = float(np.abs(values).sum())
    return sums / whole if whole else np.zeros(len(REGIONS))
