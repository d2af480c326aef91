"""FaceNet: Inception-ResNet v1 trained on VGGFace2, through ``facenet_pytorch``.

Schroff, Kalenichenko, Philbin, *FaceNet*, CVPR 2015, arXiv 1503.03832; the network is Szegedy et
al., arXiv 1602.07261. Batch norms are folded into the convolutions before them: inference only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from xfv_core.models.base import FaceModel
from xfv_core.models.registry import register
from xfv_core.weights.hub import WeightsError

if TYPE_CHECKING:  # its package brings torchvision, seconds that only this network should cost
    from facenet_pytorch import InceptionResnetV1

    from xfv_core.weights.manifest import ModelCard


@register("inception_resnet_v1")
class FaceNet(FaceModel):
    """160 px box crops to 512 numbers; frozen, folded, channels last."""

    name = "facenet"
    input_size = 160
    embedding_dim = 512

    def __init__(self, network: InceptionResnetV1) -> None:
        """``network``: with its batch norms, ``classify=False``; it is folded in place."""
        super().__init__()
        self.network = _fold(network.eval()).to(memory_format=torch.channels_last)
        self.requires_grad_(False).eval()

    @classmethod
    def check(cls, card: ModelCard) -> None:
        super().check(card)
        if card.config:
            raise ValueError(f"it has no settings, but {list(card.config)} are given")

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> FaceNet:
        """Build from a state dict of ``InceptionResnetV1``; its classifier, if there, is left out.

        ``config`` is empty: the network has no choices. Raises WeightsError if the tensors are
        those of another network.
        """
        if config:
            raise WeightsError(f"FaceNet has no settings, but its entry names {list(config)}.")
        from facenet_pytorch import InceptionResnetV1

        with torch.device("meta"):  # no second of random numbers, none taken from the global seed
            network = InceptionResnetV1(classify=False)
        kept = {key: value for key, value in tensors.items() if not key.startswith("logits.")}
        try:
            network.load_state_dict(kept, strict=True, assign=True)
        except RuntimeError as error:
            raise WeightsError(f"These weights are not FaceNet's: {error}") from error
        return cls(network)

    def embed(self, x: Tensor) -> Tensor:
        """(B,3,160,160) RGB in [0,1] -> (B,512) float32, L2-normalised."""
        x = (x * 255 - 127.5) / 128  # (B,3,160,160) in about [-1,1], as in training
        x = self.network(x.contiguous(memory_format=torch.channels_last))  # (B,512)
        return nn.functional.normalize(
            x.float(), dim=1
        )  # under autocast the network's own norm is rounded

    def last_maps(self) -> nn.Module:
        return self.network.block8  # (B, 1792, 3, 3)


def _fold(network: InceptionResnetV1) -> InceptionResnetV1:
    from facenet_pytorch.models.inception_resnet_v1 import BasicConv2d

    for block in list(network.modules()):
        if isinstance(block, BasicConv2d):
            block.conv = fuse_conv_bn_eval(block.conv, block.bn)
            block.bn = nn.Identity()
    network.last_linear = fuse_linear_bn_eval(network.last_linear, network.last_bn)
    network.last_bn = nn.Identity()
    return network
