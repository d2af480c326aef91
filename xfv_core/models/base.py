"""What a face network offers: embeddings, and what more its inside allows.

``FaceEmbedder`` is enough for verdicts and for methods that only ask for embeddings. ``FaceModel``
is its base class in PyTorch. The protocols after it are capabilities, each optional: a network has
one by having its methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from xfv_core.models.atlas import Atlas
    from xfv_core.weights.manifest import ModelCard

_F = TypeVar("_F", bound="FaceModel")

BATCH = 32  # measured: on two cores larger batches leave the cache and are slower
GPU_BATCH = 512


@dataclass(frozen=True, eq=False)
class Chain:
    """A network that is one plain chain: embed(x) = head(layers(scale·x + shift)).

    ``layers`` holds Conv2d, Offset, Residual, ReLU, PReLU, Flatten and Linear only; ``head`` is
    nearly free.
    """

    scale: float
    shift: float
    layers: nn.Sequential
    head: Callable[[Tensor], Tensor] = functional.normalize


class Offset(nn.Module):
    """Adds ``values`` (C,H,W): a layer of a chain that tells one place from another."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(values, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.values


class Residual(nn.Module):
    """x + layers(x), which have the shape of x: a layer of a chain."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


@dataclass(frozen=True, eq=False)
class Regions:
    """A network of N squares that do not see each other: embed(x) holds theirs, one by one.

    Square r of x gives lengths_r · normalise(chain.layers(scale·square + shift)_r @ heads_r). An
    ``Offset`` of the chain holds what is added to each square, so it takes all N at once, in order.

    corners : (N,2) first row and column of each square.    size : their side in pixels.
    heads : (N,L,D/N).    lengths : (N,).
    """

    corners: Tensor
    size: int
    chain: Chain
    heads: Tensor
    lengths: Tensor


class FaceEmbedder(Protocol):
    """Anything that turns crops of faces into unit embeddings; preprocessing is inside.

    name : registry name, the key of its entry in the manifest.
    input_size : side S of the square crop in pixels.
    embedding_dim : length D of the embedding.
    device : where it computes.
    """

    name: str
    input_size: int
    embedding_dim: int
    device: torch.device

    def embed(self, x: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,D) float32, L2-normalised."""
        ...


class FaceModel(nn.Module):
    """A ``FaceEmbedder`` in PyTorch: its embeddings have gradients."""

    name: str
    input_size: int
    embedding_dim: int
    device = torch.device("cpu")

    def embed(self, x: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,D) float32, L2-normalised."""
        raise NotImplementedError

    @classmethod
    def from_tensors(cls: type[_F], tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> _F:
        """A network ready for inference from a weight file and the ``config`` of its entry."""
        raise NotImplementedError

    @classmethod
    def from_card(
        cls: type[_F], card: ModelCard, tensors: Mapping[str, Tensor], folder: Path
    ) -> _F:
        """The network of an entry of the manifest in ``folder``."""
        return cls.from_tensors(tensors, card.config)

    @classmethod
    def check(cls, card: ModelCard) -> None:
        """Raises ValueError, one sentence, where an entry cannot be one of this class."""
        size = getattr(cls, "input_size", card.input.size)
        if card.input.size != size:
            raise ValueError(f"input.size must be {size}, not {card.input.size}")

    @classmethod
    def kind(cls: type[_F], card: ModelCard) -> type[_F]:
        """The class of an entry's network: another where what was measured of it allows more."""
        return cls

    def _apply(self: _F, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> _F:
        """What ``to``, ``cuda`` and ``cpu`` call: ``device`` follows the weights."""
        super()._apply(fn, recurse)
        self.device = next((p.device for p in self.parameters()), self.device)
        return self


@runtime_checkable
class Chained(Protocol):
    """A network that is one plain chain of layers: occlusion and gradients are cheaper."""

    def chain(self) -> Chain:
        """The network as it is for inference."""
        ...


@runtime_checkable
class HasRegions(Protocol):
    """A network of squares that do not see each other: gradients are cheaper still."""

    def regions(self) -> Regions:
        """The network as it is for inference."""
        ...


@runtime_checkable
class HasLastMaps(Protocol):
    """A network with convolutional maps, for Grad-CAM."""

    def last_maps(self) -> nn.Module:
        """The part whose output is the last that still has places, (B,C,h,w)."""
        ...


class PatchGeometry(NamedTuple):
    """Side and spacing of patches in px of the crop, and patches per row and column; patch i
    starts at (i // grid, i % grid)·stride."""

    size: int
    stride: int
    grid: int


@dataclass(frozen=True, eq=False)
class PatchScores:
    """What each patch adds to the similarity.

    ``a`` and ``b``: (...,N), each sums to ``similarity`` (...,); ``k``: (...,N,N), k_ij is what the
    match of patch i of A with patch j of B adds, so its row sums are ``a``, its column sums ``b``.
    """

    a: Tensor
    b: Tensor
    k: Tensor
    similarity: Tensor


@runtime_checkable
class SumsOverPatches(Protocol):
    """A network whose similarity is a sum of what each patch adds."""

    def contributions(self, a: Tensor, b: Tensor) -> PatchScores:
        """The summands of a pair of crops (3,S,S), or of two batches of as many, in [0,1]."""
        ...

    def geometry(self) -> PatchGeometry:
        """Where the patches lie."""
        ...


@runtime_checkable
class HasRaw(Protocol):
    """A network whose embedding has a length before it is made 1, which tells how much of a face
    there is in a photo."""

    device: torch.device

    def raw(self, x: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,D) float32; normalised it is the embedding."""
        ...


@runtime_checkable
class FindsParts(Protocol):
    """A network that sees through channels, each of which is known to find a part of the face."""

    def maps(self, x: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> the channels' maps (B,C,G,G), >= 0."""
        ...

    def embed_maps(self, maps: Tensor) -> Tensor:
        """(B,C,G,G) -> (B,D) float32, L2-normalised."""
        ...

    def atlas(self) -> Atlas:
        """What each channel finds."""
        ...


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is arithmetic there, not emulation."""
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def fast_arithmetic(device: torch.device, *, wanted: bool = True) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where ``wanted`` and native, else a context that changes nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and has_fast_bf16(device))


def batch_size(device: torch.device) -> int:
    """Photos per pass."""
    return BATCH if device.type == "cpu" else GPU_BATCH


class Passes:
    """How many photos went through ``embed_all``."""

    count = 0


_counting: ContextVar[Passes | None] = ContextVar("counting", default=None)


@contextmanager
def count_passes() -> Iterator[Passes]:
    """Counts what goes through ``embed_all`` in this thread meanwhile."""
    passes = Passes()
    before = _counting.set(passes)
    try:
        yield passes
    finally:
        _counting.reset(before)


def embed_all(model: FaceEmbedder, x: Tensor, *, fast: bool = True) -> Tensor:
    """(N,3,S,S) in [0,1] -> (N,D) float32 on the model's device, in batches, without gradients.

    ``fast`` allows bfloat16; similarities then err by up to 0.003, so verdicts use ``fast=False``.
    """
    return _in_batches(model.embed, model.device, x, fast)


def raw_all(model: HasRaw, x: Tensor, *, fast: bool = True) -> Tensor:
    """``embed_all`` before normalising, (N,D) float32, for a network that has ``raw``."""
    return _in_batches(model.raw, model.device, x, fast)


def _in_batches(
    embed: Callable[[Tensor], Tensor], device: torch.device, x: Tensor, fast: bool
) -> Tensor:
    if passes := _counting.get():
        passes.count += len(x)
    with torch.inference_mode(), fast_arithmetic(device, wanted=fast):
        return torch.cat([embed(p.to(device)) for p in x.split(batch_size(device))])


_architectures: dict[str, type[FaceModel]] = {}


def register(arch: str) -> Callable[[type[_F]], type[_F]]:
    """Class decorator: the networks of manifest entries with this ``arch`` are of this class."""

    def known(network: type[_F]) -> type[_F]:
        _architectures[arch] = network
        return network

    return known


def architectures() -> Mapping[str, type[FaceModel]]:
    """The registered classes by their ``arch``."""
    return _architectures
