"""Parts that speak for and against: channels taken away, part by part.

For a network whose channels find face parts (``models/ecnet.py``): the channels of one part are set
to zero in both photos, and what the similarity loses is what the part adds to it,

    δ_part = s - s(without the part's channels).

The parts do not add up to s: the embedding is not linear in the maps. As evidence each is held
against a pair at the threshold, see ``views``, by what its loss costs both photos' likeness to
themselves, 1 - (e_A·e_A without) (e_B·e_B without); what was found then adds up to s - θ. A part
not found in a photo's maps (behind a mask or sunglasses, on the far side of a profile, or not
recognised) says nothing about likeness, whatever its δ. The pixel map is Σ_c v_c P_c over the
channels of parts that were found, v_c what the channel adds alone, raw or as evidence, P_c its map
in that photo as a distribution; its sum is Σ_c v_c over the channels that fire there.
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
from xfv_core.explain.views import against_the_bar, view_option
from xfv_core.explain.words import SPOKEN, listed
from xfv_core.faces.regions import REGIONS
from xfv_core.models.atlas import Atlas
from xfv_core.models.base import FindsParts

LEAST = 0.005  # of similarity: less rounds to nothing
OTHER = "no single part"
_SPOKEN_OTHER = "features tied to no one part"


@dataclass(frozen=True)
class PartLine:
    """One part of the pair.

    adds : δ, what the similarity loses without it.
    hidden : whether it is not found in the first, in the second photo.
    channels : its channels, the one with the greatest |δ_c| first.
    value : what is shown of it, δ or the evidence; 0 as evidence of a part that is not found.
    """

    part: str
    adds: float
    hidden: tuple[bool, bool]
    channels: tuple[int, ...]
    value: float

    @property
    def spoken(self) -> str:
        """The part as one says it."""
        return _SPOKEN_OTHER if self.part == OTHER else SPOKEN.get(self.part, self.part)

    @property
    def words(self) -> str:
        """The part and what it adds, or how it stands against a pair at the threshold."""
        return f"{self.spoken} ({self.value:+.2f})"

    @property
    def hidden_in(self) -> str:
        """The photo or photos in which it is not found."""
        if all(self.hidden):
            return "both photos"
        return "the first photo" if self.hidden[0] else "the second photo"


@dataclass(frozen=True, eq=False)
class PartsFound(Reading):
    """Every part of a pair, what speaks loudest first and those not found last.

    single : (C,) δ_c of each channel alone.
    maps : (2,C,G,G), the target layer in both photos, each channel over its level, at most 1.
    """

    lines: tuple[PartLine, ...]
    single: NDArray[np.float32]
    maps: NDArray[np.float32]
    similarity: float
    atlas: Atlas

    def words(self, of_maps: str) -> str:
        """What speaks for and against, part by part, and what was not found, a line each; it says
        what the maps would, and more."""
        seen = [line for line in self.lines if not any(line.hidden)]
        lines = [
            f"{side}: {listed(named) if named else 'no part'}."
            for side, sign in (("For", 1), ("Against", -1))
            for named in [[x.words for x in seen if sign * x.value >= LEAST]]
        ]
        lines += [
            f"Not found in {x.hidden_in}, so not counted: {x.spoken}."
            for x in self.lines
            if any(x.hidden)
        ]
        if nameless := self.atlas.nameless(REGIONS[1:]):
            parts = listed([SPOKEN.get(part, part) for part in nameless])
            lines.append(f"No channel of this network finds {parts} alone.")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"similarity": self.similarity, "parts": [asdict(line) for line in self.lines]}


@register
@dataclass(frozen=True)
class Parts(Method):
    """What each part adds, held against a pair at ``threshold`` or not."""

    view: str = view_option()

    name = "parts"
    title = "Parts"
    about = (
        "Another network, trained so that each of its channels finds one part of the face, "
        "wherever it is. Take the channels of a part away, and see what the similarity loses. A "
        "part against matches worse than in a pair at the threshold. A part that the network does "
        "not find, covered or not, is not counted. This network is wrong more often than the "
        "default one: read its own verdict first."
    )
    paper = "our reading of Lin et al. 2023, arXiv 2207.02179"
    place = 50
    needs = FindsParts
    unfit = "The channels of {model} find no parts; choose a part model."

    @property
    def unit(self) -> str:
        evidence = self.view == "evidence"
        return (
            "similarity above the threshold" if evidence else "similarity lost without the channels"
        )

    def maps(
        self, model: FindsParts, pair: Tensor, threshold: float, steps: Steps
    ) -> Iterator[Values]:
        side = pair.shape[-1]
        against = threshold if self.view == "evidence" else None
        with torch.inference_mode():
            x = model.maps(pair)  # (2, C, G, G)
            found, weights = part_lines(model, x, against)
        maps = np.stack([_picture(weights, x[i].cpu(), side) for i in (0, 1)])
        yield Values(maps, passes=2, cell=side // x.shape[-1], details={"parts": found})


def part_lines(
    model: FindsParts, maps: Tensor, threshold: float | None = None
) -> tuple[PartsFound, NDArray[np.float32]]:
    """What each part of a pair adds, and each channel (C,), 0 where its part is not found: as
    evidence against ``threshold``, or raw without one; ``maps`` (2,C,G,G)."""
    atlas = model.atlas()
    fires = maps.amax((0, 2, 3)) > 0  # (C,); what is silent in both photos needs no line
    others = [i for i in atlas.unnamed if fires[i]]
    groups = {part: atlas.named(part) for part in REGIONS[1:]} | {OTHER: others}
    groups = {part: own for part, own in groups.items() if own}
    singles: list[Sequence[int]] = [[i] for i in range(maps.shape[1])]
    similarity, lost, own = without(model, maps, [*groups.values(), *singles])
    heights = maps.flatten(2).amax(2).float().cpu().numpy()  # (2, C)
    hidden = [(_hidden(atlas, p, heights[0]), _hidden(atlas, p, heights[1])) for p in groups]
    lacking = np.array([any(sides) for sides in hidden])
    silent = np.zeros(maps.shape[1], bool)
    for channels, lacks in zip(groups.values(), lacking, strict=True):
        silent[channels] = lacks
    n, margin = len(groups), None if threshold is None else similarity - threshold
    values = _held(lost[:n], own[:n], lacking, margin)
    weights = _held(lost[n:], own[n:], silent, margin)
    single = lost[n:]
    lines = [
        PartLine(
            part=part,
            adds=float(delta),
            hidden=sides,
            channels=tuple(sorted(channels, key=lambda i: -abs(single[i]))),
            value=float(value),
        )
        for (part, channels), delta, sides, value in zip(
            groups.items(), lost[:n], hidden, values, strict=True
        )
    ]
    lines.sort(key=lambda line: (any(line.hidden), -abs(line.value)))
    levels = torch.tensor([channel.level for channel in atlas.channels], device=maps.device)
    shown = (maps / levels[:, None, None].clamp(min=1e-6)).clamp(max=1)
    found = PartsFound(tuple(lines), single, shown.cpu().numpy(), similarity, atlas)
    return found, weights


def without(
    model: FindsParts, maps: Tensor, groups: Sequence[Sequence[int]]
) -> tuple[float, NDArray[np.float32], NDArray[np.float32]]:
    """The similarity of the pair (2,C,G,G); what it loses without each group of channels, and what
    both photos' likeness to themselves loses."""
    keep = torch.ones(1 + len(groups), maps.shape[1], device=maps.device)
    for row, group in enumerate(groups, start=1):
        keep[row, list(group)] = 0
    embeddings = [
        model.embed_maps((keep[:, None, :, None, None] * maps).flatten(0, 1)[side::2])
        for side in (0, 1)
    ]
    distances = distance(*embeddings)
    lost = distances[1:] - distances[0]
    kept_a, kept_b = (1 - distance(e[1:], e[:1]) for e in embeddings)
    own = 1 - kept_a * kept_b
    return (
        float((embeddings[0] * embeddings[1]).sum(1)[0]), lost.cpu().numpy(), own.cpu().numpy()
    )  # fmt: skip


def _held(
    lost: NDArray[np.float32],
    own: NDArray[np.float32],
    lacking: NDArray[np.bool_],
    margin: float | None,
) -> NDArray[np.float32]:
    """What each adds, (n,), as evidence or, without a margin, raw; 0 where it is not found."""
    found = np.where(lacking, 0, lost)
    if margin is not None:
        found = against_the_bar(found, np.where(lacking, 0, own), margin)
    return found.astype(np.float32)


def _hidden(atlas: Atlas, part: str, heights: NDArray[np.float32]) -> bool:
    if part not in atlas.hidden_below:
        return False
    return atlas.visibility(part, heights) < atlas.hidden_below[part]


def _picture(weights: NDArray[np.float32], maps: Tensor, side: int) -> NDArray[np.float32]:
    """Σ_c weight_c P_c of one photo's maps (C,G,G), on (side,side) pixels."""
    shares = maps.float() / maps.float().sum((1, 2), keepdim=True).clamp(min=1e-6)
    grid = torch.einsum("c,chw->hw", torch.from_numpy(weights), shares)
    fine = functional.interpolate(torch.eye(len(grid))[None], size=side, mode="linear")[0]
    fine = fine / fine.sum(1, keepdim=True)  # (G, side): a cell's value is shared out, not copied
    return np.asarray((fine.T @ grid @ fine).numpy(), np.float32)
