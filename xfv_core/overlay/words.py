"""The maps in words, for those who cannot see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xfv_core.explain.words import SPOKEN, listed
from xfv_core.faces.regions import REGIONS, face_regions

if TYPE_CHECKING:
    from xfv_core.explain.base import Maps

_FAINT = 0.05  # a share of the effect, or of the scale, that is not worth a word
_VISIBLE = 1 / 6  # of the scale: fainter colours can hardly be told from grey
_ENOUGH = 0.6  # regions are named until they hold this share, three at most
_EVEN = 1.5  # a map nowhere denser than this, relative to its mean, has no place to name


def describe(maps: Maps, landmarks_a: ArrayLike, landmarks_b: ArrayLike, scale: float) -> str:
    """One sentence and line per photo: where it is similar, where dissimilar, how strongly.

    Landmarks are (5,2) xy on the crop, as in ``face_regions``; ``scale`` is that of the colours.
    Percentages are of the map's absolute sum.  Regions are ranked by what can be seen of them, and
    are strong, medium or weak as their colour is (above two thirds of the scale, above one third,
    below).  Left and right are the picture's.
    """
    photos = (("First", maps.a, landmarks_a), ("Second", maps.b, landmarks_b))
    return "\n".join(
        f"{name} photo: {_sentence(values, face_regions(landmarks, values.shape), scale)}."
        for name, values, landmarks in photos
    )


def _sentence(values: NDArray[np.float32], regions: NDArray[np.int8], scale: float) -> str:
    alike, different = np.maximum(values, 0), np.maximum(-values, 0)
    if max(_peak(alike), _peak(different)) < _FAINT * scale:
        return "no region has a noticeable effect"
    share = float(alike.sum() / np.abs(values).sum())
    if _negligible(different, 1 - share, scale):
        place = _where(alike, regions, scale)
        return f"what the map shows makes them alike, {place}; {_little(different)} against"
    if _negligible(alike, share, scale):
        place = _where(different, regions, scale)
        return f"what the map shows makes them different, {place}; {_little(alike)} for"
    percent = round(float(np.clip(100 * share, 1, 99)))
    return (
        f"{percent} % of the effect makes them alike, {_where(alike, regions, scale)}; "
        f"{100 - percent} % makes them different, {_where(different, regions, scale)}"
    )


def _little(side: NDArray[np.float32]) -> str:
    return "hardly anything speaks" if side.any() else "nothing speaks"


def _peak(side: NDArray[np.float32]) -> float:
    """The largest value but for a few stray pixels, as ``shared_scale`` sees it."""
    return float(np.quantile(side, 0.999))


def _negligible(side: NDArray[np.float32], share: float, scale: float) -> bool:
    """Too faint to see, or too small to matter and nowhere more than weak."""
    peak = _peak(side)
    return peak < _FAINT * scale or (share < _FAINT and peak < scale / 3)


def _where(side: NDArray[np.float32], regions: NDArray[np.int8], scale: float) -> str:
    """The regions that hold most of one side of the map (H,W), the richest first."""
    seen = side * (side >= _VISIBLE * scale)
    seen = seen if seen.any() else side
    shares = np.bincount(regions.ravel(), seen.ravel(), len(REGIONS)) / seen.sum()
    areas = np.bincount(regions.ravel(), minlength=len(REGIONS)) / regions.size
    if np.all(shares <= _EVEN * areas):
        return f"spread evenly over the picture ({_strength(side, scale)})"
    order = np.argsort(-shares, kind="stable")[:3]
    named = order[: int(np.searchsorted(np.cumsum(shares[order]), _ENOUGH)) + 1]
    places = [f"{SPOKEN[REGIONS[r]]} ({_strength(side[regions == r], scale)})" for r in named]
    most = "mostly" if shares[named].sum() >= 0.5 else "spread widely, most of it on"
    return f"{most} {listed(places)}"


def _strength(side: NDArray[np.float32], scale: float) -> str:
    level = float(np.quantile(side, 0.95)) / scale
    return "strong" if level >= 2 / 3 else "medium" if level >= 1 / 3 else "weak"
