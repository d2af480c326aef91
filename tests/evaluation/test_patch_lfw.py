"""Pasted places are the truth: maps that find them score 1, blind ones a half."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.test_fidelity import SIDE, Brightness
from xfv_core.evaluation.patch_lfw import (
    SHARES,
    auroc,
    give_back,
    locate,
    pasted,
    pasted_places,
)
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
            found, _ = locate(
                Brightness(), showing(values), (pasted(WHITE, BLACK, PLACES), WHITE), WHITE,
                PLACES, genuine=genuine, threshold=0.9,
            )  # fmt: skip
            assert found.auroc == expected and found.pointing is bool(expected)


def test_a_flat_map_points_nowhere() -> None:
    flat = showing(np.zeros((SIDE, SIDE)))
    found, _ = locate(
        Brightness(), flat, (pasted(WHITE, BLACK, PLACES), WHITE), WHITE, PLACES,
        genuine=True, threshold=0.9,
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
