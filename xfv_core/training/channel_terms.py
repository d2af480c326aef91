"""The terms of the channel loss, each a function of the maps of a layer; see ``ecloss``.

X (B,C,H,W) are rectified maps, P = X / ΣX a map as a distribution over places, μ its peak.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

COVER = (16, 36)  # px, the sides of a covering square: from an eye to a mouth with its surroundings
MARGIN = 20  # px from the crop's edge where none begins or ends
TINY = 1e-6


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


def belonging(likeness: Tensor, parts: int, channels: int, temperature: float) -> Tensor:
    """R (B,C,H,W): how surely each place is the channel's own part's, in [0,1].

    The softmax over all prototypes of ``likeness``/temperature; ``likeness`` (B,G+K,H,W) is the
    cosine of the descriptor at a place to each, those of the G parts first.
    """
    shares = (likeness / temperature).softmax(1)[:, :parts]  # (B, G, H, W)
    return shares.repeat(1, channels // parts, 1, 1)  # g(c) = c mod G


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


def mirror_loss(maps: Tensor, again: Tensor, hidden: Tensor) -> Tensor:
    """Mean of 1 - cosine of the blurred maps X and X' (B,C,H,W), as strongly as X fires.

    X' is what the partners make of the mirror image, mirrored back: 0 where a channel sees in the
    mirror image what its partner sees in the photo. Maps that peak where ``hidden`` (B,C), because
    that place was covered in the second view, do not count.
    """
    first, second = (
        _direction(functional.avg_pool2d(x, 3, 1, 1).flatten(2)) for x in (maps, again)
    )
    shown = maps * ~hidden[..., None, None]
    return _mean_by_activation(1 - (first * second).sum(2), shown)


def _direction(flat: Tensor) -> Tensor:
    """(B,C,HW) -> unit length, but for faint maps, which would steer by their noise."""
    length = flat.norm(dim=2, keepdim=True)
    return flat / torch.maximum(length, 0.1 * length.detach().mean(0)).clamp(min=TINY)


def by_part(p: Tensor, parts: int) -> Tensor:
    """(B,C,H,W) -> (B,G,H,W), the mean over the channels of each part."""
    return p.unflatten(1, (-1, parts)).mean(1)


def _mean_by_activation(values: Tensor, maps: Tensor) -> Tensor:
    """(B,C) -> the mean weighted by a/(a + ā), a the activation of a map, ā its channel's mean.

    A silent map does not count; a faint one, whose distribution hangs on next to nothing, hardly
    does, which also keeps the gradient finite.
    """
    activation = maps.detach().sum((2, 3))  # (B, C)
    weight = activation / (activation + activation.mean(0)).clamp(min=TINY)
    return (values * weight).sum() / weight.sum().clamp(min=TINY)
