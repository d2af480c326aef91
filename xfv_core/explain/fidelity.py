"""Is a map right? Hide what it marks, and see whether the similarity moves more than by chance.

Deletion and insertion (Petsiuk et al., RISE, BMVC 2018) for one pair, on the cosine itself. One
photo is changed at a time, first A then B, and the curves averaged: two black squares would be
alike. Every ranking, that of chance too, is one of cells (``cells`` a side), because scattered
pixels are noise to a network. Chance is random smooth fields.

Cells are ranked by the signed map. So the dissimilar map's ranking is the similar one's backwards,
and inserting the first cells of one is hiding the last cells of the other: two curves per map,
``falling`` and ``rising``, are all there is to measure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from xfv_core.errors import XfvError
from xfv_core.models.base import FaceEmbedder, batch_size, embed_all

CELLS = 14  # per side: 8 px of a 112 px face
RATIOS = np.linspace(0, 1, 11)
FIELDS = 20
FIELD_SIGMA = 1 / 7  # of the side; measured: chance is then as smooth as the occlusion maps
FILLS = ("black", "mean", "blur")
BLUR = 12 / 112  # σ as a share of the side: no feature of a face is left

Steps = Callable[[float], None]
Kind = Literal["similar", "dissimilar"]
Array = NDArray[np.float64]


class FidelityError(XfvError):
    """Fidelity was asked for in a way that does not exist."""


class SignedMaps(Protocol):
    """What is judged: two (H,W) arrays, > 0 similar, < 0 dissimilar."""

    @property
    def a(self) -> NDArray[np.float32]: ...

    @property
    def b(self) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class RandomCurves:
    """Chance for one pair; independent of any map, so worth keeping.

    ``deletion`` (2,n,11): the cosine after hiding ``RATIOS`` of the cells of the first, of the
    second photo in the order of n random fields. Hiding the first cells of -g is inserting the
    last of g, and -g is as random as g: read backwards the same curves are random insertion.
    """

    deletion: Array
    passes: int

    @property
    def areas(self) -> Array:
        """(n,) area under the mean of both photos' curves; the same for deletion and insertion."""
        return area(self.deletion.mean(0))


@dataclass(frozen=True, eq=False)
class MapCurves:
    """The cosine after hiding ``RATIOS`` of the cells of the first, of the second photo, (2,11).

    ``falling`` hides the most similar first, ``rising`` the most dissimilar; ``marks_similar`` and
    ``marks_dissimilar`` say whether the maps mark anything as such.
    """

    falling: Array
    rising: Array
    marks_similar: bool
    marks_dissimilar: bool
    passes: int


@dataclass(frozen=True, eq=False)
class Fidelity:
    """One kind of map against chance. Gains are areas between cosine curves, in cosine.

    deletion_gain : how much further than random cells, when hidden, the marked cells move the
        cosine where they should: down for the similar map, up for the dissimilar one.
    insertion_gain : the same for showing nothing else, up for the similar map, down for the other.
    deletion_beaten, insertion_beaten : share of the random fields that did worse.
    sd : standard deviation of the random areas, for deletion and insertion alike.
    deletion, insertion, chance : (11,) curves over ``RATIOS``; chance is mean random deletion, and
        backwards mean random insertion.
    empty : the map marks nothing of this kind; gains and shares are 0.
    """

    kind: Kind
    empty: bool
    deletion_gain: float
    deletion_beaten: float
    insertion_gain: float
    insertion_beaten: float
    sd: float
    deletion: Array
    insertion: Array
    chance: Array
    n_random: int
    passes: int

    @property
    def sentence(self) -> str:
        """The deletion gain in words."""
        if self.empty:
            return f"This map marks nothing as {self.kind}."
        verb = "lowers" if self.kind == "similar" else "raises"
        than = "more than" if self.deletion_gain >= 0 else "less than"
        return (
            f"Removing what this map marks as {self.kind} {verb} the similarity by "
            f"{abs(self.deletion_gain):.2f} ± {self.sd:.2f} {than} chance."
        )


def random_curves(
    model: FaceEmbedder,
    a: Tensor,
    b: Tensor,
    *,
    seed: int = 0,
    n: int = FIELDS,
    fill: str = "black",
    cells: int = CELLS,
    steps: Steps | None = None,
) -> RandomCurves:
    """Chance for the pair ``a``, ``b``, (3,S,S) RGB in [0,1]: both photos under n random fields.

    ``steps`` is called with the finished share after every batch.
    """
    fields = random_fields(n, seed, cells)
    return curves_of_fields(model, a, b, fields, seed=seed, fill=fill, steps=steps)


def curves_of_fields(
    model: FaceEmbedder,
    a: Tensor,
    b: Tensor,
    fields: Array,
    *,
    seed: int = 0,
    fill: str = "black",
    steps: Steps | None = None,
) -> RandomCurves:
    """``random_curves`` of these fields (n,C,C); ``seed`` breaks ties between cells."""
    hidden = hidden_cells(ranks(fields, seed))  # (n,11,C,C)
    curves, passes = _curves(model, (a, b), (hidden, hidden), fill, steps)
    return RandomCurves(curves, passes)


def map_curves(
    model: FaceEmbedder,
    a: Tensor,
    b: Tensor,
    maps: SignedMaps,
    *,
    seed: int = 0,
    fill: str = "black",
    cells: int = CELLS,
    steps: Steps | None = None,
) -> MapCurves:
    """The curves of one pair's maps; ``seed`` breaks ties between cells."""
    means = np.stack([cell_means(side, cells) for side in (maps.a, maps.b)])  # (2,C,C)
    order = ranks(means, seed)
    both_ways = np.stack([order, order.max() - order], axis=1)  # (2 photos, 2 ways, C,C)
    hidden_a, hidden_b = hidden_cells(both_ways)  # (2,11,C,C) each
    curves, passes = _curves(model, (a, b), (hidden_a, hidden_b), fill, steps)
    falling, rising = curves.swapaxes(0, 1)  # (2,11) each
    return MapCurves(falling, rising, bool((means > 0).any()), bool((means < 0).any()), passes)


def against_chance(curves: MapCurves, random: RandomCurves, kind: Kind = "similar") -> Fidelity:
    """How much better than chance the similar or the dissimilar map does."""
    down, up = curves.falling.mean(0), curves.rising.mean(0)
    falls = random.areas - area(down)  # (n,) > 0: lower than this random field
    rises = area(up) - random.areas
    similar = kind == "similar"
    empty = not (curves.marks_similar if similar else curves.marks_dissimilar)
    gains = np.stack([falls, rises] if similar else [rises, falls])  # deletion, insertion
    gain, beaten = gains.mean(1) * (not empty), (gains > 0).mean(1) * (not empty)
    deletion, insertion = (down, up[::-1]) if similar else (up, down[::-1])
    return Fidelity(
        kind=kind,
        empty=empty,
        deletion_gain=float(gain[0]),
        deletion_beaten=float(beaten[0]),
        insertion_gain=float(gain[1]),
        insertion_beaten=float(beaten[1]),
        sd=float(random.areas.std(ddof=1)),
        deletion=deletion,
        insertion=insertion,
        chance=random.deletion.mean((0, 1)),
        n_random=random.deletion.shape[1],
        passes=curves.passes + random.passes,
    )


def agreement(first: SignedMaps, second: SignedMaps) -> float | None:
    """Rank correlation (Spearman) of two methods' maps, mean of both photos, in [-1,1].

    None where one of them is flat and has no ranks. Raises FidelityError for maps of two sizes.
    """
    if first.a.shape != second.a.shape:
        raise FidelityError(
            "Only maps of the same crop can be compared; choose one model for both."
        )
    from scipy.stats import spearmanr  # slow to import, and no verdict needs it

    sides = [(first.a, second.a), (first.b, second.b)]
    if any(np.ptp(values) == 0 for side in sides for values in side):
        return None
    return float(np.mean([spearmanr(x.ravel(), y.ravel()).statistic for x, y in sides]))


def area(curve: Array) -> Array:
    """Area under (…,11) curves over the evenly spaced ``RATIOS``, trapezoid rule."""
    return (curve[..., :-1] + curve[..., 1:]).mean(-1) / 2


def cell_means(values: NDArray[np.floating], cells: int = CELLS) -> Array:
    """(S,S) -> (C,C) means; a pixel belongs to the cell that its centre lies in."""
    member = cell_of(len(values), cells) == np.arange(cells)[:, None]  # (C,S)
    share = member / member.sum(1, keepdims=True)
    return share @ values.astype(np.float64) @ share.T


def cell_of(side: int, cells: int = CELLS) -> NDArray[np.int64]:
    """(S,) the cell of each pixel along one axis."""
    return ((np.arange(side) + 0.5) * cells / side).astype(np.int64)


def ranks(values: Array, seed: int) -> NDArray[np.int64]:
    """(…,H,W) -> same shape, 0 for the highest value; equal values in a random order."""
    flat = values.reshape(-1, values.shape[-2] * values.shape[-1])
    ties = np.random.default_rng(seed).random(flat.shape)
    order = np.lexsort((ties, -flat), axis=-1)
    return np.argsort(order, axis=-1).reshape(values.shape)


def random_fields(n: int, seed: int, cells: int = CELLS) -> Array:
    """(n,C,C) white noise smoothed by ``FIELD_SIGMA``, wrapped: borders are like the rest."""
    noise = np.random.default_rng(seed).standard_normal((n, cells, cells))
    return gaussian_filter(noise, FIELD_SIGMA * cells, mode="wrap", axes=(1, 2))


def hidden_cells(order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Ranks (…,C,C) -> (…,11,C,C), True for the first 0, 10, … 100 % of the cells."""
    counts = np.rint(RATIOS * order.shape[-1] ** 2)
    return order[..., None, :, :] < counts[:, None, None]


def _curves(
    model: FaceEmbedder,
    photos: tuple[Tensor, Tensor],
    hidden: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    fill: str,
    steps: Steps | None,
) -> tuple[Array, int]:
    """Both photos' (n,11,C,C) hidden cells -> (2,n,11) cosine curves, and the passes it took."""
    x = torch.stack(photos).to(model.device)  # (2,3,S,S)
    fills = _fill(x, fill)
    ends = embed_all(model, torch.cat([x, fills])).cpu()  # A, B, A all hidden, B all hidden
    others = ends[:2].flip(0)  # what each photo is held against
    uncovered, covered = ((part * others).sum(1).numpy() for part in ends.split(2))
    curves = np.empty((2, *hidden[0].shape[:2]))
    curves[..., 0], curves[..., -1] = uncovered[:, None], covered[:, None]
    inner = [torch.from_numpy(h[:, 1:-1]).flatten(0, 1) for h in hidden]  # (9n,C,C)
    done = 0
    for side in (0, 1):
        cosines = []
        for part in inner[side].split(batch_size(model.device)):
            seen = torch.where(_pixels(part, x), fills[side], x[side])
            cosines.append(embed_all(model, seen).cpu() @ others[side])
            done += len(part)
            if steps:
                steps(done / (2 * len(inner[0])))
        curves[side, :, 1:-1] = torch.cat(cosines).unflatten(0, (-1, len(RATIOS) - 2)).numpy()
    return curves, 4 + done


def _pixels(cells: Tensor, like: Tensor) -> Tensor:
    """(n,C,C) -> (n,1,S,S) on the device of ``like``, every pixel as its cell."""
    cell = torch.from_numpy(cell_of(like.shape[-1], cells.shape[-1]))
    return cells[:, None, cell[:, None], cell].to(like.device)


def _fill(x: Tensor, fill: str) -> Tensor:
    """What hidden cells show, (2,3,S,S)."""
    if fill == "black":
        return torch.zeros_like(x)
    if fill == "mean":
        return x.mean((2, 3), keepdim=True).expand_as(x)
    if fill == "blur":
        blurred = gaussian_filter(x.cpu().numpy(), BLUR * x.shape[-1], axes=(2, 3))
        return torch.from_numpy(blurred).to(x.device)
    raise FidelityError(f"There is no fill {fill!r} here; choose from {', '.join(FILLS)}.")
