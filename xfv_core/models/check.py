"""Is a network fed as it was trained? Two photos of one person and one of another tell a lot.

A wrong colour order or normalisation is a silent mistake: embeddings stay plausible (cosine 0.8 to
0.97 to the right ones was seen for swapped channels) and everything gets a little worse.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from xfv_core.models.base import FaceEmbedder, embed_all
from xfv_core.models.preparation import Preparation

USUAL = {  # mean and std over 255 x, by how people write it
    "x·2 - 1": (127.5, 127.5),
    "(x·255 - 127.5) / 128": (127.5, 128.0),
    "x": (0.0, 255.0),
    "x·255": (0.0, 1.0),
}
TIMED = 8  # faces per timed pass


@dataclass(frozen=True)
class Trial:
    """Cosine similarities under one way of feeding the network.

    feeding : in words.    genuine : of the two photos of one person.    impostor : the larger of
    the two with the other person.    to_declared : mean cosine to the embeddings as declared.
    """

    feeding: str
    genuine: float
    impostor: float
    to_declared: float

    @property
    def gap(self) -> float:
        """Genuine above impostor; below 0 the network takes strangers for more alike."""
        return self.genuine - self.impostor


@dataclass(frozen=True)
class NetworkCheck:
    """What three photos say of a network; the first of ``trials`` is as declared."""

    name: str
    embedding_dim: int
    input_size: int
    milliseconds_a_face: float
    trials: tuple[Trial, ...]

    @property
    def passed(self) -> bool:
        """Genuine above impostor as declared, and no other way of feeding does clearly better."""
        return self.trials[0].gap > 0 and self.better is None

    @property
    def better(self) -> Trial | None:
        """Another way of feeding that separates the three photos better, by 0.05 at least."""
        best = max(self.trials, key=lambda trial: trial.gap)
        return best if best.gap > self.trials[0].gap + 0.05 else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"passed": self.passed}


def check_network(network: FaceEmbedder, a1: Tensor, a2: Tensor, b: Tensor) -> NetworkCheck:
    """``a1``, ``a2``: one person's faces, ``b`` another's; each (3,S,S) RGB in [0,1].

    Normalisations are varied where the network says how it prepares pixels (``preparation``).
    """
    faces = torch.stack([a1, a2, b])
    declared = embed_all(network, faces, fast=False)  # (3, D)
    trials = [
        _trial(feeding, declared, embed_all(network, fed, fast=False))
        for feeding, fed in _feedings(network, faces).items()
    ]
    many = faces[:1].expand(TIMED, -1, -1, -1)
    began = perf_counter()
    embed_all(network, many, fast=False)
    spent = 1000 * (perf_counter() - began) / TIMED
    return NetworkCheck(
        network.name, network.embedding_dim, network.input_size, spent, tuple(trials)
    )


def _feedings(network: FaceEmbedder, faces: Tensor) -> dict[str, Tensor]:
    """(3,3,S,S) by how they are fed, in words."""
    fed = {"as declared": faces, "channels swapped": faces.flip(1)}
    own: Preparation | None = getattr(network, "preparation", None)
    if own is not None:
        for words, (mean, std) in USUAL.items():
            if (mean, std) != (own.mean, own.std):
                prepared = (faces * 255 - mean) / std
                fed[f"normalised as {words}"] = (prepared * own.std + own.mean) / 255
    return fed


def _trial(feeding: str, declared: Tensor, found: Tensor) -> Trial:
    similarity = found @ found.T  # (3, 3)
    return Trial(
        feeding,
        genuine=float(similarity[0, 1]),
        impostor=float(similarity[:2, 2].max()),
        to_declared=float((declared * found).sum(1).mean()),
    )
