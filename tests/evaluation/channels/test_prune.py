"""Channels without a part go; what the others tell is fitted to what all of them told."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from xfv_core.evaluation.channels.prune import PruneError, fitted_anew, prune
from xfv_core.models.blocks import Layer
from xfv_core.models.ecnet import ECConfig, ECNet

from .test_parts import colours, crops

SHAPE = ECConfig((Layer(8, 8, 4),), blocks=0, channels=3, head=4, local=3, dim=5)


def painted() -> ECNet:
    """Three channels: the left eye, the mouth, and one that always fires in the corner."""
    torch.manual_seed(0)
    network = ECNet(SHAPE, name="painted").folded()
    network.maps = colours  # type: ignore[method-assign]
    return network


def test_a_channel_that_looks_beside_the_face_goes() -> None:
    pruned, gone = prune(painted(), crops(40))
    assert gone == (2,) and pruned.channels == 2


def test_embeddings_come_nearer_to_what_they_were() -> None:
    network = painted()
    photos = [torch.from_numpy(c.pixels).permute(2, 0, 1).float() / 255 for c in crops(40)]
    maps = colours(torch.stack(photos))
    level = maps.mean((0, 2, 3))

    def likeness(other: ECNet) -> float:
        kept = other.embed_maps(maps[:, :2])
        return float(functional.cosine_similarity(kept, network.embed_maps(maps)).mean())

    assert likeness(prune(network, crops(40))[0]) > likeness(network.without([2], level))


def test_nothing_goes_where_nothing_is_asked_for_and_not_all_may_go() -> None:
    pruned, gone = prune(painted(), crops(10), below=0)
    assert gone == () and pruned.channels == 3
    with pytest.raises(PruneError, match="nothing would be left"):
        prune(painted(), crops(10), below=1.01)


def test_weights_that_fit_already_stay_and_others_move_towards_what_is_wanted() -> None:
    features, weight = torch.rand(6, 9), torch.rand(2, 9)
    torch.testing.assert_close(fitted_anew(weight, features, features @ weight.T), weight)
    wanted = torch.rand(6, 2)

    def missing(w: Tensor) -> float:
        return float((features @ w.T - wanted).norm())

    assert missing(fitted_anew(weight, features, wanted)) < 0.8 * missing(weight)
