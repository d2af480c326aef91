"""RRFNet: a face network whose similarity *is* a sum of patch scores.

Ozturk, Bhatta, Wu, Flynn, Bowyer, *Restricted Receptive Fields for Face Verification*,
arXiv 2510.10753. With patch features a_i, b_j and their means ā, b̄ over the N patches:

    S = cos(ā, b̄) = Σ_i Σ_j K_ij,   K_ij = a_i·b_j / (N² |ā| |b̄|)
    c_i = a_i·b̄ / (N |ā| |b̄|),      Σ_i c_i = S

The encoder is our choice: unpadded convolutions whose receptive field is exactly one patch, a
learned vector per patch position added before a ReLU, and a linear map of its own per position.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from xfv_core.errors import XfvError
from xfv_core.models.base import Chain, Offset, PatchGeometry, PatchScores, Regions
from xfv_core.models.blocks import (
    INPUT_SCALE,
    INPUT_SHIFT,
    Layer,
    NetConfig,
    TrainedModel,
    conv_block,
    padding_of,
    receptive_field,
)
from xfv_core.models.registry import register
from xfv_core.strict_json import Positive

INPUT_SIZE = 112


class PatchGeometryError(XfvError):
    """The layers do not tile the crop with whole patches up to its border."""


@dataclass(frozen=True)
class PatchConfig(NetConfig):
    """Everything that fixes the architecture (the ``config`` of a manifest entry).

    Attributes
    ----------
    layers : the encoder from the photo to one vector per patch.
    hidden : width of the 1x1 layer that receives the position vectors.
    local : width of the features that each position maps linearly on its own.
    dim : length of a patch feature.
    shortcuts : the convolutions after the first are trained with shortcuts (exported weights
        contain them).
    """

    layers: tuple[Layer, ...]
    hidden: Positive
    local: Positive
    dim: Positive
    shortcuts: bool = False


class PatchEncoder(nn.Module):
    """Convolutions, position vectors, and the features that the positions' own maps take.

    ``padded`` gives the control: the same blocks, but seeing across the whole face.
    """

    def __init__(self, config: PatchConfig, *, padded: bool = False, folded: bool = False) -> None:
        super().__init__()
        widths = [3, *(layer.channels for layer in config.layers)]
        convs = [
            conv_block(width, layer, padded, folded, shortcut=config.shortcuts and width > 3)
            for width, layer in zip(widths, config.layers, strict=False)
        ]
        self.convs = nn.Sequential(*convs)
        self.lift = conv_block(widths[-1], Layer(1, 1, config.hidden), False, folded, relu=False)
        self.narrow = conv_block(config.hidden, Layer(1, 1, config.local), False, folded)
        self.grid = _grid(config.layers, padded)
        self.position = nn.Parameter(torch.zeros(config.hidden, self.grid, self.grid))

    def forward(self, x: Tensor) -> Tensor:
        """(B,3,112,112) in [0,1] -> (B,local,G,G)."""
        h = self.convs(x * INPUT_SCALE + INPUT_SHIFT)  # (B, C, G, G)
        h = functional.relu(self.lift(h) + self.position)  # (B, hidden, G, G)
        return self.narrow(h)  # (B, local, G, G)

    def chained(self, position: Tensor, *head: nn.Module) -> Chain:
        """The encoder, which is folded, flattened, with these position vectors."""
        convs = [layer for block in self.convs for layer in (*block.children(), nn.ReLU())]
        lift = [self.lift.conv, Offset(position.detach()), nn.ReLU()]
        narrow = [self.narrow.conv, nn.ReLU(), nn.Flatten()]
        return Chain(INPUT_SCALE, INPUT_SHIFT, nn.Sequential(*convs, *lift, *narrow, *head))


class PatchFaceModel(TrainedModel):
    """What the three networks share: the encoder and a linear map per position."""

    config_class = PatchConfig
    input_size = INPUT_SIZE
    padded = False
    encoder: PatchEncoder

    def __init__(self, config: PatchConfig, *, name: str = "", folded: bool = False) -> None:
        super().__init__(config, name=name)
        self.encoder = PatchEncoder(config, padded=self.padded, folded=folded)
        self.patch_count = self.encoder.grid**2
        self.maps = nn.Parameter(torch.empty(self.patch_count, config.local, config.dim))
        if not self.maps.is_meta:  # there, torch would load its compiler for it, 0.8 s
            nn.init.normal_(self.maps, std=0.05)  # the scale cancels; it sets the pace of learning

    def last_maps(self) -> nn.Module:
        return self.encoder  # (B, local, G, G)

    def embed(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> (B,D) float32, L2-normalised."""
        return functional.normalize(self.raw(x), dim=1)

    def raw(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> (B,D) float32 along the embedding; its length is |ā|."""
        return self.mean_feature(x).float()

    def chain(self) -> Chain:
        weight = self.maps.detach().permute(2, 1, 0).flatten(1) / self.patch_count  # (D, local·N)
        head = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
        head.weight = nn.Parameter(weight, requires_grad=False)
        encoder = self.for_inference().encoder
        return encoder.chained(encoder.position, head)

    def local_features(self, x: Tensor) -> Tensor:
        """(B,3,112,112) -> (B,N,local), rows in reading order of the patches."""
        return self.encoder(x).flatten(2).transpose(1, 2)

    def patch_features(self, x: Tensor) -> Tensor:
        """(B,3,112,112) in [0,1] -> patch features a_i, (B,N,D) float32."""
        h = self.local_features(x).transpose(0, 1)  # (N, B, local)
        return torch.bmm(h.float(), self.maps).transpose(0, 1)  # (B, N, D)

    def mean_feature(self, x: Tensor) -> Tensor:
        """ā = Σ_i a_i / N as one product, (B,D) float32."""
        h = self.local_features(x).flatten(1).float()  # (B, N·local)
        return h @ self.maps.flatten(0, 1) / self.patch_count


@register("rrf")
class RRFNet(PatchFaceModel):
    """Way (B) of the paper: mean-pooled patch features, the similarity is their cosine.

    Attributes
    ----------
    patch_size, stride : side and spacing of the patches in pixels.
    grid : patches per row and per column; patch i starts at (i // grid, i % grid)·stride.
    patch_count : N = grid².
    """

    def __init__(self, config: PatchConfig, *, name: str = "", folded: bool = False) -> None:
        super().__init__(config, name=name, folded=folded)
        self.patch_size, self.stride = receptive_field(config.layers)
        self.grid = self.encoder.grid
        self.embedding_dim = config.dim

    def geometry(self) -> PatchGeometry:
        return PatchGeometry(self.patch_size, self.stride, self.grid)

    def contributions(self, a: Tensor, b: Tensor) -> PatchScores:
        """Patch scores of two crops (3,112,112), or of two batches of as many, in [0,1]."""
        if a.dim() == 4:
            return self.pair_scores(self.patch_features(a), self.patch_features(b))
        return self.pair_scores(*self.patch_features(torch.stack([a, b])))

    def pair_scores(self, a: Tensor, b: Tensor) -> PatchScores:
        """Patch scores from patch features a_i, b_j, each (...,N,D)."""
        n = a.shape[-2]
        unit_a = a / (n * a.mean(-2, keepdim=True).norm(dim=-1, keepdim=True))  # (..., N, D)
        unit_b = b / (n * b.mean(-2, keepdim=True).norm(dim=-1, keepdim=True))
        mean_a, mean_b = unit_a.sum(-2), unit_b.sum(-2)  # (..., D), unit length
        return PatchScores(
            a=torch.einsum("...nd,...d->...n", unit_a, mean_b),
            b=torch.einsum("...nd,...d->...n", unit_b, mean_a),
            k=unit_a @ unit_b.transpose(-1, -2),
            similarity=(mean_a * mean_b).sum(-1),
        )


@register("rrf_regions")
class RegionNet(RRFNet):
    """Way (A): each region compared with the same region, by learned weights.

    S = Σ_r w_r cos(a_r, b_r), w = softmax of the region weights, which is the cosine of
    ``embed`` = the regions' √w_r a_r/|a_r| side by side. K is diagonal.
    """

    def __init__(self, config: PatchConfig, *, name: str = "", folded: bool = False) -> None:
        super().__init__(config, name=name, folded=folded)
        self.region_logits = nn.Parameter(torch.zeros(self.patch_count))
        self.embedding_dim = self.patch_count * config.dim

    @property
    def region_weights(self) -> Tensor:
        """(N,), non-negative, sums to 1."""
        return self.region_logits.softmax(0)

    def embed(self, x: Tensor) -> Tensor:
        """(B,3,112,112) RGB in [0,1] -> (B,N·D) float32, L2-normalised."""
        return self._weighted(self.patch_features(x)).flatten(1)

    def raw(self, x: Tensor) -> Tensor:
        """The embedding, (B,N·D), times the mean length of the region features, by weight."""
        features = self.patch_features(x).float()  # (B, N, D)
        length = (features.norm(dim=2) * self.region_weights).sum(1, keepdim=True)  # (B, 1)
        return self._weighted(features).flatten(1) * length

    def chain(self) -> Chain:
        encoder = self.for_inference().encoder
        return replace(encoder.chained(encoder.position), head=self._join)

    def _join(self, h: Tensor) -> Tensor:
        """The flattened encoder (B,local·N) -> (B,N·D)."""
        by_region = h.unflatten(1, (-1, self.patch_count)).permute(2, 0, 1)  # (N, B, local)
        return self._weighted(torch.bmm(by_region, self.maps).transpose(0, 1)).flatten(1)

    def regions(self) -> Regions:
        encoder = self.for_inference().encoder
        positions = encoder.position.flatten(1).T[..., None, None]  # (N, hidden, 1, 1)
        chain = encoder.chained(positions)
        starts = torch.arange(self.grid) * self.stride
        corners = torch.cartesian_prod(starts, starts)
        lengths = self.region_weights.sqrt().detach()
        return Regions(corners, self.patch_size, chain, self.maps.detach(), lengths)

    def pair_scores(self, a: Tensor, b: Tensor) -> PatchScores:
        """Patch scores from region features a_r, b_r, each (...,N,D)."""
        scores = (self._weighted(a) * self._weighted(b)).sum(-1)  # (..., N)
        return PatchScores(scores, scores, torch.diag_embed(scores), scores.sum(-1))

    def _weighted(self, features: Tensor) -> Tensor:
        """a_r -> √w_r a_r/|a_r|, (...,N,D)."""
        unit = functional.normalize(features.float(), dim=-1)
        return unit * self.region_weights.sqrt()[:, None]


@register("full")
class FullFaceNet(PatchFaceModel):
    """The control: the same blocks with padding, every position seeing across the face."""

    padded = True

    def __init__(self, config: PatchConfig, *, name: str = "", folded: bool = False) -> None:
        super().__init__(config, name=name, folded=folded)
        self.embedding_dim = config.dim


def _grid(layers: tuple[Layer, ...], padded: bool) -> int:
    """Outputs per row; unpadded layers must reach the border of the crop."""
    size, jump = receptive_field(layers)
    if not padded and (size > INPUT_SIZE or (INPUT_SIZE - size) % jump):
        raise PatchGeometryError(
            f"Patches of {size} px every {jump} px do not reach the border of {INPUT_SIZE} px; "
            "change the kernels or strides."
        )
    side = INPUT_SIZE
    for layer in layers:
        side = (side + 2 * padding_of(layer) * padded - layer.kernel) // layer.stride + 1
    return side
