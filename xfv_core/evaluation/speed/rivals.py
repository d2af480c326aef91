"""The plain ways of making the maps that ours are raced against in ``bench``."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from math import ceil

import torch
from torch import Tensor, nn

from xfv_core.explain.masks import PRESETS, SIDE
from xfv_core.models.base import Chain, Chained, FaceEmbedder, FaceModel, fast_arithmetic

Embed = Callable[[Tensor], Tensor]


class Opaque(FaceModel):
    """A network that does not say it is a chain, so that its gradients go through autograd."""

    def __init__(self, model: FaceEmbedder) -> None:
        super().__init__()
        self.name, self.inner = model.name, model

    def embed(self, x: Tensor) -> Tensor:
        return self.inner.embed(x)


def unfold(chain: Chain) -> nn.Sequential:
    """The same network as trained: no biases, a batch norm after every weight carries them."""
    layers: list[nn.Module] = []
    for layer in map(deepcopy, chain.layers):
        layers.append(layer)
        for weight in layer.parameters():
            weight.data = weight.data.contiguous()  # not channels last
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            norm = nn.BatchNorm2d if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d
            layers.append(bn := norm(len(layer.bias)))
            bn.running_var = torch.full_like(layer.bias, 1 - bn.eps)  # so that it divides by 1
            bn.bias.data.copy_(layer.bias.data)
            layer.bias = None
    return nn.Sequential(*layers).eval().requires_grad_(True)


def plain_embed(model: FaceEmbedder) -> Embed:
    """``embed`` as a user has it after training: fp32, unfolded, nothing frozen."""
    if not isinstance(model, Chained):
        raise ValueError(f"{model.name} is not a chain of layers and cannot be unfolded")
    chain = model.chain()
    network = unfold(chain)
    return lambda x: chain.head(network(x * chain.scale + chain.shift))


def fast_embed(model: FaceEmbedder) -> Embed:
    """``embed`` folded, in the arithmetic of our occlusion maps."""

    def embed(x: Tensor) -> Tensor:
        with fast_arithmetic(model.device):
            return model.embed(x.contiguous(memory_format=torch.channels_last))

    return embed


def captum_occlusion(embed: Embed, photos: Tensor, preset: str, batch: int) -> None:
    """captum's map of either photo (2,3,S,S), one run for every patch size."""
    from captum.attr import Occlusion as CaptumOcclusion  # only this needs the package

    with torch.no_grad():
        others = embed(photos).flip(0)  # (2,D)
    for photo, other in zip(photos, others, strict=True):
        explainer = CaptumOcclusion(lambda x, other=other: embed(x) @ other)
        for size, stride in PRESETS[preset].patches:
            explainer.attribute(
                photo[None],
                sliding_window_shapes=(3, size, size),
                strides=(3, stride, stride),
                baselines=0,
                perturbations_per_eval=batch,
            )


def captum_masks(preset: str) -> int:
    """Masks per photo that captum needs for the same patches; it always reaches the border."""
    return sum((ceil((SIDE - size) / stride) + 1) ** 2 for size, stride in PRESETS[preset].patches)


def looped_fggb(embed: Embed, photos: Tensor, threshold: float) -> Tensor:
    """FGGB (2,S,S) as a user would write it: one backward pass after the other."""
    embeddings, units = [], []
    for photo in photos:
        leaf = photo.clone().requires_grad_()
        f = embed(leaf[None])[0]
        gradients = [torch.autograd.grad(f_k, leaf, retain_graph=True)[0] for f_k in f]
        g = torch.stack(gradients).abs().mean(1)  # (D,S,S)
        units.append(g / g.flatten(1).norm(dim=1)[:, None, None])
        embeddings.append(f.detach())
    weights = embeddings[0] * embeddings[1] - threshold / len(embeddings[0])
    return torch.stack([(unit * weights[:, None, None]).sum(0) for unit in units])
