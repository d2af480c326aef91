"""Faces with known landmarks, cut so that they lie aligned, as served, or anyhow."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from xfv_core.evaluation.data.pairs import PhotoStore
from xfv_core.evaluation.verdicts.calibration import decode
from xfv_core.faces import TEMPLATE, Crop, NoFaceError, align, cut
from xfv_core.faces import Face as DetectedFace
from xfv_core.faces.images import Photo
from xfv_core.lists.faces import read_faces, shard_file
from xfv_core.weights.held_out import HELD_OUT_PEOPLE, held_out

SHIFT, SCALE, TURN = 8.0, 0.15, 20.0  # px of a 112 px crop, relative, degrees
MIDDLE = 134  # px of a 250 px LFW photo: as large as the face's box and its margin are


@dataclass(frozen=True, eq=False)
class Face:
    """A photo (H,W,3) uint8 RGB, its landmarks (5,2) and the unmoved crop's (2,3) matrix."""

    pixels: NDArray[np.uint8]
    landmarks: NDArray[np.floating]
    matrix: NDArray[np.float64]


def held_out_people(folder: Path, every: int, margin: int = 12, down: float = 8.0) -> list[Face]:
    """The photos of a training folder whose people ``holdout_people`` = ``every`` kept out.

    They are template crops with ``margin`` px around; ``down``: where the network's crop lies.
    """
    return _aligned(_held_out_photos(folder, every)[0], margin, down)


def people_learnt_from(folder: Path, n: int, margin: int = 12, down: float = 8.0) -> list[Face]:
    """At most ``n`` photos, spread over them all, of the labelled people whom trainings see."""
    photos, _ = _labelled_photos(folder, lambda labels: ~held_out(labels), at_most=n)
    return _aligned(photos, margin, down)


def _aligned(photos: list[NDArray[np.uint8]], margin: int, down: float) -> list[Face]:
    matrix = np.array([[1, 0, -margin], [0, 1, -margin - down]], float)
    return [Face(photo, TEMPLATE + margin, matrix) for photo in photos]


def held_out_crops(folder: Path, margin: int = 12) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The template crops (N,112,112,3) and labels (N,) of the people that no training sees."""
    photos, labels = _held_out_photos(folder, HELD_OUT_PEOPLE)
    return np.stack(photos)[:, margin:-margin, margin:-margin], labels


def _held_out_photos(folder: Path, every: int) -> tuple[list[NDArray[np.uint8]], NDArray[np.int64]]:
    return _labelled_photos(folder, lambda labels: held_out(labels, every))


def _labelled_photos(
    folder: Path,
    whose: Callable[[list[int]], NDArray[np.bool_]],
    at_most: int | None = None,
) -> tuple[list[NDArray[np.uint8]], NDArray[np.int64]]:
    """Photos and labels of a training folder's people whom ``whose`` chooses, by shards."""
    rows = [row for row in read_faces(folder) if row.label is not None]
    chosen = whose([row.label or 0 for row in rows])
    rows = [row for row, wanted in zip(rows, chosen, strict=True) if wanted]
    rows = rows[:: -(-len(rows) // at_most)] if at_most and rows else rows
    rows.sort(key=lambda row: row.shard)
    photos = []
    for shard, group in itertools.groupby(rows, key=lambda row: row.shard):
        with PhotoStore(shard_file(folder, shard)) as store:
            photos += [decode(store.read(row.file)) for row in group]
    return photos, np.array([row.label for row in rows])


def crops_of_photos(
    files: PhotoStore,
    find: Callable[[bytes], tuple[Photo, DetectedFace, Crop]],
    size: int,
    *,
    n: int,
    seed: int,
) -> dict[str, list[Crop]]:
    """``n`` photos drawn by ``seed``, each cut in three ways: moved at random about the crop that
    ``find`` gives, aligned on the template, and the fixed square in the photo's middle."""
    rng = np.random.default_rng(seed)
    crops: dict[str, list[Crop]] = {"moved at random": [], "aligned": [], "middle square": []}
    for name in tqdm(rng.permutation(files.names)[:n], desc="faces", unit="photo"):
        try:
            photo, face, crop = find(files.read(str(name)))
        except NoFaceError:
            continue
        pixels, landmarks = photo.pixels, face.landmarks
        moved = jittered(Face(pixels, landmarks, crop.matrix), size, rng)
        crops["moved at random"].append(moved)
        crops["aligned"].append(align(pixels, landmarks, size))
        corner = (np.array(pixels.shape[1::-1]) - MIDDLE) / 2 - 0.5  # of the square, in indices
        scale = size / MIDDLE
        matrix = np.column_stack([np.eye(2) * scale, -scale * corner - 0.5])
        crops["middle square"].append(cut(pixels, matrix, landmarks, size))
    return crops


def unmoved(face: Face, size: int) -> Crop:
    """The face's crop as the network is served it."""
    return cut(face.pixels, face.matrix, face.landmarks, size)


def jittered(face: Face, size: int, rng: np.random.Generator) -> Crop:
    """The face's crop, moved, scaled and turned at random about its middle."""
    angle = np.deg2rad(rng.uniform(-TURN, TURN))
    grow = 1 + rng.uniform(-SCALE, SCALE)
    move = rng.uniform(-SHIFT, SHIFT, 2) * size / 112
    turn = grow * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.full(2, (size - 1) / 2)
    shift = turn @ (face.matrix[:, 2] - middle) + middle + move
    matrix = np.column_stack([turn @ face.matrix[:, :2], shift])
    return cut(face.pixels, matrix, face.landmarks, size)
