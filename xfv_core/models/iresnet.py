"""IResNet: the improved residual network that ArcFace, AdaFace and CVLFace checkpoints hold.

Duta et al., *Improved Residual Networks for Image and Video Recognition*, ICPR 2020,
arXiv 2004.04989, as face recognition uses it (Deng et al., ArcFace, CVPR 2019). Per block, with s
the stride of its second convolution:

    x -> shortcut(x) + BN(conv3x3_s(PReLU(BN(conv3x3(BN(x))))))

and after the last block BN, flatten 512x7x7, linear to D, BN. Two key layouts of the same network
are read: ``conv1, layer1.0.bn1 …`` (ArcFace) and ``input_layer, body.0.res_layer …`` (AdaFace,
CVLFace), each with or without a prefix such as ``model.net.``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from xfv_core.errors import XfvError
from xfv_core.models.base import FaceModel
from xfv_core.models.preparation import Preparation
from xfv_core.models.registry import register

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
WIDTHS = (64, 128, 256, 512)
SIDE = 7  # px of the last maps of a 112 px crop
COUNTED = "num_batches_tracked"  # of no use outside training

# a block's layers: ours, ArcFace's names, AdaFace's places
LAYERS = (
    ("bn1", "bn1", "res_layer.0"),
    ("conv1", "conv1", "res_layer.1"),
    ("bn2", "bn2", "res_layer.2"),
    ("prelu", "prelu", "res_layer.3"),
    ("conv2", "conv2", "res_layer.4"),
    ("bn3", "bn3", "res_layer.5"),
    ("shortcut", "downsample", "shortcut_layer"),
)
OUTER = {
    "arcface": {
        "stem.0": "conv1", "stem.1": "bn1", "stem.2": "prelu",
        "bn": "bn2", "fc": "fc", "features": "features",
    },
    "adaface": {
        "stem.0": "input_layer.0", "stem.1": "input_layer.1", "stem.2": "input_layer.2",
        "bn": "output_layer.0", "fc": "output_layer.3", "features": "output_layer.4",
    },
}  # fmt: skip


class IResNetError(XfvError):
    """The tensors or the config are not those of an IResNet."""


class Block(nn.Module):
    """x -> shortcut(x) + residual(x); (B,C,H,W) -> (B,width,H/stride,W/stride)."""

    def __init__(self, channels: int, width: int, stride: int, *, projected: bool) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.MaxPool2d(1, stride)
        if projected:
            convolution = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.shortcut(x) + self.bn3(self.conv2(h))


@register("iresnet")
class IResNet(FaceModel):
    """(B,3,112,112) RGB in [0,1] -> (B,D) unit embeddings.

    ``depth``: 18, 34, 50 or 100.    ``bgr``: the checkpoint was trained on BGR (AdaFace's own).
    ``projected``: the first block has a 1x1 convolution as its shortcut, as ArcFace's has.
    """

    input_size = 112

    def __init__(
        self, depth: int, dim: int = 512, *, bgr: bool = False, projected: bool = True
    ) -> None:
        super().__init__()
        if depth not in BLOCKS:
            known = ", ".join(map(str, BLOCKS))
            raise IResNetError(f"There is no IResNet of depth {depth!r}; choose from {known}.")
        self.embedding_dim = dim
        self.preparation = Preparation(channels="bgr" if bgr else "rgb")
        self.stem = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.PReLU(WIDTHS[0]),
        )
        blocks, channels = [], WIDTHS[0]
        for width, count in zip(WIDTHS, BLOCKS[depth], strict=True):
            for index in range(count):
                first = index == 0
                wider = channels != width or (first and projected)
                blocks.append(Block(channels, width, 2 if first else 1, projected=wider))
                channels = width
        self.body = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels * SIDE * SIDE, dim)
        self.features = nn.BatchNorm1d(dim)

    def raw(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> (B,D), before normalising."""
        h = self.bn(self.body(self.stem(self.preparation(x))))  # (B, 512, 7, 7)
        return self.features(self.fc(h.flatten(1)))  # (B, D)

    def embed(self, x: Tensor) -> Tensor:
        return functional.normalize(self.raw(x).float(), dim=1)

    def last_maps(self) -> nn.Module:
        return self.bn  # (B, 512, 7, 7)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> IResNet:
        """From a checkpoint in either layout; ``config``: ``depth`` and, if it is so, ``bgr``.

        Raises IResNetError where names or shapes do not fit.
        """
        unknown = sorted(set(config) - {"depth", "bgr"})
        if unknown or "depth" not in config:
            raise IResNetError(f"An iresnet's config has depth and bgr, not {dict(config)!r}.")
        layout, prefix = _layout(tensors)
        plain = {k.removeprefix(prefix): v for k, v in tensors.items() if COUNTED not in k}
        dim = len(plain[f"{OUTER[layout]['fc']}.bias"])
        model = cls(config["depth"], dim, bgr=config.get("bgr", False),
                    projected=layout == "arcface")  # fmt: skip
        names = _names(layout, BLOCKS[config["depth"]])
        try:
            model.load_state_dict(
                _renamed(plain, names) | _fixed(plain, layout, dim) | _counters(model)
            )
        except RuntimeError as error:
            detail = str(error).splitlines()[1].strip()
            raise IResNetError(
                f"This is no IResNet of {config['depth']} layers: {detail}"
            ) from error
        return model


def _layout(tensors: Mapping[str, Tensor]) -> tuple[str, str]:
    """Which of the two layouts the names follow, and the prefix before all of them."""
    for layout, outer in OUTER.items():
        ending = f"{outer['stem.0']}.weight"
        found = [name for name in tensors if name == ending or name.endswith(f".{ending}")]
        # ArcFace's blocks have a conv1 of their own: the stem's is the one with the shortest name
        for name in sorted(found, key=len)[:1]:
            prefix = name.removesuffix(ending)
            if f"{prefix}{outer['fc']}.bias" in tensors:
                return layout, prefix
    raise IResNetError("These tensors have the names of neither ArcFace's nor AdaFace's IResNet.")


def _names(layout: str, counts: tuple[int, ...]) -> dict[str, str]:
    """Their name of a layer -> ours."""
    names = {theirs: ours for ours, theirs in OUTER[layout].items()}
    index = 0
    for stage, count in enumerate(counts, 1):
        for within in range(count):
            for ours, arcface, adaface in LAYERS:
                theirs = (f"layer{stage}.{within}.{arcface}" if layout == "arcface"
                          else f"body.{index}.{adaface}")  # fmt: skip
                names[theirs] = f"body.{index}.{ours}"
            index += 1
    return names


def _renamed(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    renamed = {}
    for name, value in tensors.items():
        layer, _, parameter = name.rpartition(".")
        inner = ""
        if layer not in names and layer.rpartition(".")[2].isdigit():  # inside a shortcut
            layer, _, number = layer.rpartition(".")
            inner = f".{number}"
        renamed[f"{names.get(layer, layer)}{inner}.{parameter}"] = value.float()
    return renamed


def _fixed(tensors: Mapping[str, Tensor], layout: str, dim: int) -> dict[str, Tensor]:
    """The last BN's scale and shift where a checkpoint leaves them out (1 and 0)."""
    last = f"{OUTER[layout]['features']}.weight"
    if last in tensors:
        return {}
    return {"features.weight": torch.ones(dim), "features.bias": torch.zeros(dim)}


def _counters(model: IResNet) -> dict[str, Tensor]:
    """Batch counters, which count for nothing here, as they are."""
    return {k: v for k, v in model.state_dict().items() if COUNTED in k}
