"""Prototypes go from one training of an ECNet into the next, those beside the face last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from xfv_core.cli import app
from xfv_core.training.config import TrainConfig
from xfv_core.training.data import TrainingSet
from xfv_core.training.ecloss import ECWeights
from xfv_core.training.loop import Trainer
from xfv_core.training.prototypes import PrototypeError, beside_last, found_in, load_prototypes

from .test_loop import checkpoint, ec_config


@pytest.mark.parametrize(
    ("beside", "order", "parts", "pairs"),
    [
        (set(), [0, 1, 2, 3, 4], 5, 1),
        ({3, 8}, [0, 1, 2, 4, 3], 4, 1),
        ({3}, [0, 1, 2, 3, 4], 5, 1),  # one of its two channels are not most of them
        ({0, 5}, [0, 1, 2, 3, 4], 5, 1),  # the other half of the pair looks at the face
        ({0, 5, 1, 6, 4, 9}, [2, 3, 0, 1, 4], 2, 0),
    ],
)
def test_parts_beside_the_face_come_last_and_pairs_stay_together(
    beside: set[int], order: list[int], parts: int, pairs: int
) -> None:
    found, weights = beside_last(ECWeights(parts=5, pairs=1), 10, beside)
    assert found == order
    assert (weights.parts, weights.pairs, weights.beside) == (parts, pairs, 5 - parts)


def test_not_all_prototypes_may_lie_beside_the_face() -> None:
    with pytest.raises(PrototypeError, match="nothing is left"):
        beside_last(ECWeights(parts=5, pairs=1), 10, set(range(10)))


def test_the_next_training_begins_with_them_and_keeps_them(
    toy_data: Path,
    data: TrainingSet,
    tmp_path: Path,
) -> None:
    Trainer(ec_config(), data, tmp_path / "first").run(until=4)
    file = tmp_path / "parts.safetensors"
    asked = {"run": tmp_path / "first", "data": toy_data, "out": file, "below": 0}
    words = [str(word) for name, value in asked.items() for word in (f"--{name}", value)]
    said = CliRunner().invoke(app, ["prototypes", *words])
    assert said.exit_code == 0, said.output
    entries = json.loads(said.stdout)
    assert entries == {"prototypes": "parts.safetensors", "parts": 2, "pairs": 0, "beside": 0}
    found = found_in(tmp_path / "first")
    torch.testing.assert_close(load_prototypes(str(file)), (found.mean, found.prototypes))

    terms = {"part": 0.1, "start": 1, **entries, "prototypes": str(file)}
    Trainer(ec_config(channels=terms), data, tmp_path / "second").run()
    torch.testing.assert_close(
        checkpoint(tmp_path / "second")["student"]["ecloss.prototypes"], found.prototypes
    )


def test_prototypes_come_from_trainings_with_channels(
    toy_config: TrainConfig,
    data: TrainingSet,
    tmp_path: Path,
) -> None:
    with pytest.raises(PrototypeError, match="no training"):
        found_in(tmp_path)
    Trainer(toy_config, data, tmp_path).run(until=1)
    with pytest.raises(PrototypeError, match="train an ECNet"):
        found_in(tmp_path)


def test_a_file_without_prototypes_is_named(tmp_path: Path) -> None:
    with pytest.raises(PrototypeError, match="nowhere"):
        load_prototypes("nowhere.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    save_file({"mean": torch.zeros(3)}, tmp_path / "half.safetensors")
    for name in ("text", "half"):
        with pytest.raises(PrototypeError, match=name):
            load_prototypes(str(tmp_path / f"{name}.safetensors"))
