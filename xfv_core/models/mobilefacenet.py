"""MobileFaceNet as ArcFace's repository trains it (its ``mbf``); names as in those checkpoints.

Chen et al., *MobileFaceNets*, CCBR 2018, arXiv 1804.07573: bottlenecks of a 1x1, a depthwise 3x3
and a linear 1x1 convolution, and a depthwise convolution over the last 7x7 maps instead of a mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from xfv_core.errors import XfvError
from xfv_core.models.base import FaceModel
from xfv_core.models.preparation import Preparation
from xfv_core.models.registry import register

STAGES = (1, 4, 6, 2)  # bottlenecks per stage; the first stage may be one plain convolution
WIDTH = 64
LAST = 512


class MobileFaceNetError(XfvError):
    """The tensors or the config are not those of a MobileFaceNet."""


class _Layers(nn.Module):
    """A sequence under the name ``layers``, as the checkpoints have it."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class _Bottleneck(_Layers):
    """(B,C,H,W) -> (B,width,H/stride,W/stride); adds its input where ``stride`` is 1."""

    def __init__(self, channels: int, width: int, inner: int, stride: int) -> None:
        depthwise = _conv(inner, inner, 3, stride, groups=inner)
        narrow = _conv(inner, width, 1, linear=True)
        super().__init__([_conv(channels, inner, 1), depthwise, narrow])
        self.residual = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        h = super().forward(x)
        return x + h if self.residual else h


@register("mobilefacenet")
class MobileFaceNet(FaceModel):
    """(B,3,112,112) RGB in [0,1] -> (B,D) unit embeddings; ``scale`` 2 is ``mbf``, 4 its large one.

    ``stages``: bottlenecks per stage, (1, 4, 6, 2) or (2, 8, 12, 4).
    """

    input_size = 112

    def __init__(self, dim: int = 512, *, stages: Sequence[int] = STAGES, scale: int = 2) -> None:
        super().__init__()
        self.embedding_dim, self.preparation = dim, Preparation()
        narrow, wide = WIDTH * scale, 2 * WIDTH * scale
        first: nn.Module = _stage(stages[0], narrow, 128)
        if stages[0] == 1:
            first = _conv(narrow, narrow, 3, groups=WIDTH)
        self.layers = nn.ModuleList(
            [
                _conv(3, narrow, 3, 2),
                first,
                _Bottleneck(narrow, narrow, 128, 2),
                _stage(stages[1], narrow, 128),
                _Bottleneck(narrow, wide, 256, 2),
                _stage(stages[2], wide, 256),
                _Bottleneck(wide, wide, 512, 2),
                _stage(stages[3], wide, 256),
            ]
        )
        self.conv_sep = _conv(wide, LAST, 1)
        whole = _conv(LAST, LAST, 7, groups=LAST, linear=True, padding=0)
        project = nn.Linear(LAST, dim, bias=False)
        self.features = _Layers([whole, nn.Flatten(), project, nn.BatchNorm1d(dim)])

    def raw(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> (B,D), before normalising."""
        x = self.preparation(x)
        for layer in self.layers:
            x = layer(x)
        return self.features(self.conv_sep(x))  # (B, D)

    def embed(self, x: Tensor) -> Tensor:
        return functional.normalize(self.raw(x).float(), dim=1)

    def last_maps(self) -> nn.Module:
        return self.conv_sep  # (B, 512, 7, 7)

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any]
    ) -> MobileFaceNet:
        """From a checkpoint; ``config``: ``dim``, ``stages``, ``scale``, each with its default."""
        if unknown := sorted(set(config) - {"dim", "stages", "scale"}):
            raise MobileFaceNetError(f"A mobilefacenet's config has no {unknown[0]!r}.")
        model = cls(**config)
        try:
            model.load_state_dict(dict(tensors))
        except RuntimeError as error:
            detail = str(error).splitlines()[1].strip()
            raise MobileFaceNetError(f"This is no such MobileFaceNet: {detail}") from error
        return model


def _conv(
    channels: int,
    width: int,
    kernel: int,
    stride: int = 1,
    *,
    groups: int = 1,
    linear: bool = False,
    padding: int | None = None,
) -> _Layers:
    """Convolution, BN and, unless ``linear``, PReLU."""
    padding = kernel // 2 if padding is None else padding
    convolution = nn.Conv2d(channels, width, kernel, stride, padding, groups=groups, bias=False)
    activation = [] if linear else [nn.PReLU(width)]
    return _Layers([convolution, nn.BatchNorm2d(width), *activation])


def _stage(count: int, width: int, inner: int) -> _Layers:
    return _Layers([_Bottleneck(width, width, inner, 1) for _ in range(count)])
