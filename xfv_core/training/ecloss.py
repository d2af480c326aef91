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
from xfv_core.training.channel_terms import (
    balance_loss,
    belonging,
    by_part,
    cover_squares,
    covered_loss,
    distributions,
    diversity_loss,
    mirror_loss,
    part_loss,
    partners,
    peaks_under,
    silence_loss,
    template_loss,
    templates,
)

TERMS = ("template", "part", "silence", "diversity", "balance", "covered", "mirror")
SECOND_SHARE = 4  # every so many photos of a batch are seen again, covered, mirrored or both


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
    prototypes : a file of ``xfv prototypes``, shipped or by its path: they are those of an earlier
        training and stay as they are.
    beside : so many of them, the last ones, are of what is beside a face. They have no channels,
        but take part in the contest.
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
    prototypes: str = ""
    beside: int = 0
    fade: bool = False

    @property
    def active(self) -> dict[str, float]:
        """The terms that count, with their weights."""
        return {f.name: w for f in fields(self) if f.name in TERMS and (w := getattr(self, f.name))}


class ECLoss(nn.Module):
    """The terms for one layer, with the prototypes as running means."""

    def __init__(self, weights: ECWeights, *, channels: int, features: int, grid: int) -> None:
        super().__init__()
        if channels % weights.parts:
            raise ECLossError(
                f"{channels} channels cannot be shared out over {weights.parts} parts evenly; "
                "change one of them in the config."
            )
        if weights.beside and not weights.prototypes:
            raise ECLossError(
                "Prototypes beside the face have no channels to follow; without a file of "
                "prototypes the config's beside must be 0."
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
        self.register_buffer("prototypes", torch.zeros(weights.parts + weights.beside, features))

    def take(self, mean: Tensor, prototypes: Tensor) -> None:
        """Start with these running means, (E,) and (G+K,E); ECLossError where they do not fit."""
        for ours, given in ((self.mean, mean), (self.prototypes, prototypes)):
            if ours.shape != given.shape:
                raise ECLossError(
                    f"The prototypes given are {tuple(prototypes.shape)}, the config's are "
                    f"{tuple(self.prototypes.shape)}: parts and those beside, features."
                )
            ours.copy_(given)

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
        own = belonging(likeness, self.weights.parts, x.shape[1], self.weights.temperature)
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
        self._move(self.prototypes[: len(seen)], seen, first)

    def _move(self, average: Tensor, value: Tensor, first: bool) -> None:
        if self.training and not self.weights.prototypes:
            average.lerp_(value, 1.0 if first else 1 - self.weights.momentum)
