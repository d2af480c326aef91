"""What the bundled patch models promise, on their real weights and real faces."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from xfv_core import Verifier
from xfv_core.models import SumsOverPatches, network_class
from xfv_core.models.rrf import RRFNet
from xfv_core.training.export import BYTE_LIMIT
from xfv_core.weights.hub import ROOT
from xfv_core.weights.manifest import load_manifest

pytestmark = pytest.mark.slow

NAMES = [
    card.name
    for card in load_manifest().models.values()
    if issubclass(network_class(card), SumsOverPatches)
]


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier()


@pytest.fixture(scope="module")
def crops(verifier: Verifier, examples: Path) -> torch.Tensor:
    """Four aligned faces, (4,3,112,112)."""
    names = ("obama", "obama2", "biden", "astronaut")
    faces = [verifier.portrait(examples / f"{name}.jpg", NAMES[0]).tensor() for name in names]
    return torch.stack(faces)


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest, verifier: Verifier) -> RRFNet:
    network = verifier.model(request.param)
    assert isinstance(network, RRFNet)
    return network


def test_a_patch_model_is_bundled_calibrated_and_small() -> None:
    assert NAMES
    for name in NAMES:
        card = load_manifest().card(name)
        assert card.bundled and (ROOT / card.bundled).stat().st_size <= BYTE_LIMIT
        assert card.calibration and card.figures.training and card.figures.results


def test_summands_add_up_to_the_cosine_on_every_pair_of_faces(
    model: RRFNet, crops: torch.Tensor
) -> None:
    embeddings = model.embed(crops)
    for i in range(4):
        scores = model.contributions(crops, crops.roll(i, 0))
        cosines = (embeddings * embeddings.roll(i, 0)).sum(1)
        for total in (scores.a.sum(-1), scores.b.sum(-1), scores.k.sum((-1, -2))):
            torch.testing.assert_close(total, cosines, atol=1e-5, rtol=0)


def test_a_patch_sees_all_of_itself_and_nothing_else(model: RRFNet, crops: torch.Tensor) -> None:
    face, other = crops[0], crops[2]
    clean = model.patch_features(face[None])[0]
    speaking = [i for i in range(model.patch_count) if clean[i].any()]  # the others are silent
    assert len(speaking) >= 0.9 * model.patch_count
    for i in speaking:
        top, left = model.stride * (i // model.grid), model.stride * (i % model.grid)
        inside = torch.zeros(112, 112, dtype=torch.bool)
        inside[top : top + model.patch_size, left : left + model.patch_size] = True
        around = model.patch_features(torch.where(inside, face, other)[None])[0, i]
        assert (around - clean[i]).abs().max() < 1e-5
        for row in (top, top + model.patch_size - 1):
            for column in (left, left + model.patch_size - 1):
                touched = face.clone()
                touched[:, row, column] = 1 - touched[:, row, column]
                assert not torch.equal(model.patch_features(touched[None])[0, i], clean[i])
