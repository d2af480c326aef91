"""How a foreign network wants its pixels: size, colour order, normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from xfv_core.errors import XfvError

Channels = Literal["rgb", "bgr"]


class ForeignModelError(XfvError):
    """A network from elsewhere cannot be used; the sentence says what is wrong with it."""


@dataclass(frozen=True)
class Preparation:
    """y = (255 x - mean) / std, for x RGB in [0,1]; ``channels``: the order that the network takes.

    size : side of its square crop in px.    mean, std : in [0,255], alike for all three channels.
    """

    size: int = 112
    channels: Channels = "rgb"
    mean: float = 127.5
    std: float = 127.5

    def __post_init__(self) -> None:
        if self.channels not in ("rgb", "bgr"):
            raise ForeignModelError(f"channels must be 'rgb' or 'bgr', not {self.channels!r}.")
        if self.std == 0:
            raise ForeignModelError("std must not be 0.")

    def __call__(self, x: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,3,S,S) as the network takes it."""
        ordered = x if self.channels == "rgb" else x.flip(1)
        return (ordered * 255 - self.mean) / self.std

    def __str__(self) -> str:
        return f"({self.channels}·255 - {self.mean:g}) / {self.std:g}"


def check_embeddings(found: Tensor, expected: int, who: str) -> None:
    """ForeignModelError unless ``found`` is (expected,D) with D > 1 and all of it finite."""
    if found.dim() != 2 or len(found) != expected or found.shape[1] < 2:
        shape = "x".join(map(str, found.shape))
        raise ForeignModelError(
            f"{who} gives {shape} values for {expected} faces; an embedder gives a row for each."
        )
    if not found.isfinite().all():
        raise ForeignModelError(f"{who} gives values that are not finite, so it embeds nothing.")
