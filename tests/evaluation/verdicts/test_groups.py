"""False matches by group, on similarities whose rates are known by hand."""

from __future__ import annotations

import csv
import io
import tarfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from xfv_core.evaluation.kept import read_rows, write_rows
from xfv_core.evaluation.verdicts import groups
from xfv_core.evaluation.verdicts.groups import (
    PhotoRow,
    by_thresholds,
    cells,
    false_matches,
    measure_groups,
)
from xfv_core.lists.faces import FaceRow
from xfv_core.lists.reading import ListError
from xfv_core.models import FaceModel


class Colour(FaceModel):
    """A toy: the embedding is the mean colour."""

    name, input_size, embedding_dim = "toy", 112, 3

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def embed(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x.mean((2, 3)), dim=1)


def row(index: int, gender: str, group: str, age: int) -> FaceRow:
    return FaceRow(index, 0, f"{index}.png", "utkface", None, age, gender, group)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four women of one colour, all alike; four men of four colours, all different."""
    colours = [(255, 0, 0)] * 4 + [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    rows = [row(i, "female" if i < 4 else "male", "blue", 30) for i in range(8)]
    with tarfile.open(tmp_path / "faces_train-000.tar", "w") as tar:
        for i, colour in enumerate(colours):
            frame = Image.new("RGB", (136, 136), "white")  # what the crop must not see
            frame.paste(Image.new("RGB", (112, 112), colour), (12, 12))
            memory = io.BytesIO()
            frame.save(memory, "PNG")
            member = tarfile.TarInfo(f"{i}.png")
            member.size = memory.tell()
            memory.seek(0)
            tar.addfile(member, memory)
    with (tmp_path / "faces_train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, asdict(rows[0]))
        writer.writeheader()
        writer.writerows(map(asdict, rows))
    return tmp_path


def test_cells_get_their_own_rates(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "FEWEST", 4)
    rows = measure_groups(Colour(), folder, by_thresholds({"balanced": 0.9, "lax": 0.5}))
    found = groups.summarise(rows)
    rates = {cell["name"]: cell["fmr"] for cell in found}
    assert rates["blue, female"] == {"balanced": 1.0, "lax": 1.0}
    assert rates["blue, male"]["balanced"] == 0
    assert rates["blue, male"]["lax"] == pytest.approx(2 / 6)  # yellow with red and with green
    assert {"20 to 39, female", "20 to 39, male"} <= rates.keys()
    assert {(cell["photos"], cell["pairs"]) for cell in found} == {(8, 28), (4, 6)}


def test_rows_that_were_kept_give_the_same_cells(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "FEWEST", 4)
    rows = measure_groups(Colour(), folder, by_thresholds({"balanced": 0.9, "none": 2.0}))
    write_rows(folder / "rows.parquet", rows, {})
    kept = read_rows(folder / "rows.parquet", PhotoRow)
    assert groups.summarise(kept, 1) == groups.summarise(rows, 1)
    assert [row.matches["balanced"] for row in kept if row.cell == "blue, male"] == [[]] * 4


def test_the_interval_holds_the_rate_and_shrinks_with_more_photos() -> None:
    rng = np.random.default_rng(0)

    def width(n: int) -> float:
        points = np.random.default_rng(n).standard_normal((n, 3))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        rate, (low, high) = false_matches(points @ points.T >= 0.5, rng)
        assert low <= rate <= high
        return high - low

    assert width(400) < width(40)


def test_a_photo_is_no_pair_with_itself() -> None:
    assert false_matches(np.eye(5) > 0, np.random.default_rng(0)) == (0, (0, 0))


def test_small_cells_are_left_out_and_adults_only_stand_by_group() -> None:
    rows = [row(i, "female", "blue", 30) for i in range(groups.FEWEST)]
    rows += [row(i, "female", "green", 5) for i in range(groups.FEWEST)]
    rows += [row(i, "male", "blue", 30) for i in range(groups.FEWEST - 1)]
    assert [name for name, _ in cells(rows)] == [
        "adults, mixed", "blue, female", "under 13, female", "20 to 39, female",
    ]  # fmt: skip


def test_a_folder_without_labels_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ListError, match=r"faces_train\.csv"):
        measure_groups(Colour(), tmp_path, by_thresholds({"balanced": 0.5}))
