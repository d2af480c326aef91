"""What ``evaluate`` says of the probability, on a toy network with measures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.evaluation.verdicts.test_calibration import MeanColour
from xfv_core.confidence import fit
from xfv_core.confidence.cohort import Cohort
from xfv_core.confidence.conditional import Gap, PairCurve, PairRule, Term
from xfv_core.evaluation.data.pairs import read_pairs
from xfv_core.evaluation.kept import read_rows, write_rows
from xfv_core.evaluation.verdicts.evaluate import PairRow, evaluate_model, summarise

CURVE = PairCurve(
    0.5, 3.0, (Term("norm", "lower", 0, 10, 1, 0.0, 0.0),), Gap(-1, -2, 0, 0, 0),
    0.99, 200, 200, "toy", (PairRule("balanced", 0.0, {}),),
)  # fmt: skip


class Colours(MeanColour):
    """The mean colour of a crop of 112 px, with its length."""

    input_size = 112
    embedding_dim = 3

    def raw(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) - 0.5

    def embed(self, x: Tensor) -> Tensor:
        return torch.nn.functional.normalize(self.raw(x), dim=1)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """40 genuine pairs of two reds, 40 impostor pairs of a red and a blue, in two groups."""
    rng = np.random.default_rng(0)
    lines = ["path_a,path_b,label,group"]
    for i in range(80):
        genuine = i < 40
        for side in "ab":
            colour = (220, 30, 30) if genuine or side == "a" else (30, 30, 220)
            pixels = np.clip(rng.normal(colour, 10, (112, 112, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{i}{side}.png")
        lines.append(f"{i}a.png,{i}b.png,{int(genuine)},{'even' if i % 2 else 'odd'}")
    file = tmp_path / "pairs.csv"
    file.write_text("\n".join(lines))
    return file


@pytest.fixture
def evaluated(csv: Path) -> tuple[list[PairRow], dict]:
    rng = np.random.default_rng(1)
    s = np.concatenate([rng.normal(0.8, 0.2, 200), rng.normal(0.0, 0.2, 200)])
    plain = fit(s, np.arange(400) < 200, dataset="toy", protocol="toy")
    centres = np.eye(12, 3, dtype=np.float32)
    cohort = Cohort(centres, centres, np.zeros(6, np.float32), np.zeros(7, np.float32))
    pairs = read_pairs(csv)
    calibration = replace(plain, conditional=CURVE)
    return evaluate_model(Colours(), pairs, pairs.root, calibration=calibration, cohort=cohort)


@pytest.fixture
def table(evaluated) -> dict:
    return evaluated[1]


def test_rows_that_were_kept_give_the_same_summary(evaluated, tmp_path: Path):
    rows, table = evaluated
    write_rows(tmp_path / "rows.parquet", rows, {})
    kept = read_rows(tmp_path / "rows.parquet", PairRow)
    assert kept == rows and len(kept) == 80
    assert summarise(kept).items() <= table.items()
    assert kept[3].columns == {"group": "even"} and kept[3].a is not None


def test_a_csv_of_aligned_crops_gives_the_probability_and_the_error_rates(table):
    assert table["n"] == 80 and table["measures"] is True
    assert (table["fmr"], table["fnmr"], table["accuracy"]["mean"]) == (0, 0, 1)
    expected = {"n", "ece", "ece_band", "nll", "brier", "cllr", "cllr_min", "cllr_cal",
                "above_99", "above_99_9"}  # fmt: skip
    assert set(table["probability"]) == expected
    assert table["probability"]["cllr_min"] == 0


def test_other_columns_and_deciles_of_each_measure_are_slices(table):
    assert {slice_["n_genuine"] for slice_ in table["slices"]["group"].values()} == {20}
    assert {"norm", "sharpness", "typicality"} <= set(table["slices"])


def test_the_table_is_json(table):
    assert json.loads(json.dumps(table))["rule"] == "balanced"
