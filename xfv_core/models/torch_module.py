"""Any face network as a torch module; gradients pass through it, so gradient methods work too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from xfv_core.models.base import FaceModel
from xfv_core.models.preparation import (
    Channels,
    ForeignModelError,
    Preparation,
    check_embeddings,
)


class TorchModel(FaceModel):
    """(B,3,S,S) RGB in [0,1] -> (B,D) unit embeddings, by ``network``: prepared pixels to (B,D).

    ``network`` is put in evaluation mode and frozen.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str = "",
        size: int = 112,
        channels: Channels = "rgb",
        mean: float = 127.5,
        std: float = 127.5,
    ) -> None:
        """Try the network on two faces; ForeignModelError where it gives no embeddings."""
        super().__init__()
        self.name = name or type(network).__name__.lower()
        self.network = network.eval().requires_grad_(False)
        self.preparation = Preparation(size, channels, mean, std)
        self.input_size = size
        self.device = next((p.device for p in network.parameters()), self.device)
        try:
            with torch.inference_mode():
                probe = self.raw(torch.full((2, 3, size, size), 0.5, device=self.device))
        except (RuntimeError, TypeError, ValueError) as problem:
            reason = str(problem).splitlines()[0][:200]
            raise ForeignModelError(f"{self.name} cannot be run: {reason}") from problem
        check_embeddings(probe, 2, self.name)
        self.embedding_dim = probe.shape[1]

    @classmethod
    def from_safetensors(
        cls,
        build: Callable[[], nn.Module],
        path: str | PathLike[str],
        *,
        sha256: str | None = None,
        name: str = "",
        size: int = 112,
        channels: Channels = "rgb",
        mean: float = 127.5,
        std: float = 127.5,
    ) -> TorchModel:
        """What ``build()`` gives, with the weights of a safetensors file; nothing else is read.

        Raises ForeignModelError where the file is not the one (``sha256``) or does not fit.
        """
        file = Path(path)
        try:
            data = file.read_bytes()
            found = hashlib.sha256(data).hexdigest()
            if sha256 is not None and found != sha256:
                raise ForeignModelError(f"{file.name} has the sha256 {found}, not {sha256}.")
            network = build()
            network.load_state_dict(safetensors.torch.load(data))
        except OSError as problem:
            raise ForeignModelError(f"{file.name} cannot be read: {problem.strerror}.") from problem
        except SafetensorError as problem:
            raise ForeignModelError(
                f"{file.name} is no safetensors file, and nothing else is read."
            ) from problem
        except RuntimeError as problem:
            reason = " ".join(str(problem).split())[:300]
            raise ForeignModelError(f"{file.name} does not fit the network: {reason}") from problem
        return cls(network, name=name, size=size, channels=channels, mean=mean, std=std)

    def raw(self, x: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,D), before normalising."""
        found = self.network(self.preparation(x))
        return found.flatten(1) if isinstance(found, Tensor) and found.dim() == 4 else found

    def embed(self, x: Tensor) -> Tensor:
        return functional.normalize(self.raw(x).float(), dim=1)
