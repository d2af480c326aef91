"""Channels without a part go, the others stay as they were."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from xfv_core.evaluation.channels.prune import PruneError, prune

from .test_parts import colours, crops


class Painted:
    """What is asked of a network: three channels, of which the last fires in the corner."""

    channels = 3
    maps = staticmethod(colours)

    def without(self, channels: tuple[int, ...], means: Tensor) -> Tensor:
        self.gone = channels
        return means


def test_a_channel_that_looks_beside_the_face_goes() -> None:
    network = Painted()
    means, gone = prune(network, crops(40))  # type: ignore[arg-type]
    assert gone == network.gone == (2,)
    expected = torch.stack(
        [colours(torch.from_numpy(c.pixels).permute(2, 0, 1)[None] / 255) for c in crops(40)]
    )
    assert torch.allclose(means, expected.mean((0, 1, 3, 4)), atol=1e-6)  # type: ignore[arg-type]


def test_nothing_goes_where_nothing_is_asked_for_and_not_all_may_go() -> None:
    assert prune(Painted(), crops(10), below=0)[1] == ()  # type: ignore[arg-type]
    with pytest.raises(PruneError, match="nothing would be left"):
        prune(Painted(), crops(10), below=1.01)  # type: ignore[arg-type]
