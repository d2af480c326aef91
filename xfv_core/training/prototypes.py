"""What parts look like, taken from one training of an ECNet into the next.

Prototypes are found without labels, so some may settle on what is beside the face. In the next
training those have no channels; that they take part keeps the others away from there.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from xfv_core.errors import XfvError
from xfv_core.models.ecnet import ECNet
from xfv_core.training.config import FOLDER, config_from_dict
from xfv_core.training.ecloss import ECWeights
from xfv_core.training.schedule import read_checkpoint


class PrototypeError(XfvError):
    """There are no prototypes where they are looked for."""


class Found(NamedTuple):
    """A training's averaged network, its channels' weights, and its descriptors' mean (E,) and
    prototypes (G,E)."""

    network: ECNet
    weights: ECWeights
    mean: Tensor
    prototypes: Tensor


def found_in(run: Path) -> Found:
    """What the training in the folder ``run`` has found so far."""
    state = read_checkpoint(run)
    if state is None:
        raise PrototypeError(f"{run} holds no training.")
    config = config_from_dict(state["config"])
    network = config.build_model()
    if not isinstance(network, ECNet) or config.channels is None:
        raise PrototypeError(f"{config.name} has no channels that look for parts; train an ECNet.")
    network.load_state_dict(state["average"])
    tensors = (state["student"][f"ecloss.{name}"] for name in ("mean", "prototypes"))
    return Found(network.folded(), config.channels, *tensors)


def beside_last(weights: ECWeights, channels: int, beside: Set[int]) -> tuple[list[int], ECWeights]:
    """The order of the prototypes with those last whose channels are mostly ``beside`` a face, and
    the weights that fit it. A pair goes as a whole or stays; PrototypeError where none stays.
    """
    mostly = [
        2 * len(beside & set(range(part, channels, weights.parts))) > channels // weights.parts
        for part in range(weights.parts)
    ]
    pairs = [(i, i + 1) for i in range(0, 2 * weights.pairs, 2)]
    alone = [(i,) for i in range(2 * weights.pairs, weights.parts)]
    groups: list[tuple[int, ...]] = [*pairs, *alone]
    gone = [group for group in groups if all(mostly[i] for i in group)]
    kept = [group for group in groups if group not in gone]
    if not kept:
        raise PrototypeError("No prototype of this training lies on the face; nothing is left.")
    order = [i for group in kept + gone for i in group]
    count = sum(map(len, gone))
    paired = sum(len(group) == 2 for group in kept)
    return order, replace(weights, parts=weights.parts - count, pairs=paired, beside=count)


def save_prototypes(found: Found, order: list[int], path: Path) -> None:
    """Write them in that order, float32."""
    tensors = {"mean": found.mean, "prototypes": found.prototypes[order]}
    save_file({name: t.float().contiguous() for name, t in tensors.items()}, path)


def load_prototypes(name: str) -> tuple[Tensor, Tensor]:
    """The mean (E,) and the prototypes (G+K,E) of a file: a path, or the name of a shipped one."""
    path = Path(name) if Path(name).exists() else FOLDER / name
    try:
        tensors = load_file(path)
        return tensors["mean"], tensors["prototypes"]
    except (OSError, SafetensorError, KeyError) as error:
        raise PrototypeError(f"{name} cannot be read as prototypes: {error}") from error
