"""Channels of an ECNet that look at no part of a face are taken out of it.

Prototypes are found without labels, so one may settle on what is beside the face. Such channels
cannot go by a part's name; without them every channel has one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from xfv_core.errors import XfvError
from xfv_core.evaluation.channels.parts import (
    describe_channels,
    find_peaks,
    map_batches,
    peaks_of,
)
from xfv_core.faces import Crop
from xfv_core.models.ecnet import ECNet


class PruneError(XfvError):
    """No channel would be left."""


def prune(
    network: ECNet, crops: Sequence[Crop], *, below: float = 0.2
) -> tuple[ECNet, tuple[int, ...]]:
    """The network without its channels that have no part, and their numbers.

    Those are the ones whose peak lies in any one part on a smaller share than ``below`` of the
    crops they fire on.
    """
    peaks = peaks_of(find_peaks(network.maps, crops))
    channels = describe_channels(peaks, np.arange(len(crops)))
    gone = tuple(i for i, channel in enumerate(channels) if channel.purity < below)
    if len(gone) == network.channels:
        raise PruneError("No channel of this network finds a part; nothing would be left.")
    sums = [maps.mean((2, 3)).sum(0) for _, maps in map_batches(network.maps, crops)]
    return network.without(gone, torch.stack(sums).sum(0) / len(crops)), gone
