"""A loss that makes the channels of a layer detect face parts, without labels or alignment.

Our reading of Lin, Liu, Li, Shen, *Activation Template Matching Loss for Explainable Face
Recognition*, arXiv 2207.02179, whose formula is not public, built on its documented ancestors:
templates from Zhang, Wu, Zhu, *Interpretable Convolutional Neural Networks* (CVPR 2018), diversity
from Yin et al., *Towards Interpretable Face Recognition* (arXiv 1805.00611).

X (B,C,H,W) are the rectified maps of the target layer, P = X / ΣX a channel's map as a
distribution over places, μ its peak. The C channels are shared out over G parts, g(c) = c mod G.
What a part looks like is a prototype q_g, a running mean of what its channels look at; no gradient
flows through the descriptors F or into the prototypes. The terms ``covered`` and ``mirror`` are
ours: a hidden part is to be missed, and two eyes are to be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from xfv_core.errors import XfvError

TERMS = ("template", "part", "silence", "diversity", "balance", "covered", "mirror")
SECOND_SHARE = 4  # every so many photos of a batch are seen again, covered, mirrored or both
COVER = (16, 36)  # px, the sides of that square: from an eye to a mouth with its surroundings
MARGIN = 20  # px from the crop's edge where no square begins or ends
TINY = 1e-6


class ECLossError(XfvError):
    """The weights do not fit the layer."""


@dataclass(frozen=True)
class ECWeights:
    """Weights of the terms, and what shapes them.

    Attributes
    ----------
    template, part, silence, diversity, balance, covered, mirror : weights; 0 leaves a term in the
        log only, and of ``covered`` and ``mirror``, which cost passes, not even there.
    start : the step from which the terms count; before it nothing depends on them.
    parts : G, the number of prototypes.
    pairs : for ``mirror``, so many pairs of parts are each other's mirror images: 0 and 1, 2 and 3
        and so on; the parts after them are their own.
    slope : β, how steeply a template falls; it is 0 at n/β cells from its peak.
    edge : rings of cells at the crop's border that are no part.
    temperature : of the contest between prototypes.
    momentum : of the running means.
    fade : the terms' weights fall with the step size.
    """

    template: float = 0.0
    part: float = 0.0
    silence: float = 0.0
    diversity: float = 0.0
    balance: float = 0.0
    covered: float = 0.0
    mirror: float = 0.0
    start: int = 0
    parts: int = 16
    pairs: int = 0
    slope: float = 4.0
    edge: int = 1
    temperature: float = 0.1
    momentum: float = 0.99
    fade: bool = False

    @property
    def active(self) -> dict[str, float]:
        """The terms that count, with their weights."""
        return {f.name: w for f in fields(self) if f.name in TERMS and (w := getattr(self, f.name))}


def distributions(maps: Tensor) -> Tensor:
    """X (B,C,H,W), >= 0 -> P, each map divided by its sum; a silent map stays 0."""
    return maps / maps.sum((2, 3), keepdim=True).clamp(min=TINY)


def templates(height: int, width: int, slope: float, edge: int = 1) -> Tensor:
    """T (HW,HW): T_μ(ij) = max(1 - β |ij - μ|₁ / n, -1) for every peak μ, a row each; n = H.

    The outermost ``edge`` rings of cells match no template: what surrounds a face is no part.
    """
    rows, columns = (x.flatten() for x in torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing="ij"))  # fmt: skip
    far = (rows[:, None] - rows).abs() + (columns[:, None] - columns).abs()  # (HW, HW)
    inside = torch.minimum(
        torch.minimum(rows, height - 1 - rows), torch.minimum(columns, width - 1 - columns)
    )  # (HW,) cells between this one and the edge
    return (1 - slope * far / height).clamp(min=-1).masked_fill(inside < edge, -1.0)


def template_loss(maps: Tensor, table: Tensor) -> Tensor:
    """Mean of (1 - Σ_ij P T_μ) / 2 over the maps, as strongly as they fire.

    0 where all is on the peak, 1 where all is far from it.
    """
    flat = distributions(maps).flatten(2)  # (B, C, HW)
    matched = (flat * table[flat.argmax(2)]).sum(2)  # (B, C)
    return _mean_by_activation((1 - matched) / 2, maps)


def belonging(likeness: Tensor, channels: int, temperature: float) -> Tensor:
    """R (B,C,H,W): how surely each place is the channel's own part's, in [0,1].

    The softmax over parts of ``likeness``/temperature; ``likeness`` (B,G,H,W) is the cosine of the
    descriptor at a place to each prototype.
    """
    parts = (likeness / temperature).softmax(1)  # (B, G, H, W)
    return parts.repeat(1, channels // likeness.shape[1], 1, 1)  # g(c) = c mod G


def part_loss(maps: Tensor, own: Tensor) -> Tensor:
    """Mean of -log Σ_ij P R over the maps, as strongly as they fire.

    0 where a channel looks only at places that are its own part's beyond doubt, log G where the
    parts are all alike.
    """
    matched = (distributions(maps) * own).sum((2, 3))  # (B, C)
    return _mean_by_activation(-matched.clamp(min=TINY).log(), maps)


def silence_loss(maps: Tensor, own: Tensor) -> Tensor:
    """Mean over channels of Σ_b h (1 - R at the peak) / Σ_b h, h the height of the peak.

    The share of a channel's activation, over the batch, that is spent on what is not its part: a
    channel whose part is hidden should be silent rather than look at the next best thing.
    """
    height, at = maps.flatten(2).max(2)  # (B, C)
    wrong = 1 - own.flatten(2).gather(2, at[..., None])[..., 0]  # (B, C)
    return ((height * wrong).sum(0) / height.sum(0).clamp(min=TINY)).mean()


def diversity_loss(parts: Tensor) -> Tensor:
    """Mean squared cosine of the blurred maps of two different parts; ``parts`` (B,G,H,W)."""
    blurred = functional.avg_pool2d(parts, 3, 1, 1)
    unit = functional.normalize(blurred.flatten(2), dim=2)  # (B, G, HW)
    squared = (unit @ unit.transpose(1, 2)).square()  # (B, G, G)
    count = parts.shape[1]
    others = squared.sum((1, 2)) - squared.diagonal(dim1=1, dim2=2).sum(1)
    return (others / max(count * (count - 1), 1)).mean()


def balance_loss(maps: Tensor) -> Tensor:
    """-mean_c log(C · share of channel c in all activation); 0 where all channels share alike."""
    share = maps.sum((0, 2, 3)) / maps.sum().clamp(min=TINY)  # (C,)
    return -(len(share) * share + TINY).log().mean()


def cover_squares(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Crops (B,3,S,S) -> the same with one square each in one grey, half of them in black, and
    which pixels that are, bool (B,S,S)."""
    count, size = len(x), x.shape[-1]
    draws = torch.rand(4, count, generator=generator).to(x.device)
    side = COVER[0] + draws[0] * (COVER[1] - COVER[0])
    first = MARGIN + draws[1:3] * (size - 2 * MARGIN - side)  # (2, B)
    place = torch.arange(size, device=x.device)
    rows, columns = (
        (place >= start[:, None]) & (place < (start + side)[:, None]) for start in first
    )
    inside = rows[:, :, None] & columns[:, None, :]
    grey = (2 * draws[3] - 1).clamp(min=0)[:, None, None, None]
    return torch.where(inside[:, None], grey, x), inside


def peaks_under(maps: Tensor, inside: Tensor) -> Tensor:
    """Which maps X (B,C,H,W) peak in a cell that ``inside`` (B,S,S) mostly covers, bool (B,C)."""
    grid = (maps.shape[-2], maps.shape[-1])
    shares = functional.adaptive_avg_pool2d(inside[:, None].float(), grid)  # of a cell
    covered = (shares.flatten(2) > 0.5).expand(-1, maps.shape[1], -1)  # (B, C, HW)
    return covered.gather(2, maps.flatten(2).argmax(2, keepdim=True))[..., 0]


def covered_loss(maps: Tensor, after: Tensor, inside: Tensor) -> Tensor:
    """Σ peak of X' / Σ peak of X, over the channels whose peak in X is covered in X'.

    X and X' (B,C,H,W) are the maps of the same crops before and after ``inside`` (B,S,S) was
    covered. 0 where every channel whose part is hidden is silent: it does not look elsewhere.
    """
    height = maps.detach().flatten(2).amax(2)  # (B, C)
    own = peaks_under(maps, inside) * height
    left = after.flatten(2).amax(2) / height.clamp(min=TINY)
    return (own * left).sum() / own.sum().clamp(min=TINY)


def partners(channels: int, parts: int, pairs: int) -> Tensor:
    """(C,) the channel that looks at the mirror image of what channel c looks at."""
    c = torch.arange(channels)
    return torch.where(c % parts < 2 * pairs, c + 1 - 2 * (c % parts % 2), c)


def mirror_loss(maps: Tensor, again: Tensor, hidden: Tensor | None = None) -> Tensor:
    """Mean of 1 - cosine of the blurred maps X and X' (B,C,H,W), as strongly as X fires.

    X' is what the partners make of the mirror image, mirrored back: 0 where a channel sees in the
    mirror image what its partner sees in the photo. Maps that peak where ``hidden`` (B,C), because
    that place was covered in the second view, do not count.
    """
    first, second = (
        _direction(functional.avg_pool2d(x, 3, 1, 1).flatten(2)) for x in (maps, again)
    )
    shown = maps if hidden is None else maps * ~hidden[..., None, None]
    return _mean_by_activation(1 - (first * second).sum(2), shown)


def _direction(flat: Tensor) -> Tensor:
    """(B,C,HW) -> unit length, but for faint maps, which would steer by their noise."""
    length = flat.norm(dim=2, keepdim=True)
    return flat / torch.maximum(length, 0.1 * length.detach().mean(0)).clamp(min=TINY)


def by_part(p: Tensor, parts: int) -> Tensor:
    """(B,C,H,W) -> (B,G,H,W), the mean over the channels of each part."""
    return p.unflatten(1, (-1, parts)).mean(1)


class ECLoss(nn.Module):
    """The terms for one layer, with the prototypes as running means."""

    def __init__(self, weights: ECWeights, *, channels: int, features: int, grid: int) -> None:
        super().__init__()
        if channels % weights.parts:
            raise ECLossError(
                f"{channels} channels cannot be shared out over {weights.parts} parts evenly; "
                "change one of them in the config."
            )
        self.weights = weights
        self.partner: Tensor
        self.register_buffer(
            "partner", partners(channels, weights.parts, weights.pairs), persistent=False
        )
        self.table: Tensor
        self.register_buffer(
            "table", templates(grid, grid, weights.slope, weights.edge), persistent=False
        )
        self.step: Tensor
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(features))
        self.prototypes: Tensor
        self.register_buffer("prototypes", torch.zeros(weights.parts, features))

    def second_view(self, x: Tensor) -> tuple[Tensor, Tensor] | None:
        """Crops (B,3,S,S) -> the second view of the first of them, covered and mirrored as the
        terms want it, and which pixels of theirs were covered, bool (n,S,S); None where the next
        call wants no second view.
        """
        step = int(self.step)
        if step < self.weights.start or not (self.weights.covered or self.weights.mirror):
            return None
        again = x[: len(x) // SECOND_SHARE]
        inside = torch.zeros_like(again[:, 0], dtype=torch.bool)
        if self.weights.covered:
            again, inside = cover_squares(again, torch.Generator().manual_seed(step))
        return (again.flip(-1) if self.weights.mirror else again), inside

    def forward(
        self, maps: Tensor, features: Tensor, second: tuple[Tensor, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """X (B,C,H,W) and the features it was computed from (B,E,H,W) -> the terms, scalars.

        ``second``: the maps (n,C,H,W) of :meth:`second_view` and its covered pixels (n,S,S). All 0
        before the step ``start``. In training every call moves the running means.
        """
        begun = int(self.step) - self.weights.start
        if self.training:
            self.step += 1
        if begun < 0:
            return dict.fromkeys(TERMS, maps.new_zeros(()))
        x = maps.float()
        parts = by_part(distributions(x), self.weights.parts)  # (B, G, H, W)
        descriptors = self._descriptors(features.detach().float(), first=begun == 0)
        self._follow(descriptors, parts.detach(), first=begun == 0)
        likeness = torch.einsum(
            "behw,ge->bghw", descriptors, functional.normalize(self.prototypes, dim=1)
        )
        own = belonging(likeness, x.shape[1], self.weights.temperature)
        return {
            "template": template_loss(x, self.table),
            "part": part_loss(x, own),
            "silence": silence_loss(x, own),
            "diversity": diversity_loss(parts),
            "balance": balance_loss(x),
            **self._of_second_view(x, second),
        }

    def _of_second_view(self, x: Tensor, second: tuple[Tensor, Tensor] | None) -> dict[str, Tensor]:
        terms = {"covered": x.new_zeros(()), "mirror": x.new_zeros(())}
        if second is None:
            return terms
        again, inside = second[0].float(), second[1]
        x = x[: len(again)]
        if self.weights.mirror:
            again = again[:, self.partner].flip(-1)
            terms["mirror"] = mirror_loss(x, again, peaks_under(x, inside))
        if self.weights.covered:
            terms["covered"] = covered_loss(x, again, inside)
        return terms

    @torch.no_grad()
    def _descriptors(self, features: Tensor, *, first: bool) -> Tensor:
        """(B,E,H,W) -> the same less their running mean, of unit length at every place."""
        self._move(self.mean, features.mean((0, 2, 3)), first)
        return functional.normalize(features - self.mean[:, None, None], dim=1)

    @torch.no_grad()
    def _follow(self, descriptors: Tensor, parts: Tensor, *, first: bool) -> None:
        """Move each prototype towards what its channels look at in this batch."""
        seen = torch.einsum("behw,bghw->ge", descriptors, parts) / len(parts)  # (G, E)
        self._move(self.prototypes, seen, first)

    def _move(self, average: Tensor, value: Tensor, first: bool) -> None:
        if self.training:
            average.lerp_(value, 1.0 if first else 1 - self.weights.momentum)


def _mean_by_activation(values: Tensor, maps: Tensor) -> Tensor:
    """(B,C) -> the mean weighted by a/(a + ā), a the activation of a map, ā its channel's mean.

    A silent map does not count; a faint one, whose distribution hangs on next to nothing, hardly
    does, which also keeps the gradient finite.
    """
    activation = maps.detach().sum((2, 3))  # (B, C)
    weight = activation / (activation + activation.mean(0)).clamp(min=TINY)
    return (values * weight).sum() / weight.sum().clamp(min=TINY)
