"""Calibrate a model on labelled photos: aligned crops, our own detector's crops, degraded copies.

The curve is fitted to the aligned crops where there are any, else to the detector's; everything
else is scored by curves that have not seen the fold. Embeddings are fp32, as those of verdicts.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageFilter
from tqdm import tqdm

from xfv_core.confidence import Calibration, cross_validated, fit
from xfv_core.confidence.calibration import check_enough, consecutive_folds
from xfv_core.confidence.curves import CURVES, Floats
from xfv_core.confidence.scores import Scores, score
from xfv_core.errors import XfvError
from xfv_core.evaluation.data.pairs import PairsError, PairSet, PhotoStore
from xfv_core.models.base import BATCH, FaceEmbedder, embed_all

Pixels = NDArray[np.uint8]
CropPhoto = Callable[[bytes], Pixels]
Degrade = Callable[[Image.Image], Image.Image]

ALIGNED, SERVED = "aligned", "served"


@dataclass(frozen=True, eq=False)
class Similarities:
    """Cosine similarities of the N pairs of a set, one (N,) array per way of making the crops.

    ``paths``: "aligned" (crops as given) and "served" (photos through our own detector);
    ``degraded``: kind of copy -> both photos degraded, made from the first path. NaN where a photo
    is absent or lost; ``lost`` names the photos in which the detector found no face.
    """

    paths: Mapping[str, Floats]
    degraded: Mapping[str, Floats]
    lost: tuple[str, ...] = ()


def calibrate(
    similarities: Similarities,
    labels: ArrayLike,
    folds: NDArray[np.intp] | None = None,
    *,
    dataset: str,
) -> Calibration:
    """Fit to the first path; score it on every path and every kind of degraded copy.

    If the served path's ECE lies above the 95 % band of a perfectly calibrated model, the curve
    does not hold for what users will see, and is fitted again on the served path.
    """
    y = np.asarray(labels, bool)
    fold = consecutive_folds(y) if folds is None else folds
    first = next(iter(similarities.paths))
    calibration = _fit_path(first, similarities, y, fold, dataset)
    if first != SERVED and SERVED in calibration.paths:
        served = calibration.paths[SERVED]
        if served.ece > served.ece_band[1]:
            return _fit_path(SERVED, similarities, y, fold, dataset)
    return calibration


def _fit_path(
    path: str,
    similarities: Similarities,
    labels: NDArray[np.bool_],
    folds: NDArray[np.intp],
    dataset: str,
) -> Calibration:
    there = np.isfinite(similarities.paths[path])
    s, y, fold = similarities.paths[path][there], labels[there], folds[there]
    if len(np.unique(fold)) == 1:
        fold = consecutive_folds(y)
    protocol = (
        f"fitted on {len(y)} pairs of {path} crops; every score from {len(np.unique(fold))} folds, "
        f"each judged by the curve of the others; photos without a face: {len(similarities.lost)}"
    )
    calibration = fit(s, y, fold, dataset=dataset, protocol=protocol, fitted_on=path)
    fitter = CURVES[calibration.curve].fit

    def held_out(other: Floats) -> Scores:
        p = cross_validated(fitter, s, y, fold, scored=other[there])
        known = np.isfinite(p)
        check_enough(y[known])
        return score(p[known], y[known])

    return replace(
        calibration,
        paths={name: held_out(other) for name, other in similarities.paths.items()},
        degraded={name: held_out(other) for name, other in similarities.degraded.items()},
    )


def measure(
    model: FaceEmbedder,
    pairs: PairSet,
    *,
    images: Path | None = None,
    photos: Path | None = None,
    crop_photo: CropPhoto | None = None,
    partial: bool = False,
    degraded_copies: bool = True,
) -> Similarities:
    """Embed every photo of ``pairs`` once per path and compare the pairs.

    ``images``: folder or tar of aligned (S,S) crops; ``photos``: folder or tar of whole photos,
    cut by ``crop_photo`` (bytes -> uint8 (S,S,3) RGB; a photo for which it raises XfvError counts
    as lost). ``partial`` allows photos to be absent; else PairsError names the first one.
    """
    sources: dict[str, tuple[Path, CropPhoto]] = {}
    if images is not None:
        sources[ALIGNED] = (images, decode)
    if photos is not None and crop_photo is not None:
        sources[SERVED] = (photos, crop_photo)
    if not sources:
        raise PairsError("calibration needs aligned images, or photos and a way to crop them")
    paths: dict[str, Floats] = {}
    degraded: dict[str, Floats] = {}
    lost: list[str] = []
    for path, (root, crop) in sources.items():
        copies = DEGRADATIONS if degraded_copies and not paths else {}
        with PhotoStore(root) as store:
            names = [name for name in pairs.photos if not partial or name in store]
            embeddings, without_face = _embed(model, store, names, crop, copies, path)
        paths[path], *others = (_compare(pairs, names, rows) for rows in embeddings)
        degraded |= zip(copies, others, strict=True)
        lost += without_face
    return Similarities(paths, degraded, tuple(lost))


def _compare(pairs: PairSet, names: list[str], embeddings: Floats) -> Floats:
    """(M,D) unit rows of ``names`` -> (N,) cosines, NaN where a photo has no embedding."""
    rows = np.full((len(pairs.photos), embeddings.shape[1]), np.nan)
    rows[np.isin(pairs.photos, names)] = embeddings  # both are sorted by name
    a, b = pairs.rows(pairs.photos)
    return (rows[a] * rows[b]).sum(axis=1)


def _embed(
    model: FaceEmbedder,
    store: PhotoStore,
    names: list[str],
    crop: CropPhoto,
    copies: Mapping[str, Degrade],
    path: str,
) -> tuple[list[Floats], list[str]]:
    """(M,D) embeddings of the crops and of each degraded copy, NaN for the lost; their names."""
    kinds: list[Degrade] = [lambda image: image, *copies.values()]
    rows: list[Floats] = [np.full((len(names), model.embedding_dim), np.nan) for _ in kinds]
    lost: list[str] = []
    for start in tqdm(
        range(0, len(names), BATCH), desc=f"{model.name}, {path} crops", unit="batch"
    ):
        found, crops = [], []
        for i, name in enumerate(names[start : start + BATCH], start):
            photo = store.read(name)
            try:
                pixels = crop(photo)
            except PairsError:
                raise
            except XfvError:
                lost.append(name)
                continue
            found.append(i)
            crops.append(_sized(pixels, model.input_size, name))
        for row, degrade in zip(rows, kinds, strict=True):
            if found:
                row[found] = _embed_batch(model, [degrade(image) for image in crops])
    return rows, lost


def _sized(pixels: Pixels, size: int, name: str) -> Image.Image:
    if pixels.shape != (size, size, 3):
        height, width = pixels.shape[:2]
        raise PairsError(
            f"{name} is a crop of {width}x{height} px, but this model takes {size}x{size}: "
            "give the whole photos instead"
        )
    return Image.fromarray(pixels)


def _embed_batch(model: FaceEmbedder, crops: list[Image.Image]) -> NDArray[np.float32]:
    x = torch.from_numpy(np.stack([np.asarray(image) for image in crops]))  # (B, S, S, 3)
    x = (x.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=torch.channels_last)
    return embed_all(model, x, fast=False).cpu().numpy()  # (B, D)


def decode(data: bytes) -> Pixels:
    """The bytes of an aligned crop as uint8 (H,W,3) RGB."""
    try:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    except OSError:
        raise PairsError("one of the aligned images is not a picture") from None


def middle_square(data: bytes, side: int, size: int) -> Pixels:
    """The ``side`` px square in the middle of a photo as uint8 (size,size,3): no face is looked
    for, so it lies as it lies. PairsError for a smaller photo."""
    photo = Image.fromarray(decode(data))
    if min(photo.size) < side:
        raise PairsError(f"a photo of {photo.width}x{photo.height} px has no square of {side} px")
    left, top = (photo.width - side) / 2, (photo.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(photo.resize((size, size), Image.Resampling.BICUBIC, box=box))


def read_crop(store: PhotoStore, name: str) -> torch.Tensor:
    """An aligned crop of a store as (3,S,S) float32 RGB in [0,1]."""
    pixels = decode(store.read(name)).copy()
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def _blur(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(2 * image.width / 112))


def _jpeg20(image: Image.Image) -> Image.Image:
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=20)
    return Image.open(memory).convert("RGB")


def _32px(image: Image.Image) -> Image.Image:
    small = image.resize((32, 32), Image.Resampling.BICUBIC)
    return small.resize(image.size, Image.Resampling.BICUBIC)


DEGRADATIONS: Mapping[str, Degrade] = {
    "blur, sigma 2 px in 112": _blur,
    "JPEG quality 20": _jpeg20,
    "32 px wide": _32px,
}
