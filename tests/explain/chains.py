"""Toy networks that are plain chains, for the methods that walk a chain layer by layer."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from xfv_core.models.base import Chain, FaceModel, Offset, Residual

REFUSED = (  # layers that a chain cannot hold
    nn.BatchNorm2d(3),
    nn.Conv2d(3, 2, 3, padding="same"),
    nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"),
)


class Opaque(FaceModel):
    """normalise(layers(scale·x + shift)), without saying that it is a chain."""

    name = "toy"

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers.requires_grad_(False).eval()
        self.scale, self.shift = 1.5, -0.25

    def embed(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(self.layers(x * self.scale + self.shift).float(), dim=1)


class Toy(Opaque):
    """The same, and it says so."""

    def chain(self) -> Chain:
        return Chain(self.scale, self.shift, self.layers)


def small_network(seed: int, *, open_chain: bool = True) -> Opaque:
    """Dense, depthwise (stride 2) and pointwise convolutions, PReLU of both signs, 9 px -> 6."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        depthwise = nn.Conv2d(4, 4, 3, 2, 1, groups=4)
        layers = [nn.Conv2d(3, 4, 3), nn.PReLU(4), depthwise, nn.ReLU(), nn.Conv2d(4, 5, 1)]
        network = nn.Sequential(*layers, nn.PReLU(5), nn.Flatten(), nn.Linear(5 * 16, 6))
        network[1].weight.data = torch.tensor([0.3, -0.2, 0.0, 1.4])
    return Toy(network) if open_chain else Opaque(network)


@st.composite
def networks(draw: st.DrawFn) -> tuple[nn.Sequential, int]:
    """A random chain and the side of the photos that it takes."""
    side = draw(st.integers(6, 12))
    width, layers = 3, list[nn.Module]()
    with torch.random.fork_rng():
        torch.manual_seed(draw(st.integers(0, 10**6)))
        for _ in range(draw(st.integers(1, 4))):
            groups = draw(st.sampled_from([g for g in range(1, width + 1) if width % g == 0]))
            out = groups * draw(st.integers(1, 2)) if groups > 1 else draw(st.integers(1, 6))
            kernel = draw(st.integers(1, 3))
            padding = draw(st.integers(min(1, kernel - 1), 2))  # none shrinks the map
            stride, dilation = draw(st.integers(1, 2)), draw(st.integers(1, max(1, padding)))
            layers.append(nn.Conv2d(width, out, kernel, stride, padding, dilation, groups))
            width = out
            if draw(st.booleans()):
                side_out = nn.Sequential(*layers)(torch.zeros(1, 3, side, side)).shape[-1]
                layers.append(Offset(torch.randn(width, side_out, side_out)))
            if draw(st.booleans()):
                inner = nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, width, 1)
                layers.append(Residual(*inner[: draw(st.integers(1, 3))]))
            if draw(st.booleans()):
                layers.append(prelu := nn.PReLU(width))
                prelu.weight.data.normal_()
            else:
                layers.append(nn.ReLU())
        flat = nn.Sequential(*layers, nn.Flatten())(torch.zeros(1, 3, side, side)).shape[1]
        hidden, dim = draw(st.integers(1, 5)), draw(st.integers(2, 6))
        head = [nn.Flatten(), nn.Linear(flat, hidden), nn.PReLU(), nn.Linear(hidden, dim)]
    return nn.Sequential(*layers, *head), side
