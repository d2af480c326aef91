"""IResNet reads both layouts of checkpoints, and computes what they were trained to compute."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from xfv_core.models.iresnet import IResNet, IResNetError

DIM = 32
WIDTHS = (64, 128, 256, 512)
STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
Tensors = dict[str, Tensor]


class Checkpoint:
    """Random tensors under the names of a checkpoint."""

    def __init__(self) -> None:
        self.tensors: Tensors = {}
        self.generator = torch.Generator().manual_seed(0)

    def weight(self, name: str, *shape: int) -> None:
        fan = max(1, int(torch.tensor(shape[1:]).prod()))
        values = torch.randn(shape, generator=self.generator) / fan**0.5
        self.tensors[f"{name}.weight"] = values

    def norm(self, name: str, width: int, *, affine: bool = True) -> None:
        for part in (("weight", "bias") if affine else ()) + ("running_mean", "running_var"):
            values = torch.rand(width, generator=self.generator)
            self.tensors[f"{name}.{part}"] = values + 0.5 if part != "bias" else values - 0.5
        self.tensors[f"{name}.num_batches_tracked"] = torch.tensor(3)

    def prelu(self, name: str, width: int) -> None:
        self.tensors[f"{name}.weight"] = torch.rand(width, generator=self.generator)

    def block(self, names: tuple[str, ...], channels: int, width: int) -> None:
        bn1, conv1, bn2, prelu, conv2, bn3 = names
        self.norm(bn1, channels)
        self.weight(conv1, width, channels, 3, 3)
        self.norm(bn2, width)
        self.prelu(prelu, width)
        self.weight(conv2, width, width, 3, 3)
        self.norm(bn3, width)

    def shortcut(self, name: str, channels: int, width: int) -> None:
        self.weight(f"{name}.0", width, channels, 1, 1)
        self.norm(f"{name}.1", width)

    def linear(self, name: str) -> None:
        self.weight(name, DIM, 512 * 49)
        self.tensors[f"{name}.bias"] = torch.rand(DIM, generator=self.generator)


def arcface(depth: int) -> Tensors:
    made, channels = Checkpoint(), 64
    made.weight("conv1", 64, 3, 3, 3)
    made.norm("bn1", 64)
    made.prelu("prelu", 64)
    for stage, (width, count) in enumerate(zip(WIDTHS, STAGES[depth], strict=True), 1):
        for index in range(count):
            at = f"layer{stage}.{index}"
            parts = ("bn1", "conv1", "bn2", "prelu", "conv2", "bn3")
            made.block(tuple(f"{at}.{part}" for part in parts), channels, width)
            if index == 0:
                made.shortcut(f"{at}.downsample", channels, width)
            channels = width
    made.norm("bn2", 512)
    made.linear("fc")
    made.norm("features", DIM)
    return made.tensors


def adaface(depth: int, prefix: str) -> Tensors:
    made, channels, at = Checkpoint(), 64, 0
    made.weight("input_layer.0", 64, 3, 3, 3)
    made.norm("input_layer.1", 64)
    made.prelu("input_layer.2", 64)
    for width, count in zip(WIDTHS, STAGES[depth], strict=True):
        for _ in range(count):
            names = tuple(f"body.{at}.res_layer.{place}" for place in range(6))
            made.block(names, channels, width)
            if channels != width:
                made.shortcut(f"body.{at}.shortcut_layer", channels, width)
            channels, at = width, at + 1
    made.norm("output_layer.0", 512)
    made.linear("output_layer.3")
    made.norm("output_layer.4", DIM, affine=False)
    return {prefix + name: value for name, value in made.tensors.items()}


def norm(t: Tensors, name: str, x: Tensor) -> Tensor:
    weight, bias = t.get(f"{name}.weight"), t.get(f"{name}.bias")
    return F.batch_norm(x, t[f"{name}.running_mean"], t[f"{name}.running_var"], weight, bias)


def residual(t: Tensors, names: tuple[str, ...], x: Tensor, stride: int) -> Tensor:
    bn1, conv1, bn2, prelu, conv2, bn3 = names
    h = F.conv2d(norm(t, bn1, x), t[f"{conv1}.weight"], padding=1)
    h = F.prelu(norm(t, bn2, h), t[f"{prelu}.weight"])
    return norm(t, bn3, F.conv2d(h, t[f"{conv2}.weight"], stride=stride, padding=1))


def written_out_arcface(t: Tensors, depth: int, x: Tensor) -> Tensor:
    h = F.prelu(norm(t, "bn1", F.conv2d(x, t["conv1.weight"], padding=1)), t["prelu.weight"])
    for stage, count in enumerate(STAGES[depth], 1):
        for index in range(count):
            at, stride = f"layer{stage}.{index}", 2 if index == 0 else 1
            parts = ("bn1", "conv1", "bn2", "prelu", "conv2", "bn3")
            names = tuple(f"{at}.{part}" for part in parts)
            past = h
            if index == 0:
                past = F.conv2d(h, t[f"{at}.downsample.0.weight"], stride=2)
                past = norm(t, f"{at}.downsample.1", past)
            h = past + residual(t, names, h, stride)
    flat = norm(t, "bn2", h).flatten(1)
    return norm(t, "features", F.linear(flat, t["fc.weight"], t["fc.bias"]))


def written_out_adaface(t: Tensors, depth: int, x: Tensor) -> Tensor:
    stem = norm(t, "input_layer.1", F.conv2d(x, t["input_layer.0.weight"], padding=1))
    h, at = F.prelu(stem, t["input_layer.2.weight"]), 0
    for count in STAGES[depth]:
        for index in range(count):
            names = tuple(f"body.{at}.res_layer.{place}" for place in range(6))
            stride = 2 if index == 0 else 1
            past = h[..., ::stride, ::stride]
            if f"body.{at}.shortcut_layer.0.weight" in t:
                past = F.conv2d(h, t[f"body.{at}.shortcut_layer.0.weight"], stride=stride)
                past = norm(t, f"body.{at}.shortcut_layer.1", past)
            h, at = past + residual(t, names, h, stride), at + 1
    flat = norm(t, "output_layer.0", h).flatten(1)
    out = F.linear(flat, t["output_layer.3.weight"], t["output_layer.3.bias"])
    return norm(t, "output_layer.4", out)


@pytest.fixture(scope="module")
def faces() -> Tensor:
    return torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(1))


def embedded(model: IResNet, x: Tensor) -> Tensor:
    with torch.inference_mode():
        return model.eval().embed(x)


@pytest.mark.parametrize("depth", STAGES)
def test_arcfaces_checkpoint_gives_what_its_layers_written_out_give(
    depth: int, faces: Tensor
) -> None:
    tensors = arcface(depth)
    expected = F.normalize(written_out_arcface(tensors, depth, faces * 2 - 1), dim=1)
    found = embedded(IResNet.from_tensors(tensors, {"depth": depth}), faces)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("prefix", ["", "model.net."])
def test_adafaces_checkpoint_gives_what_its_layers_written_out_give(
    prefix: str, faces: Tensor
) -> None:
    plain = adaface(18, "")
    expected = F.normalize(written_out_adaface(plain, 18, faces * 2 - 1), dim=1)
    found = embedded(IResNet.from_tensors(adaface(18, prefix), {"depth": 18}), faces)
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_network_trained_on_bgr_gets_the_channels_turned_round(faces: Tensor) -> None:
    tensors = adaface(18, "")
    rgb = IResNet.from_tensors(tensors, {"depth": 18})
    bgr = IResNet.from_tensors(tensors, {"depth": 18, "bgr": True})
    assert torch.allclose(embedded(bgr, faces), embedded(rgb, faces.flip(1)), atol=1e-6)
    assert not torch.allclose(embedded(bgr, faces), embedded(rgb, faces), atol=1e-3)


def test_another_depth_than_the_checkpoints_is_refused_by_name() -> None:
    with pytest.raises(IResNetError, match="no IResNet of 34 layers"):
        IResNet.from_tensors(arcface(18), {"depth": 34})


@pytest.mark.parametrize("config", [{}, {"depth": 18, "width": 1}])
def test_a_config_with_other_entries_is_refused(config: dict[str, int]) -> None:
    with pytest.raises(IResNetError, match="has depth and bgr"):
        IResNet.from_tensors({}, config)


def test_tensors_of_another_network_are_refused() -> None:
    with pytest.raises(IResNetError, match="neither ArcFace's nor AdaFace's"):
        IResNet.from_tensors({"conv1.weight": torch.zeros(1)}, {"depth": 18})
