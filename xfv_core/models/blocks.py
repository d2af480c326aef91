"""What the networks trained here are made of, and how they come back from a weight file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from xfv_core.errors import XfvError
from xfv_core.models.base import FaceModel
from xfv_core.strict_json import STRICT, Positive, build

if TYPE_CHECKING:
    from xfv_core.weights.manifest import ModelCard

INPUT_SCALE, INPUT_SHIFT = 4.0, -2.0  # RGB in [0,1] to what a first layer takes
_Model = TypeVar("_Model", bound="TrainedModel")
_Config = TypeVar("_Config", bound="NetConfig")


class Layer(NamedTuple):
    """One convolution: square kernel, stride, output channels; then BN and ReLU."""

    kernel: Positive
    stride: Positive
    channels: Positive


@dataclass(frozen=True)
class NetConfig:
    """Everything that fixes an architecture (the ``config`` of a manifest entry)."""

    __pydantic_config__ = STRICT

    @classmethod
    def from_dict(cls: type[_Config], values: Mapping[str, Any]) -> _Config:
        """Inverse of :meth:`to_dict`; a layer is ``[kernel, stride, channels]``.

        Raises JsonError, one sentence, for what does not fit.
        """
        return build(cls, values, "config")

    def to_dict(self) -> dict[str, Any]:
        """A JSON form."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found


class TrainedModel(FaceModel):
    """A network of this project: built from its config, exported with its BN folded."""

    config_class: ClassVar[type[Any]]
    encoder: nn.Module

    def __init__(self, config: NetConfig, *, name: str = "") -> None:
        super().__init__()
        self.config = config
        self.name = name

    @classmethod
    def from_tensors(
        cls: type[_Model],
        tensors: Mapping[str, Tensor],
        config: Mapping[str, Any],
        *,
        name: str = "",
    ) -> _Model:
        """A network ready for inference from exported (folded) weights and their config."""
        model = cls(cls.config_class.from_dict(config), name=name, folded=True)  # type: ignore[call-arg]
        model.load_state_dict({key: value.float() for key, value in tensors.items()})
        return model.eval().requires_grad_(False)

    @classmethod
    def check(cls, card: ModelCard) -> None:
        super().check(card)
        try:
            with torch.device("meta"):  # no memory, no random numbers
                size = cls(cls.config_class.from_dict(card.config)).input_size
        except XfvError as error:
            raise ValueError(str(error).rstrip(".")) from error
        if card.input.size != size:
            raise ValueError(f"input.size must be {size}, not {card.input.size}")

    def folded(self: _Model) -> _Model:
        """A copy for inference with every BN folded into its convolution."""
        tensors = {k: v.detach().clone() for k, v in self.state_dict().items() if "bn" not in k}
        for path, block in self.named_modules():
            if isinstance(block, ConvBlock) and block.bn is not None:
                conv, bn = block.conv, block.bn
                mean, variance = bn.running_mean, bn.running_var
                assert mean is not None and variance is not None
                weight, bias = fuse_conv_bn_weights(
                    conv.weight, conv.bias, mean, variance, bn.eps, bn.weight, bn.bias
                )
                if block.shortcut:
                    weight.data += shortcut_kernel(weight.data)
                tensors[f"{path}.conv.weight"] = weight.detach()
                tensors[f"{path}.conv.bias"] = bias.detach()
        return self.from_tensors(tensors, self.config.to_dict(), name=self.name)

    def for_inference(self: _Model) -> _Model:
        """The network itself where its BN are folded, else a folded copy."""
        return self.folded() if any(isinstance(m, nn.BatchNorm2d) for m in self.modules()) else self


class ConvBlock(nn.Module):
    """Convolution, BN (folded away for inference), ReLU.

    ``shortcut`` adds the block's input before the ReLU while it is trained, cropped to the middle
    of each window. That sum is itself a convolution, so exported weights contain it (RepVGG, Ding
    et al. 2021, arXiv 2101.03697).
    """

    def __init__(
        self,
        width: int,
        layer: Layer,
        padding: int,
        folded: bool,
        relu: bool,
        shortcut: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            width, layer.channels, layer.kernel, layer.stride, padding, bias=folded
        )
        self.bn = None if folded else nn.BatchNorm2d(layer.channels)
        self.relu = relu
        self.shortcut = shortcut and not folded

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) -> (B,channels,H',W')."""
        y = self.conv(x)
        if self.bn is not None:
            y = self.bn(y)
        if self.shortcut:
            y = y + self._middle(x)
        return functional.relu(y) if self.relu else y

    def _middle(self, x: Tensor) -> Tensor:
        """What :func:`shortcut_kernel` gives, without multiplications."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        x = functional.pad(x, (self.conv.padding[0],) * 4)  # type: ignore[arg-type]
        if kernel % 2:
            edge = kernel // 2
            x = x[:, :, edge : x.shape[2] - edge : stride, edge : x.shape[3] - edge : stride]
        else:
            x = functional.avg_pool2d(x, kernel, stride)
        missing = self.conv.out_channels - x.shape[1]
        return functional.pad(x, (0, 0, 0, 0, 0, missing)) if missing else x


def shortcut_kernel(weight: Tensor) -> Tensor:
    """The kernel (out,in,k,k) that hands channel i on to channel i: the middle pixel of a window,
    or, of an even one, its mean."""
    kernel = torch.zeros_like(weight)
    size, shared = weight.shape[-1], range(min(weight.shape[:2]))
    if size % 2:
        kernel[shared, shared, size // 2, size // 2] = 1
    else:
        kernel[shared, shared] = 1 / size**2
    return kernel


def conv_block(
    width: int,
    layer: Layer,
    padded: bool,
    folded: bool,
    *,
    relu: bool = True,
    shortcut: bool = False,
) -> ConvBlock:
    """The block of a layer on ``width`` channels; ``padded`` keeps the border's outputs."""
    padding = padding_of(layer) if padded else 0
    return ConvBlock(width, layer, padding, folded, relu, shortcut and layer.channels >= width)


def padding_of(layer: Layer) -> int:
    """Zeros on each side with which a layer of stride 1 keeps the size of its input."""
    return (layer.kernel - layer.stride + 1) // 2


def receptive_field(layers: tuple[Layer, ...]) -> tuple[int, int]:
    """Side of the pixels that one output sees, and the pixels between two outputs."""
    size, jump = 1, 1
    for layer in layers:
        size += (layer.kernel - 1) * jump
        jump *= layer.stride
    return size, jump
