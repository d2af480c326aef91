"""Occlusion maps: cover a place, see how the distance of the two faces moves.

Knoche, Teepe, Hörmann, Rigoll, "Explainable Model-Agnostic Similarity and Confidence in Face
Verification", WACV-W 2023, arXiv 2211.13735. With δ(u,v) = 1 - u·v, E_A[n] the embedding of A under
mask n and e_A that of A itself, the deviation of mask n for A is, by mode,

    1 all-vs-all    (e_A - E_A[n]) · mean_m E_B[m]          a matrix product, no N×M table
    2 one-sided     δ(E_A[n], e_B) - δ(e_A, e_B)
    3 same on both  δ(E_A[n], E_B[n]) - δ(e_A, e_B)

and a pixel's value the mean deviation of the masks that cover it, averaged over patch sizes. Each
size weighs 1/size there, because a large patch moves much and says little about where: measured,
deletion gains and insertion loses nothing (with 1/size², as in the paper, insertion loses).
Of a network that is one chain only what a patch can reach is computed, see ``incremental``.

That is the raw map, whose zero is no effect, so that even strangers look mostly alike. As evidence
it is held against a pair at the threshold, see ``views``: the same masks say what covering costs
the photo's likeness to itself, at no further pass (mode 3: 1 - (e_A·E_A[n]) (e_B·E_B[n])). That is
smoothed by ``OWN``: which spot of the nose matters differs from pair to pair, and measured, gains
in deletion are larger. A photo against itself keeps next to nothing below zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from xfv_core.explain.base import Method, Steps, Values, distance
from xfv_core.explain.fast.incremental import covered_embedder
from xfv_core.explain.masks import PRESETS, SHAPES, SIDE, PatchGrid, Preset, patch_grids
from xfv_core.explain.options import option
from xfv_core.explain.registry import register
from xfv_core.explain.views import against_the_bar, view_option
from xfv_core.models.base import FaceEmbedder, batch_size

PRESET_WORDS = {
    "fast": "coarse, twice as quick",
    "standard": "standard",
    "paper": "the authors' recipe, three times the work",
}
MODES = {1: "all against all", 2: "one covered, one whole", 3: "both covered alike"}
SHAPE_WORDS = {shape: f"{shape}s" for shape in SHAPES}
FILLS = {"black": "black", "mean": "the photo's mean colour", "noise": "noise"}
REFINE = 64  # masks per photo between two maps of the stream
CELL = 8  # px at SIDE: the sum of evidence over such a square is shown as one value
OWN = 8.0  # px at SIDE, σ of what covering costs a photo itself
NONE = 1e-6  # a sum of masks below this is rounding

# masks done, masks in all, maps where it is time for some, share of the operations saved so far
_Step = tuple[int, int, "NDArray[np.float32] | None", float]


@register
@dataclass(frozen=True)
class Occlusion(Method):
    """Signed maps, > 0 where covering a place drives the two faces apart: further than it would a
    pair at ``threshold`` as evidence, at all as raw values.

    view : "evidence", whose sum is S - θ in both photos, or "raw".
    preset : row of ``masks.PRESETS``; "paper" is the authors' recipe, its raw maps scaled to a
        maximum of 1, the others are ours, raw in mean change of the cosine distance.
    mode : 1, 2 or 3, see above. "paper" takes the uncovered δ(e_A, e_B) as the baseline of mode 1.
    fill : of the patches; noise is one seeded uniform image for both photos.
    bfloat16 : allow it, where it is native.
    tolerance : of ``incremental``, for networks that are a chain; 0 is exact.

    ``details["operations_saved"]``: which share of the multiply-adds of ``cost.passes`` whole
    passes was not needed (0 for networks that are no chain).
    """

    preset: str = option("standard", "detail", PRESET_WORDS, more=("full",))
    mode: int = option(1, "what is compared", MODES)
    shape: str = option("square", "shape of the patches", SHAPE_WORDS)
    fill: str = option("black", "what they show", FILLS)
    edge: float = option(
        0.0, "width of a blurred border, px at 112", least=0, most=SIDE, offered=False
    )
    view: str = view_option()
    seed: int = 0
    bfloat16: bool = True
    tolerance: float = 0.006

    name = "occlusion"
    title = "Occlusion"
    about = (
        "Parts of one face are covered, one after the other, and the similarity measured again. "
        "Green: without this place the faces lose more likeness than a pair at the threshold "
        "would. Pink: they lose less, or gain."
    )
    paper = "Knoche et al. 2023, arXiv 2211.13735"
    place = 10
    studied = ("standard", "standard,view=raw", "paper,view=raw")

    @property
    def unit(self) -> str:
        if self.view == "evidence":
            return "similarity above the threshold"
        faithful = PRESETS[self.preset].faithful
        return "share of the largest value" if faithful else "change of the cosine distance"

    @property
    def cost(self) -> int:
        return 6 if self.preset in ("paper", "full") else 1

    def maps(
        self, model: FaceEmbedder, pair: Tensor, threshold: float, steps: Steps
    ) -> Iterator[Values]:
        """``steps`` is called after every batch."""
        against = threshold if self.view == "evidence" else None
        cell = 1 if against is None else max(1, round(CELL * pair.shape[-1] / SIDE))
        for done, total, maps, saved in self._work(model, pair, against):
            steps(done / total)
            if maps is not None:
                details = {**asdict(self), "masks": done, "operations_saved": saved}
                yield Values(maps, passes=2 + 2 * done, cell=cell, details=details)

    def _work(
        self, model: FaceEmbedder, photos: Tensor, threshold: float | None
    ) -> Iterator[_Step]:
        """One batch at a time."""
        preset = PRESETS[self.preset]
        grids = patch_grids(preset, photos.shape[-1], self.shape, self.edge)
        fill = self._fill(photos)
        embed = covered_embedder(model, photos, fast=self.bfloat16, tolerance=self.tolerance)
        plain = embed.plain.cpu()  # (2,D)
        covered = [plain[:, None][:, :0] for _ in grids]  # each (2,n,D), n = 0 as yet
        done, yielded, total = 0, 0, sum(map(len, grids))
        for index, part in _batches(grids, batch_size(photos.device) // 2):
            masks = grids[index].masks(part).to(photos.device)  # (n,1,S,S)
            x = torch.lerp(photos[:, None], fill[:, None], masks)  # (2,n,3,S,S)
            embeddings = embed(x, grids[index].windows(part)).cpu()  # (2,n,D)
            covered[index] = torch.cat([covered[index], embeddings], dim=1)
            done += len(masks)
            due = done == total or done - yielded >= REFINE
            yielded = done if due else yielded
            maps = None
            if due:
                maps = occlusion_maps(preset, grids, self.mode, plain, covered, threshold)
            yield done, total, maps, embed.saved(2 + 2 * done)

    def _fill(self, photos: Tensor) -> Tensor:
        """What the patches show, broadcastable to (2,3,S,S)."""
        if self.fill == "noise":
            generator = torch.Generator().manual_seed(self.seed)
            return torch.rand(1, *photos.shape[1:], generator=generator).to(photos.device)
        mean = photos.mean((2, 3), keepdim=True)
        return mean if self.fill == "mean" else torch.zeros_like(mean)


def _batches(grids: Sequence[PatchGrid], size: int) -> Iterator[tuple[int, slice]]:
    """(grid, ``size`` masks of it at most) in order; both photos share the masks of a batch."""
    for index, grid in enumerate(grids):
        for start in range(0, len(grid), size):
            yield index, slice(start, start + size)


def occlusion_maps(
    preset: Preset,
    grids: Sequence[PatchGrid],
    mode: int,
    plain: Tensor,
    covered: Sequence[Tensor],
    threshold: float | None = None,
) -> NDArray[np.float32] | None:
    """(2,S,S) from e = ``plain`` (2,D) and E = ``covered``, per grid (2,n,D), n masks seen so far:
    evidence against ``threshold``, or the raw maps without one.

    A size joins once the masks seen reach every pixel that they can; None before the first does.
    """
    wanted = [deviations] if threshold is None else [deviations, own_deviations]
    reached = [
        (grid.size, _one_size(preset, grid, np.stack([f(preset, mode, plain, e) for f in wanted])))
        for grid, e in zip(grids, covered, strict=True)
        if _reaches_all(grid, e.shape[1])
    ]
    if not reached:
        return None
    sizes, of_sizes = zip(*reached, strict=True)
    weights = None if preset.faithful else [1 / size for size in sizes]
    maps = np.average(of_sizes, axis=0, weights=weights)  # (1 or 2,2,S,S)
    radius, sigma = (px * maps.shape[-1] / SIDE for px in preset.blur)
    maps = gaussian_filter(maps, sigma, radius=round(radius), axes=(2, 3))
    if threshold is not None:
        margin = float(plain[0] @ plain[1]) - threshold
        maps[1] = gaussian_filter(maps[1], OWN * maps.shape[-1] / SIDE, axes=(1, 2))
        raw, own = maps.reshape(2, 2, -1)
        return against_the_bar(raw, own, margin).reshape(maps.shape[1:]).astype(np.float32)
    raw = maps[0].astype(np.float32)
    return _to_unit_peak(raw) if preset.faithful else raw


def deviations(preset: Preset, mode: int, plain: Tensor, covered: Tensor) -> Tensor:
    """How far each mask moves the pair apart, for A and for B: (2,n), in cosine distance."""
    others, other_covered = plain.flip(0), covered.flip(0)  # what A is held against, and B
    uncovered = distance(plain, others)[:, None]  # (2,1)
    if mode == 2:
        return distance(covered, others[:, None]) - uncovered
    if mode == 3:
        return distance(covered, other_covered) - uncovered
    mean = other_covered.mean(1)[..., None]  # (2,D,1)
    if preset.faithful:
        return 1 - (covered @ mean)[..., 0] - uncovered
    return ((plain[:, None] - covered) @ mean)[..., 0]


def own_deviations(preset: Preset, mode: int, plain: Tensor, covered: Tensor) -> Tensor:
    """What each mask costs the likeness of a photo to itself, for A and for B: (2,n)."""
    if mode == 3:
        kept = 1 - distance(covered, plain[:, None])  # (2,n)
        return (1 - kept.prod(0)).expand(2, -1)
    twins = ((plain[[i, i]], covered[[i, i]]) for i in (0, 1))
    return torch.stack([deviations(preset, mode, *twin)[0] for twin in twins])


def _one_size(preset: Preset, grid: PatchGrid, deviation: NDArray[np.float32]) -> NDArray:
    """(…,n) -> (…,S,S): the mean deviation of the masks that cover a pixel, 0 where none does."""
    total, n = grid.spread(deviation), deviation.shape[-1]
    if preset.faithful:
        return total / (grid.size**2 * n)
    cover = grid.spread(np.ones(n))
    return np.where(cover > NONE, total / np.maximum(cover, NONE), 0)


def _reaches_all(grid: PatchGrid, n: int) -> bool:
    """Whether the first n masks cover every pixel that all of them cover."""
    if n in (0, len(grid)):
        return n > 0
    reached, reachable = (grid.spread(np.ones(k)) > NONE for k in (n, len(grid)))
    return bool((reached >= reachable).all())


def _to_unit_peak(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each map over its largest magnitude; a map of zeros stays one."""
    peak = np.abs(maps).max(axis=(1, 2), keepdims=True)
    return maps / np.where(peak > 0, peak, 1)
