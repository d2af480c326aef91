"""What the channels of a network that finds face parts were measured to find."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from xfv_core.strict_json import STRICT, build, parse, pretty

FIRES = 0.25  # of its level: a channel with a lower peak is silent
ATLAS_COLUMNS = 12  # tiles to a row of the picture of all channels
TINY = 1e-6
MOSTLY = 0.5  # purity from which a channel goes by its part's name


@dataclass(frozen=True)
class Channel:
    """What was measured of one channel on many faces (``evaluation/parts.py``).

    Attributes
    ----------
    part : the face region it finds.    live : fires on at least a fifth of the faces.
    fires : share of the faces it fires on.
    purity : share of those on which its peak lies in its part.
    spread : standard deviation of its peak on the face, over the distance between the eyes.
    single : share of its maps without a second peak of half the height.
    place : (x, y) of its mean peak on the 112 px template.
    level : 95th percentile of its peaks, by which activations of channels are made comparable.
    """

    part: str
    live: bool
    fires: float
    purity: float
    spread: float
    single: float
    place: tuple[float, float]
    level: float


@dataclass(frozen=True)
class Atlas:
    """What each channel finds, and how weakly a part may show before it counts as hidden.

    ``hidden_below``: part -> visibility, see :meth:`visibility`.
    """

    channels: tuple[Channel, ...]
    hidden_below: Mapping[str, float]
    __pydantic_config__ = STRICT

    @classmethod
    def from_json(cls, data: bytes) -> Atlas:
        """Inverse of ``to_json``; JsonError, one sentence, for anything else."""
        return build(cls, parse(data.decode("utf-8", "replace")))

    def to_json(self) -> bytes:
        """The file beside the weights that the manifest pins."""
        return pretty(asdict(self)).encode("utf-8")

    def named(self, part: str) -> list[int]:
        """The channels that find this part and little else."""
        rows = enumerate(self.channels)
        return [i for i, c in rows if c.live and c.part == part and c.purity >= MOSTLY]

    @property
    def unnamed(self) -> list[int]:
        """The channels that belong to no part."""
        rows = enumerate(self.channels)
        return [i for i, c in rows if not (c.live and c.purity >= MOSTLY)]

    def nameless(self, parts: Iterable[str]) -> list[str]:
        """Those of these parts that no channel goes by."""
        return [part for part in parts if not self.named(part)]

    def visibility(self, part: str, heights: NDArray[np.floating]) -> float:
        """Mean of peak / level over the part's channels, over that of all others; ``heights`` (C,).

        Set against the rest of the face, because a blurred photo makes every channel faint.
        """
        levels = np.array([max(channel.level, TINY) for channel in self.channels])
        shown = heights / levels
        own = np.isin(np.arange(len(shown)), self.named(part))
        return float(shown[own].mean() / max(float(shown[~own].mean()), TINY))
