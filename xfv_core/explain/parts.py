"""Parts that speak for and against: channels taken away, part by part.

For a network whose channels find face parts (``models/ecnet.py``): the channels of one part are set
to zero in both photos, and what the similarity loses is what the part adds to it,

    δ_part = s - s(without the part's channels).

The parts do not add up to s: the embedding is not linear in the maps. A part that shows in neither
photo's maps (a mask, sunglasses, the far side of a profile) is hidden: it says nothing about
likeness, whatever its δ. The pixel map is Σ_c δ_c P_c over the channels that are not hidden, with
P_c the channel's map in that photo as a distribution; its sum is Σ_c δ_c.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from xfv_core.explain.base import Method, Reading, Steps, Values, distance
from xfv_core.explain.registry import register
from xfv_core.explain.words import SPOKEN, listed
from xfv_core.faces.regions import REGIONS
from xfv_core.models.atlas import Atlas
from xfv_core.models.base import FindsParts

LEAST = 0.005  # of similarity: less rounds to nothing
OTHER = "no single part"


@dataclass(frozen=True)
class PartLine:
    """One part of the pair.

    adds : δ, what the similarity loses without it.
    hidden : whether it is hidden in the first, in the second photo.
    channels : its channels, the one with the greatest |δ_c| first.
    """

    part: str
    adds: float
    hidden: tuple[bool, bool]
    channels: tuple[int, ...]

    @property
    def spoken(self) -> str:
        """The part as one says it."""
        return SPOKEN.get(self.part, self.part)

    @property
    def words(self) -> str:
        """The part and what it adds."""
        return f"{self.spoken} ({self.adds:+.2f})"

    @property
    def hidden_in(self) -> str:
        """The photo or photos in which it is hidden."""
        if all(self.hidden):
            return "both photos"
        return "the first photo" if self.hidden[0] else "the second photo"


@dataclass(frozen=True, eq=False)
class PartsFound(Reading):
    """Every part of a pair, what speaks loudest first and hidden ones last.

    single : (C,) δ_c of each channel alone.
    maps : (2,C,G,G), the target layer in both photos, each channel over its level, at most 1.
    """

    lines: tuple[PartLine, ...]
    single: NDArray[np.float32]
    maps: NDArray[np.float32]
    similarity: float
    atlas: Atlas

    def words(self, of_maps: str) -> str:
        """What speaks for and against, part by part, and what is hidden, a line each; it says
        what the maps would, and more."""
        seen = [line for line in self.lines if not any(line.hidden)]
        lines = [
            f"{side}: {listed(named) if named else 'no part'}."
            for side, sign in (("For", 1), ("Against", -1))
            for named in [[x.words for x in seen if sign * x.adds >= LEAST]]
        ]
        lines += [f"Hidden in {x.hidden_in}: {x.spoken}." for x in self.lines if any(x.hidden)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"similarity": self.similarity, "parts": [asdict(line) for line in self.lines]}


@register
class Parts(Method):
    """The method; it has no options."""

    name = "parts"
    title = "Parts"
    about = (
        "Another network, trained so that each of its channels finds one part of the face, "
        "wherever it is. Take the channels of a part away, and see what the similarity loses. A "
        "covered part is hidden, not different; a part against matches worse than the rest of the "
        "face. This network is wrong more often than the default one: read its own verdict first."
    )
    paper = "our reading of Lin et al. 2023, arXiv 2207.02179"
    place = 50
    needs = FindsParts
    unfit = "The channels of {model} find no parts; choose a part model."
    unit = "similarity lost without the channels"

    def maps(
        self, model: FindsParts, pair: Tensor, threshold: float, steps: Steps
    ) -> Iterator[Values]:
        side = pair.shape[-1]
        with torch.inference_mode():
            x = model.maps(pair)  # (2, C, G, G)
            found = part_lines(model, x)
        maps = np.stack([_picture(found, x[i].cpu(), side) for i in (0, 1)])
        yield Values(maps, passes=2, cell=side // x.shape[-1], details={"parts": found})


def part_lines(model: FindsParts, maps: Tensor) -> PartsFound:
    """What each part and each channel of a pair adds; ``maps`` (2,C,G,G)."""
    atlas = model.atlas()
    groups = {part: atlas.named(part) for part in REGIONS[1:]} | {OTHER: atlas.unnamed}
    groups = {part: own for part, own in groups.items() if own}
    singles: list[Sequence[int]] = [[i] for i in range(maps.shape[1])]
    similarity, lost = without(model, maps, [*groups.values(), *singles])
    adds, single = lost[: len(groups)], lost[len(groups) :]
    heights = maps.flatten(2).amax(2).float().cpu().numpy()  # (2, C)
    lines = [
        PartLine(
            part=part,
            adds=float(delta),
            hidden=(_hidden(atlas, part, heights[0]), _hidden(atlas, part, heights[1])),
            channels=tuple(sorted(own, key=lambda i: -abs(single[i]))),
        )
        for (part, own), delta in zip(groups.items(), adds, strict=True)
    ]
    lines.sort(key=lambda line: (any(line.hidden), -abs(line.adds)))
    levels = torch.tensor([channel.level for channel in atlas.channels], device=maps.device)
    shown = (maps / levels[:, None, None].clamp(min=1e-6)).clamp(max=1)
    return PartsFound(tuple(lines), single, shown.cpu().numpy(), similarity, atlas)


def without(
    model: FindsParts, maps: Tensor, groups: Sequence[Sequence[int]]
) -> tuple[float, NDArray[np.float32]]:
    """The similarity of the pair (2,C,G,G), and what it loses without each group of channels."""
    keep = torch.ones(1 + len(groups), maps.shape[1], device=maps.device)
    for row, group in enumerate(groups, start=1):
        keep[row, list(group)] = 0
    embeddings = [
        model.embed_maps((keep[:, None, :, None, None] * maps).flatten(0, 1)[side::2])
        for side in (0, 1)
    ]
    distances = distance(*embeddings)
    lost = distances[1:] - distances[0]
    return float((embeddings[0] * embeddings[1]).sum(1)[0]), lost.cpu().numpy()


def _hidden(atlas: Atlas, part: str, heights: NDArray[np.float32]) -> bool:
    if part not in atlas.hidden_below:
        return False
    return atlas.visibility(part, heights) < atlas.hidden_below[part]


def _picture(found: PartsFound, maps: Tensor, side: int) -> NDArray[np.float32]:
    """Σ_c δ_c P_c of one photo's maps (C,G,G), on (side,side) pixels, hidden parts left out."""
    weights = torch.from_numpy(found.single.copy())
    for line in found.lines:
        if any(line.hidden):
            weights[list(line.channels)] = 0
    shares = maps.float() / maps.float().sum((1, 2), keepdim=True).clamp(min=1e-6)
    grid = torch.einsum("c,chw->hw", weights, shares)
    fine = functional.interpolate(torch.eye(len(grid))[None], size=side, mode="linear")[0]
    fine = fine / fine.sum(1, keepdim=True)  # (G, side): a cell's value is shared out, not copied
    return np.asarray((fine.T @ grid @ fine).numpy(), np.float32)
