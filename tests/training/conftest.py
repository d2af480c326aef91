"""A training set in miniature: 40 random photos in two shards, two teachers, four people."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xfv_core.training.config import TrainConfig, config_from_dict
from xfv_core.training.data import TrainingSet, load_training_set

COUNT = 40
TOY_CONFIG = {
    "name": "toy",
    "arch": "rrf",
    "model": {"layers": [[28, 14, 8], [3, 1, 8]], "hidden": 8, "local": 4, "dim": 8},
    "steps": 6,
    "batch": 8,
    "warmup": 2,
    "precision": "no",
    "teachers": ["one", "two"],
    "holdout": 10,
    "log_every": 1,
    "watch_every": 3,
    "losses": {"cosine": 1.0, "similarity": 1.0, "identity": 0.1},
}


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with two shards; photo i is plain grey of level 6·i, so that rows can be told."""
    folder = tmp_path_factory.mktemp("toy_data")
    rng = np.random.default_rng(0)
    rows = []
    for shard in range(2):
        with tarfile.open(folder / f"faces_train-{shard:03d}.tar", "w") as tar:
            for index in reversed(range(shard * COUNT // 2, (shard + 1) * COUNT // 2)):
                name = f"{index:06d}.webp"
                _add(tar, name, np.full((136, 136, 3), 6 * index, np.uint8))
                label = str(index % 4) if index % 2 else ""
                rows.append({"index": index, "shard": shard, "file": name, "label": label})
    with (folder / "faces_train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    teachers = {name: _unit(rng.normal(size=(COUNT, 4))) for name in ("one", "two")}
    np.savez(folder / "faces_train_teacher.npz", **teachers)
    return folder


@pytest.fixture
def toy_config() -> TrainConfig:
    """Six steps on the CPU in float32."""
    return config_from_dict(TOY_CONFIG)


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def _add(tar: tarfile.TarFile, name: str, pixels: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True)
    info = tarfile.TarInfo(name)
    info.size = buffer.tell()
    buffer.seek(0)
    tar.addfile(info, buffer)


@pytest.fixture
def data(toy_data: Path, tmp_path: Path) -> TrainingSet:
    return load_training_set(toy_data, tmp_path / "cache", ["one", "two"])
