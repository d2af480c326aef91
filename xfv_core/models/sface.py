"""SFace: a MobileFaceNet-like face network trained with the SFace loss (Zhong et al., TIP 2021).

The OpenCV Zoo build: x -> (255 x - 127.5) / 128 -> 3x3 conv -> 13 depthwise-separable blocks ->
flatten 1024x7x7 -> linear to 128. Every batch norm is folded into its neighbour, so the network
here is nothing but convolutions with bias, PReLUs and one linear layer.

File format (written by ``scripts/convert_sface.py``): int8 codes with a scale and a zero point per
block of the flattened weight, w = scale · (code - zero).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from xfv_core.models.base import Chain, FaceModel
from xfv_core.models.registry import register

if TYPE_CHECKING:
    from xfv_core.weights.manifest import ModelCard

# (output channels, stride of the depthwise convolution) of the thirteen blocks
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
# Measured on two cores: batches of 32 take 1.5 times as long where the maps of all photos are made
# side by side down to 14 x 14, because they leave the cache.
EARLY = 26  # layers before those
PHOTOS = {"cpu": 8}  # at a time through them


def feature_layers(blocks: int) -> nn.Sequential:
    """The first convolution and so many blocks, with random weights."""
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, padding=1), nn.PReLU(32)]
    width = 32
    for channels, stride in BLOCKS[:blocks]:
        layers += [nn.Conv2d(width, width, 3, stride, 1, groups=width), nn.PReLU(width)]
        layers += [nn.Conv2d(width, channels, 1), nn.PReLU(channels)]
        width = channels
    return nn.Sequential(*layers)


def feature_count(blocks: int) -> int:
    """Layers of the first convolution and so many blocks."""
    return 2 + 4 * blocks


def through(
    features: nn.Sequential, x: Tensor, *, first: int = 0, end: int | None = None
) -> Tensor:
    """What the layers from ``first`` to before ``end`` make of a batch x."""
    if first < EARLY:
        early = features[first : min(EARLY, len(features) if end is None else end)]
        x = torch.cat([early(part) for part in x.split(PHOTOS.get(x.device.type, len(x)))])
    return features[max(first, EARLY) : end](x)  # type: ignore[no-any-return]


@register("sface")
class SFace(FaceModel):
    """(B,3,112,112) RGB in [0,1] -> (B,128) unit embeddings; 0.57 GMAC an image."""

    name = "sface"
    input_size = 112
    embedding_dim = 128

    def __init__(self) -> None:
        super().__init__()
        self.features = feature_layers(len(BLOCKS))
        self.head = nn.Linear(BLOCKS[-1][0] * 7 * 7, self.embedding_dim)

    def embed(self, x: Tensor) -> Tensor:
        return F.normalize(self.raw(x), dim=1)  # (B, 128)

    def raw(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> (B,128) float32, not normalised."""
        x = through(self.features, (x * 255 - 127.5) / 128)  # (B, 1024, 7, 7)
        return self.head(x.flatten(1)).float()  # (B, 128)

    def chain(self) -> Chain:
        layers = nn.Sequential(*self.features, nn.Flatten(), self.head)
        return Chain(scale=255 / 128, shift=-127.5 / 128, layers=layers)

    def last_maps(self) -> nn.Module:
        return self.features[-1]  # (B, 1024, 7, 7)

    @classmethod
    def check(cls, card: ModelCard) -> None:
        super().check(card)
        if card.config:
            raise ValueError(f"it has no settings, but {list(card.config)} are given")

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], config: Mapping[str, object]) -> SFace:
        """Build from the tensors of the weight file; KeyError or RuntimeError if they misfit."""
        model = cls()
        state = {name: _weight(tensors, name, like) for name, like in model.state_dict().items()}
        state["head.weight"] *= tensors["head.scale_in"].repeat_interleave(7 * 7)
        model.load_state_dict(state)
        return model


def _weight(tensors: Mapping[str, Tensor], name: str, like: Tensor) -> Tensor:
    values = tensors[name]
    if values.dtype == torch.int8:
        scale, zero = tensors[f"{name}.scale"], tensors[f"{name}.zero"]  # (rows, blocks)
        blocks = values.reshape(*scale.shape, -1).float()  # (rows, blocks, block size)
        values = (blocks - zero[..., None]) * scale[..., None]
    return values.reshape(like.shape)
