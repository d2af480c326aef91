"""The rivals of the benchmark compute what ours computes, so that a race compares only speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from xfv_core.evaluation.kept import read_rows, write_rows
from xfv_core.evaluation.speed.bench import Contender, Turn, race, results_of
from xfv_core.evaluation.speed.rivals import (
    captum_masks,
    captum_occlusion,
    looped_fggb,
    plain_embed,
    unfold,
)
from xfv_core.explain.fggb import FGGB
from xfv_core.explain.masks import PRESETS
from xfv_core.models.base import Chain, FaceModel


class Small(FaceModel):
    """A chain of every kind of layer, 28 px photos to 5 numbers."""

    name, input_size, embedding_dim = "small", 28, 5

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(2)
            convs = [nn.Conv2d(3, 6, 3, 2), nn.PReLU(6), nn.Conv2d(6, 6, 3, 2, groups=6), nn.ReLU()]
            self.layers = nn.Sequential(*convs, nn.Flatten(), nn.Linear(6 * 36, 5))
        self.requires_grad_(False).eval()

    def embed(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(self.layers(2 * x - 1), dim=1)

    def chain(self) -> Chain:
        return Chain(2.0, -1.0, self.layers)


def photos(side: int = 28) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_unfolding_moves_the_biases_into_batch_norms_and_changes_no_embedding() -> None:
    model = Small()
    network = unfold(model.chain())
    weights = [layer for layer in network if isinstance(layer, nn.Conv2d | nn.Linear)]
    norms = [layer for layer in network if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert len(weights) == len(norms) == 3 and all(layer.bias is None for layer in weights)
    assert torch.allclose(plain_embed(model)(photos()), model.embed(photos()), atol=1e-5)
    assert all(layer.bias is not None for layer in (model.layers[0], model.layers[-1]))


def test_the_looped_fggb_is_our_fggb() -> None:
    model = Small()
    looped = looped_fggb(model.embed, photos(), 0.2).numpy()
    *_, ours = FGGB()(model, *photos(), threshold=0.2)
    assert np.allclose(looped, np.stack([ours.a, ours.b]), atol=1e-5)


@pytest.mark.parametrize("preset", ["fast", "standard"])
def test_captum_embeds_as_many_masked_photos_as_it_is_charged_for(preset: str) -> None:
    pytest.importorskip("captum")
    seen = 0

    def embed(x: Tensor) -> Tensor:
        nonlocal seen
        seen += len(x)
        return nn.functional.normalize(x.mean((2, 3)), dim=1)

    captum_occlusion(embed, photos(112), preset, batch=32)
    plain = 2 + 2 * len(PRESETS[preset].patches)  # the photos as they are, once more in every run
    assert seen - plain == 2 * captum_masks(preset) == 2 * PRESETS[preset].masks


def test_a_race_lets_everybody_run_once_a_round_and_scales_by_the_share(tmp_path: Path) -> None:
    calls = []
    contenders = [Contender(name, lambda n=name: calls.append(n)) for name in ("ours", "theirs")]
    turns = list(race("nothing", contenders[0], contenders[1:], rounds=2))
    (result,) = results_of(turns)
    write_rows(tmp_path / "rows.parquet", turns, {})
    assert calls == ["ours", "ours", "theirs", "ours", "theirs"]
    assert (result.what, result.rival) == ("nothing", "theirs") and result.ratio > 0
    idle = [Contender("idle", list, share=0)]
    assert results_of(read_rows(tmp_path / "rows.parquet", Turn)) == [result]
    (none,) = results_of(list(race("nothing", contenders[0], idle, rounds=1)))
    assert none.theirs == none.ratio == 0
