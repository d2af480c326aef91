"""Channels of an ECNet that look at no part of a face are taken out of it.

Prototypes are found without labels, so one may settle on what is beside the face. Such channels
cannot go by a part's name; without them every channel has one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from xfv_core.errors import XfvError
from xfv_core.evaluation.channels.parts import describe_channels, find_peaks, peaks_of
from xfv_core.faces import Crop
from xfv_core.models.ecnet import ECNet

RIDGE = 0.5  # times the mean squared length; on crops held out 0.3 to 1 did about alike


class PruneError(XfvError):
    """No channel would be left."""


def prune(
    network: ECNet, crops: Sequence[Crop], *, below: float = 0.2
) -> tuple[ECNet, tuple[int, ...]]:
    """The network without its channels that have no part, and their numbers.

    Those are the ones whose peak lies in any one part on a smaller share than ``below`` of the
    crops they fire on. The last layer is fitted anew on the crops.
    """
    maps: list[Tensor] = []  # of every batch of crops, (B,C,14,14)

    def kept_maps(x: Tensor) -> Tensor:
        maps.append(network.maps(x))
        return maps[-1]

    peaks = peaks_of(find_peaks(kept_maps, crops))
    channels = describe_channels(peaks, np.arange(len(crops)))
    gone = tuple(i for i, channel in enumerate(channels) if channel.purity < below)
    if len(gone) == network.channels:
        raise PruneError("No channel of this network finds a part; nothing would be left.")
    kept = [i for i in range(network.channels) if i not in gone]
    pruned = network.without(gone, torch.cat([m.mean((2, 3)) for m in maps]).mean(0))
    with torch.no_grad():
        left = torch.cat([pruned.local_features(m[:, kept]) for m in maps])
        wanted = torch.cat([network.join(network.local_features(m)) for m in maps])
        pruned.join.weight.copy_(fitted_anew(pruned.join.weight, left, wanted))
    return pruned, gone


def fitted_anew(weight: Tensor, features: Tensor, wanted: Tensor) -> Tensor:
    """W (D,F) moved as little as makes ``features`` (N,F) Wᵀ come near to ``wanted`` (N,D).

    Ridge regression of what is missing, by the N x N system; F is larger.
    """
    gram = features @ features.T
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
    missing = wanted - features @ weight.T  # (N, D)
    return weight + (features.T @ torch.linalg.solve(gram + ridge, missing)).T
