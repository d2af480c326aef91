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
_NOTHING = "no region has a noticeable effect"
_EVEN = 1.5  # a map nowhere denser than this, relative to its mean, has no place to name


def describe(maps: Maps, landmarks_a: ArrayLike, landmarks_b: ArrayLike, scale: float) -> str:
    """One sentence and line per photo: where it is similar, where dissimilar, how strongly.

    Landmarks are (5,2) xy on the crop, as in ``face_regions``; ``scale`` is that of the colours.
    Percentages are of the map's absolute sum.  Regions are ranked by what can be seen of them, and
    are strong, medium or weak as their colour is (above two thirds of the scale, above one third,
    below).  Left and right are the picture's.  Evidence is told as likeness beyond or short of a
    pair at the bar, which is the threshold.
    """
    sentence = _evidence if maps.view == "evidence" else _raw
    photos = (("First", maps.a, landmarks_a), ("Second", maps.b, landmarks_b))
    return "\n".join(
        f"{name} photo: {sentence(values, face_regions(landmarks, values.shape), scale)}."
        for name, values, landmarks in photos
    )


def _evidence(values: NDArray[np.float32], regions: NDArray[np.int8], scale: float) -> str:
    sides = _sides(values, scale)
    if sides is None:
        return _NOTHING
    alike, different, percent = sides
    more, less = "more alike than in a pair at the bar", "less alike than in a pair at the bar"
    if percent == 100:
        return f"{more}, {_where(alike, regions, scale)}; {_little(different)} against"
    if percent == 0:
        return f"{less}, {_where(different, regions, scale)}; {_little(alike)} for"
    if percent >= 50:
        return (
            f"{more}, {_where(alike, regions, scale)}, {percent} % of the effect; less alike, "
            f"{_where(different, regions, scale)}"
        )
    return (
        f"{less}, {_where(different, regions, scale)}, {100 - percent} % of the effect; what "
        f"likeness there is lies {_where(alike, regions, scale, 'in ')}"
    )


def _raw(values: NDArray[np.float32], regions: NDArray[np.int8], scale: float) -> str:
    sides = _sides(values, scale)
    if sides is None:
        return _NOTHING
    alike, different, percent = sides
    if percent == 100:
        place = _where(alike, regions, scale)
        return f"what the map shows makes them alike, {place}; {_little(different)} against"
    if percent == 0:
        place = _where(different, regions, scale)
        return f"what the map shows makes them different, {place}; {_little(alike)} for"
    return (
        f"{percent} % of the effect makes them alike, {_where(alike, regions, scale)}; "
        f"{100 - percent} % makes them different, {_where(different, regions, scale)}"
    )


def _sides(
    values: NDArray[np.float32], scale: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], int] | None:
    """Both sides of a map, >= 0, and how many percent of the effect are alike: 0 or 100 where the
    other side is negligible; None where nothing is noticeable."""
    alike, different = np.maximum(values, 0), np.maximum(-values, 0)
    if max(_peak(alike), _peak(different)) < _FAINT * scale:
        return None
    share = float(alike.sum() / np.abs(values).sum())
    if _negligible(different, 1 - share, scale):
        return alike, different, 100
    if _negligible(alike, share, scale):
        return alike, different, 0
    return alike, different, round(float(np.clip(100 * share, 1, 99)))


def _little(side: NDArray[np.float32]) -> str:
    return "hardly anything speaks" if side.any() else "nothing speaks"


def _peak(side: NDArray[np.float32]) -> float:
    """The largest value but for a few stray pixels, as ``shared_scale`` sees it."""
    return float(np.quantile(side, 0.999))


def _negligible(side: NDArray[np.float32], share: float, scale: float) -> bool:
    """Too faint to see, or too small to matter and nowhere more than weak."""
    peak = _peak(side)
    return peak < _FAINT * scale or (share < _FAINT and peak < scale / 3)


def _where(
    side: NDArray[np.float32], regions: NDArray[np.int8], scale: float, inside: str = ""
) -> str:
    """The regions that hold most of one side of the map (H,W), the richest first; ``inside``: what
    goes before them."""
    seen = side * (side >= _VISIBLE * scale)
    seen = seen if seen.any() else side
    shares = np.bincount(regions.ravel(), seen.ravel(), len(REGIONS)) / seen.sum()
    areas = np.bincount(regions.ravel(), minlength=len(REGIONS)) / regions.size
    if np.all(shares <= _EVEN * areas):
        return f"spread evenly over the picture ({_strength(side, scale)})"
    order = np.argsort(-shares, kind="stable")[:3]
    named = order[: int(np.searchsorted(np.cumsum(shares[order]), _ENOUGH)) + 1]
    places = [f"{SPOKEN[REGIONS[r]]} ({_strength(side[regions == r], scale)})" for r in named]
    if shares[named].sum() >= 0.5:
        return f"mostly {inside}{listed(places)}"
    return f"spread widely, most of it {inside or 'on '}{listed(places)}"


def _strength(side: NDArray[np.float32], scale: float) -> str:
    level = float(np.quantile(side, 0.95)) / scale
    return "strong" if level >= 2 / 3 else "medium" if level >= 1 / 3 else "weak"
