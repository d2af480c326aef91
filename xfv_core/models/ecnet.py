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
from xfv_core.models.base import Chain, FaceEmbedder, Residual
from xfv_core.models.blocks import (
    INPUT_SCALE,
    INPUT_SHIFT,
    Layer,
    NetConfig,
    TrainedModel,
    conv_block,
)
from xfv_core.models.registry import register
from xfv_core.models.sface import BLOCKS, SFace, feature_count, feature_layers, through
from xfv_core.strict_json import Positive
from xfv_core.weights.hub import read_pinned

if TYPE_CHECKING:
    from xfv_core.weights.manifest import ModelCard

INPUT_SIZE = 112
SFACE_SCALE = 255 / 128  # its input is SFACE_SCALE · (x - 1/2), ours INPUT_SCALE · (x - 1/2)


@dataclass(frozen=True)
class ECConfig(NetConfig):
    """Everything that fixes the architecture (the ``config`` of a manifest entry).

    Attributes
    ----------
    layers : the convolutions from the photo, or the trunk, to the grid of the target layer.
    blocks : residual blocks of two 3x3 convolutions on that grid.
    channels : C, channels of the target layer.
    head, local : widths of the two convolutions from the maps to the embedding.
    dim : length of the embedding.
    trunk : so many blocks of SFace come before the layers, with its weights; 0: none.
    described : after so many of them what a place looks like is told to the channel loss; 0: by
        what the maps are computed from. Early blocks see little around a place.
    """

    layers: tuple[Layer, ...]
    blocks: int
    channels: Positive
    head: Positive
    local: Positive
    dim: Positive
    trunk: int = 0
    described: int = 0

    def __post_init__(self) -> None:
        """ValueError for a trunk that SFace has not, or descriptors from beyond it."""
        if not 0 <= self.trunk <= len(BLOCKS):
            raise ValueError(f"trunk must lie between 0 and {len(BLOCKS)}, not {self.trunk}")
        if not 0 <= self.described <= self.trunk:
            raise ValueError(f"described must lie between 0 and trunk, not {self.described}")


class ECEncoder(nn.Module):
    """The photo to the target layer's maps, and the features they are computed from."""

    def __init__(self, config: ECConfig, *, folded: bool = False) -> None:
        super().__init__()
        self.trunk = feature_layers(config.trunk) if config.trunk else None
        first = BLOCKS[config.trunk - 1][0] if config.trunk else 3
        widths = [first, *(layer.channels for layer in config.layers)]
        convs = [
            conv_block(width, layer, True, folded)
            for width, layer in zip(widths, config.layers, strict=False)
        ]
        self.convs = nn.Sequential(*convs)
        width = widths[-1]
        self.features = BLOCKS[config.described - 1][0] if config.described else width
        self.described = feature_count(config.described) if config.described else 0
        self.blocks = nn.ModuleList(_Residual(width, folded) for _ in range(config.blocks))
        self.target = conv_block(width, Layer(3, 1, config.channels), True, folded)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B,3,112,112) in [0,1] -> descriptors (B,E,14,14) and maps X (B,C,14,14), X >= 0."""
        x, described = x * INPUT_SCALE + INPUT_SHIFT, None
        if self.trunk is not None:
            if self.described:
                x = described = through(self.trunk, x, end=self.described)
            x = through(self.trunk, x, first=self.described)  # (B, 512, 14, 14)
        h = self.convs(x)
        for block in self.blocks:
            h = block(h)
        return h if described is None else described, self.target(h)

    def take_trunk(self, sface: FaceEmbedder) -> None:
        """Give the trunk the weights of SFace's first blocks; they are not trained.

        What SFace subtracts and divides by is in the first convolution then.
        """
        assert self.trunk is not None and isinstance(sface, SFace)
        self.trunk.load_state_dict(sface.features[: len(self.trunk)].state_dict())
        self.trunk.requires_grad_(False)
        self.trunk.get_parameter("0.weight").mul_(SFACE_SCALE / INPUT_SCALE)


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
        for stride in [s for _, s in BLOCKS[: config.trunk]] + [la.stride for la in config.layers]:
            self.grid = -(-self.grid // stride)
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
        local = self.narrow(self.look(maps)).flatten(1)  # (B, local·49)
        return self.join(local).float()  # type: ignore[no-any-return]

    def embed(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> (B,D) float32, L2-normalised."""
        return self.embed_maps(self.maps(x))

    def raw(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> (B,D) float32, not normalised."""
        return self._joined(self.maps(x))

    def chain(self) -> Chain:
        net = self.for_inference()
        layers = list[nn.Module](net.encoder.trunk or ())
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
