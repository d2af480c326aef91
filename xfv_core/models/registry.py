"""The classes of networks by the name that manifests call their architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from xfv_core.models.base import FaceEmbedder

if TYPE_CHECKING:
    from xfv_core.weights.manifest import ModelCard


class Architecture(FaceEmbedder, Protocol):
    """What entries of a manifest are built by, as by `FaceModel`; it need not be a module."""

    @classmethod
    def kind(cls, card: ModelCard) -> type[Architecture]: ...

    @classmethod
    def check(cls, card: ModelCard) -> None: ...

    @classmethod
    def from_bytes(cls, card: ModelCard, data: bytes, folder: Path) -> FaceEmbedder: ...


_A = TypeVar("_A", bound=Architecture)
_architectures: dict[str, type[Architecture]] = {}


def register(arch: str) -> Callable[[type[_A]], type[_A]]:
    """Class decorator: the networks of manifest entries with this ``arch`` are of this class."""

    def known(network: type[_A]) -> type[_A]:
        _architectures[arch] = network
        return network

    return known


def architectures() -> Mapping[str, type[Architecture]]:
    """The registered classes by their ``arch``."""
    return _architectures
