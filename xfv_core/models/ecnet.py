"""ECNet: a face network that looks through channels, each of which is to find one face part.

After Lin, Liu, Li, Shen, *Activation Template Matching Loss for Explainable Face Recognition*,
arXiv 2207.02179: an explainable target layer, whose single channels detect parts without labels or
alignment. The paper's network is not public; this one is ours. The embedding is computed from the
target layer's maps X (C,14,14) and from nothing else, so what a channel does not see, the network
does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from xfv_core.models.atlas import Atlas
from xfv_core.models.base import Chain, Residual, register
from xfv_core.models.blocks import (
    INPUT_SCALE,
    INPUT_SHIFT,
    Layer,
    NetConfig,
    TrainedModel,
    conv_block,
)
from xfv_core.strict_json import Positive
from xfv_core.weights.hub import read_pinned

if TYPE_CHECKING:
    from xfv_core.weights.manifest import ModelCard

INPUT_SIZE = 112


@dataclass(frozen=True)
class ECConfig(NetConfig):
    """Everything that fixes the architecture (the ``config`` of a manifest entry).

    Attributes
    ----------
    layers : the convolutions from the photo to the grid of the target layer.
    blocks : residual blocks of two 3x3 convolutions on that grid.
    channels : C, channels of the target layer.
    head, local : widths of the two convolutions from the maps to the embedding.
    dim : length of the embedding.
    """

    layers: tuple[Layer, ...]
    blocks: int
    channels: Positive
    head: Positive
    local: Positive
    dim: Positive


class ECEncoder(nn.Module):
    """The photo to the target layer's maps, and the features they are computed from."""

    def __init__(self, config: ECConfig, *, folded: bool = False) -> None:
        super().__init__()
        widths = [3, *(layer.channels for layer in config.layers)]
        convs = [
            conv_block(width, layer, True, folded)
            for width, layer in zip(widths, config.layers, strict=False)
        ]
        self.convs = nn.Sequential(*convs)
        self.features = widths[-1]
        self.blocks = nn.ModuleList(_Residual(self.features, folded) for _ in range(config.blocks))
        self.target = conv_block(self.features, Layer(3, 1, config.channels), True, folded)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B,3,112,112) in [0,1] -> features (B,E,14,14) and maps X (B,C,14,14), both >= 0."""
        h = self.convs(x * INPUT_SCALE + INPUT_SHIFT)  # (B, E, 14, 14)
        for block in self.blocks:
            h = block(h)
        return h, self.target(h)


@register("ecnet")
class ECNet(TrainedModel):
    """(B,3,112,112) RGB in [0,1] -> (B,D) unit embeddings, through the maps alone.

    Attributes
    ----------
    channels : C of the target layer.
    grid : its side, 14.
    """

    config_class = ECConfig
    input_size = INPUT_SIZE

    def __init__(self, config: ECConfig, *, name: str = "", folded: bool = False) -> None:
        super().__init__(config, name=name)
        self.embedding_dim = config.dim
        self.channels = config.channels
        self.encoder: ECEncoder = ECEncoder(config, folded=folded)
        self.look = conv_block(config.channels, Layer(3, 2, config.head), True, folded)
        self.narrow = conv_block(config.head, Layer(1, 1, config.local), True, folded)
        self.grid = INPUT_SIZE
        for layer in config.layers:
            self.grid = -(-self.grid // layer.stride)
        places = (-(-self.grid // 2)) ** 2
        self.join = nn.Linear(config.local * places, config.dim, bias=False)

    @classmethod
    def kind(cls, card: ModelCard) -> type[ECNet]:
        return PartNet if card.parts else ECNet

    def maps(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> the target layer's maps X, (B,C,14,14), >= 0."""
        return self.encoder(x)[1]

    def embed_maps(self, maps: Tensor) -> Tensor:
        """Maps (B,C,14,14) -> (B,D) float32, L2-normalised."""
        return functional.normalize(self._joined(maps), dim=1)

    def _joined(self, maps: Tensor) -> Tensor:
        h = self.narrow(self.look(maps)).flatten(1)  # (B, local·49)
        return self.join(h).float()  # type: ignore[no-any-return]

    def embed(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> (B,D) float32, L2-normalised."""
        return self.embed_maps(self.maps(x))

    def raw(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> (B,D) float32, not normalised."""
        return self._joined(self.maps(x))

    def chain(self) -> Chain:
        net, layers = self.for_inference(), list[nn.Module]()
        for block in net.encoder.convs:
            layers += [*block.children(), nn.ReLU()]
        for first, second in map(nn.Module.children, net.encoder.blocks):
            layers += [Residual(*first.children(), nn.ReLU(), *second.children()), nn.ReLU()]
        for block in (net.encoder.target, net.look, net.narrow):
            layers += [*block.children(), nn.ReLU()]
        return Chain(INPUT_SCALE, INPUT_SHIFT, nn.Sequential(*layers, nn.Flatten(), net.join))

    def last_maps(self) -> nn.Module:
        return self.narrow  # (B, local, 7, 7)


class PartNet(ECNet):
    """An ``ECNet`` whose channels have been measured, so that they go by the parts they find."""

    measured: Atlas

    @classmethod
    def from_card(cls, card: ModelCard, tensors: Mapping[str, Tensor], folder: Path) -> PartNet:
        assert card.parts is not None  # or ``kind`` had not named this class
        model = cls.from_tensors(tensors, card.config)
        model.measured = Atlas.from_json(read_pinned(card.parts, folder))
        return model

    def atlas(self) -> Atlas:
        return self.measured


class _Residual(nn.Module):
    def __init__(self, width: int, folded: bool) -> None:
        super().__init__()
        self.first = conv_block(width, Layer(3, 1, width), True, folded)
        self.second = conv_block(width, Layer(3, 1, width), True, folded, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))
