"""Three photos tell whether a network is fed as it was trained."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from xfv_core.models.check import NetworkCheck, check_network
from xfv_core.models.torch_module import TorchModel

SIDE = 32


class Reds(nn.Module):
    """Embeds a face by the differences of its red cells: right only where red comes first."""

    def forward(self, x: Tensor) -> Tensor:
        cells = nn.functional.avg_pool2d(x[:, 0], 8).flatten(1)  # (B, 16)
        return cells - cells.mean(1, keepdim=True)


def face(red: Tensor, blue: Tensor) -> Tensor:
    """(3,32,32) of 4 x 4 cells in red and in blue."""
    cells = torch.stack([red, torch.full_like(red, 0.5), blue])
    return cells.repeat_interleave(8, 1).repeat_interleave(8, 2)


@pytest.fixture
def photos() -> tuple[Tensor, Tensor, Tensor]:
    """Red tells two people apart; blue says the opposite."""
    one, other = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(0))
    return face(one, one), face(one, other), face(other, one)


def checked(photos: tuple[Tensor, Tensor, Tensor], channels: str) -> NetworkCheck:
    network = TorchModel(Reds(), name="reds", size=SIDE, channels=channels)  # type: ignore[arg-type]
    return check_network(network, *photos)


def test_a_network_fed_rightly_passes_and_its_people_are_told_apart(
    photos: tuple[Tensor, Tensor, Tensor],
) -> None:
    found = checked(photos, "rgb")
    assert found.passed and found.better is None
    assert found.trials[0].genuine == pytest.approx(1, abs=1e-5)
    assert found.trials[0].impostor < 0.9
    assert found.trials[0].to_declared == pytest.approx(1, abs=1e-5)


def test_swapped_channels_are_found_and_named(photos: tuple[Tensor, Tensor, Tensor]) -> None:
    found = checked(photos, "bgr")
    assert not found.passed
    assert found.better is not None and found.better.feeding == "channels swapped"
    assert found.better.gap > 0 > found.trials[0].gap


def test_every_other_usual_normalisation_is_tried_beside_its_own(
    photos: tuple[Tensor, Tensor, Tensor],
) -> None:
    feedings = [trial.feeding for trial in checked(photos, "rgb").trials]
    assert feedings[:2] == ["as declared", "channels swapped"]
    assert len(feedings) == 5 and "normalised as x·2 - 1" not in feedings


def test_another_normalisation_is_what_the_network_would_get(
    photos: tuple[Tensor, Tensor, Tensor],
) -> None:
    seen: list[Tensor] = []

    class Watch(Reds):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return super().forward(x)

    check_network(TorchModel(Watch(), name="watch", size=SIDE), *photos)
    expected = torch.stack(photos)
    assert any(x.shape == expected.shape and torch.allclose(x, expected, atol=1e-5) for x in seen)
