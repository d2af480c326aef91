"""Channels of an ECNet that look at what is beside a face."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from xfv_core.evaluation.channels.parts import describe_channels, find_peaks, peaks_of
from xfv_core.faces import Crop


def beside_the_face(
    maps_of: Callable[[Tensor], Tensor], crops: Sequence[Crop], *, below: float
) -> frozenset[int]:
    """The channels whose peak lies in any one part on a smaller share than ``below`` of the crops
    they fire on, silent ones among them.

    ``maps_of``: (B,3,S,S) in [0,1] -> (B,C,H,W), >= 0.
    """
    peaks = peaks_of(find_peaks(maps_of, crops))
    channels = describe_channels(peaks, np.arange(len(crops)))
    return frozenset(i for i, channel in enumerate(channels) if channel.purity < below)
