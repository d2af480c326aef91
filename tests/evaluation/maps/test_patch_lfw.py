"""Pasted places are the truth: maps that find them score 1, blind ones a half."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.evaluation.noise import noise_pairs
from tests.explain.test_fidelity import Brightness
from tests.explain.toys import SIDE, OneCell
from xfv_core.evaluation.maps.patch_lfw import (
    SHARES,
    PatchRow,
    auroc,
    give_back,
    locate,
    measure_patches,
    other_person,
    pasted,
    pasted_places,
    summarise,
)
from xfv_core.evaluation.maps.rows import read_rows
from xfv_core.evaluation.maps.study import Study, StudyError
from xfv_core.explain.base import Cost, Maps

PLACES = pasted_places(SIDE)
WHITE, BLACK = torch.ones(3, SIDE, SIDE), torch.zeros(3, SIDE, SIDE)


def showing(values: np.ndarray):
    def explain(model, a, b, *, threshold, steps=None):
        yield Maps(values.astype(np.float32), values.astype(np.float32), "m", "toy", Cost(1, 0.1))

    return explain


def test_the_places_are_those_of_every_pair_and_have_their_size() -> None:
    full = pasted_places(112)
    assert np.array_equal(full, pasted_places(112))
    assert 16 * 16 < full.sum() <= 27 * 16 * 16
    one = pasted_places(112, count=1)
    rows, columns = np.nonzero(one)
    assert np.ptp(rows) == np.ptp(columns) == 15 and one.sum() == 256


def test_only_the_places_are_pasted() -> None:
    photo = pasted(BLACK, WHITE, PLACES)
    assert torch.equal(photo[0] == 1, torch.from_numpy(PLACES))


def test_auroc_is_one_for_the_truth_zero_for_its_opposite_and_a_half_for_ties() -> None:
    assert auroc(PLACES.astype(float), PLACES) == 1
    assert auroc(-PLACES.astype(float), PLACES) == 0
    assert auroc(np.zeros((SIDE, SIDE)), PLACES) == 0.5
    half = PLACES.astype(float)
    half[tuple(np.argwhere(PLACES)[0])] = -1  # below everything outside
    assert auroc(half, PLACES) == pytest.approx(1 - 1 / PLACES.sum())


def test_a_genuine_pair_wants_the_places_dissimilar_an_impostor_pair_similar() -> None:
    truth = np.where(PLACES, 1.0, 0.0)
    for genuine, right in ((True, -truth), (False, truth)):
        for values, expected in ((right, 1), (-right, 0)):
            found = locate(
                Brightness(), showing(values), (pasted(WHITE, BLACK, PLACES), WHITE), WHITE,
                PLACES, genuine=genuine, threshold=0.9, decide_at=0.9,
            )  # fmt: skip
            assert found.auroc == expected and found.pointing is bool(expected)


def test_a_flat_map_points_nowhere() -> None:
    flat = showing(np.zeros((SIDE, SIDE)))
    found = locate(
        Brightness(), flat, (pasted(WHITE, BLACK, PLACES), WHITE), WHITE, PLACES,
        genuine=True, threshold=0.9, decide_at=0.9,
    )  # fmt: skip
    assert (found.auroc, found.pointing) == (0.5, False)


def test_giving_back_the_pasted_pixels_first_brings_the_decision_back_soonest() -> None:
    patched = pasted(WHITE, BLACK, PLACES)  # darker than WHITE, so it is rejected
    truth = np.where(PLACES, -1.0, 1.0)
    soon, late = (
        give_back(Brightness(), (patched, WHITE), WHITE, values, 0.99) for values in (truth, -truth)
    )
    assert not late[0] and soon[-1] and late[-1]
    assert soon.sum() > late.sum()
    assert (np.diff(soon.astype(int)) >= 0).all()
    assert soon[PLACES.mean() < SHARES].all()


def test_of_equally_strong_pixels_one_is_drawn_by_lot() -> None:
    values = np.zeros((SIDE, SIDE))
    inside, outside = np.argwhere(PLACES)[0], np.argwhere(~PLACES)[0]
    values[tuple(inside)] = values[tuple(outside)] = -1
    pair = (pasted(WHITE, BLACK, PLACES), WHITE)
    options = {"genuine": True, "threshold": 0.9, "decide_at": 0.9}
    hits = [
        locate(Brightness(), showing(values), pair, WHITE, PLACES, seed=seed, **options).pointing
        for seed in range(20)
    ]
    assert 0 < sum(hits) < 20


def test_the_other_person_is_in_neither_photo_and_the_same_every_time(tmp_path: Path) -> None:
    pairs = noise_pairs(tmp_path)
    for i in range(6):
        chosen = other_person(pairs, i)
        assert chosen == other_person(pairs, i)
        assert Path(chosen).parent not in {
            Path(pairs.paths_a[i]).parent,
            Path(pairs.paths_b[i]).parent,
        }
    with pytest.raises(StudyError, match="folder per person"):
        other_person(replace(pairs, paths_a=("0.png",) * 6, paths_b=("1.png",) * 6), 0)


def test_the_summary_holds_genuine_and_impostor_pairs_apart(tmp_path: Path) -> None:
    methods = ["fggb", "random"]
    study = Study(
        OneCell(), noise_pairs(tmp_path), tmp_path, methods, threshold=0.3, decide_at=0.99, n=6
    )
    measure_patches(study, tmp_path / "out")
    rows = read_rows(tmp_path / "out", PatchRow)
    table = summarise(tmp_path / "out")
    genuine, impostor = (table["methods"]["fggb"][kind] for kind in ("genuine", "impostor"))
    assert genuine["n"] == impostor["n"] == 3
    accepted = {
        kind: np.array([r.methods["fggb"].accepted for r in rows if r.genuine == kind])
        for kind in (True, False)
    }
    assert genuine["error"] == pytest.approx(100 * (1 - accepted[True].mean()))  # FNMR
    assert impostor["error"] == pytest.approx(100 * accepted[False].mean())  # FMR
    assert impostor["error_curve"] == pytest.approx(accepted[False].mean(0))
    by_lot = np.mean([r.chance for r in rows if not r.genuine])
    assert table["random"]["impostor"]["error"] == pytest.approx(100 * by_lot)
