"""The networks of a manifest and those that were added, loaded at first use."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import replace

import torch

from xfv_core.confidence.cohort import Cohort
from xfv_core.errors import XfvError
from xfv_core.explain import method_named, methods
from xfv_core.explain.base import Audience
from xfv_core.models import FaceEmbedder, check_embedder, load_model, network_class
from xfv_core.weights.hub import Progress, read_pinned
from xfv_core.weights.hub import Source as WeightSource
from xfv_core.weights.manifest import Manifest, ModelCard, PinnedFile, load_manifest


class RequestError(XfvError):
    """A model, method, operating point or face that does not exist was asked for."""


class Networks:
    """By name; safe to use from several threads."""

    def __init__(
        self,
        manifest: Manifest | None = None,
        source: WeightSource = "auto",
        device: str | None = None,
    ) -> None:
        """``device``: a GPU where there is one, unless given. Raises NetworkError where the
        manifest names a network that there cannot be."""
        self.manifest = manifest or load_manifest()
        for card in self.manifest.models.values():
            network_class(card)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._source = source
        self._models: dict[str, FaceEmbedder] = {}
        self._cohorts: dict[PinnedFile, Cohort] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._adding = threading.Lock()

    def add(self, network: FaceEmbedder, card: ModelCard) -> None:
        """Take a network of one's own, under the name of its card, in the place of any of that
        name.

        A module is moved to the verifier's device and frozen; another object stays as it is.
        Raises NetworkError where it does not embed crops as the card says.
        """
        if isinstance(network, torch.nn.Module):
            network.eval().requires_grad_(False).to(self.device)
        network.name = card.name
        check_embedder(network, card)
        with self._adding:
            self.manifest = replace(self.manifest, models={**self.manifest.models, card.name: card})
            self._models[card.name] = network

    def model(self, name: str, progress: Progress | None = None) -> FaceEmbedder:
        """The model, loaded at first use; ``progress(done, total)`` counts downloaded bytes."""
        self.manifest.card(name)
        with self._locks[name]:  # one a model: a slow download must not hold up the others
            if name not in self._models:
                self._models[name] = load_model(
                    name, manifest=self.manifest, device=self.device, source=self._source,
                    progress=progress,
                )  # fmt: skip
            return self._models[name]

    def cohort(self, name: str) -> Cohort | None:
        """What a model's measures compare with, None where it has none; WeightsError where the
        file is damaged."""
        pin = self.manifest.card(name).cohort
        if pin is None:
            return None
        with self._locks[name]:
            if pin not in self._cohorts:
                data = read_pinned(pin, self.manifest.folder)
                self._cohorts[pin] = Cohort.from_bytes(data)
            return self._cohorts[pin]

    def models_for(self, method: str) -> list[str]:
        """The models that a method can explain, the default first where it is among them."""
        fits = method_named(method).fits
        names = [name for name in self.manifest.models if fits(self._kind(name))]
        return sorted(names, key=lambda name: name != self.manifest.default)

    def methods_for(self, model: str, audience: Audience = "page") -> list[str]:
        """The methods that can explain a model, of those offered to an audience."""
        kind = self._kind(model)
        return [name for name, method in methods(audience).items() if method.fits(kind)]

    def studied(self, model: str) -> list[str]:
        """The methods that a study of a model compares unless told otherwise: all that fit it, in
        each of their settings (``occlusion:paper``)."""
        return [
            f"{name}:{setting}" if setting else name
            for name in self.methods_for(model, "study")
            for setting in method_named(name).studied or ("",)
        ]

    def default_model(self, method: str) -> str:
        """The first of ``models_for``; RequestError where there is none."""
        names = self.models_for(method)
        if not names:
            raise RequestError(f"No model here can be explained by {method}.")
        return names[0]

    def _kind(self, name: str) -> FaceEmbedder | type:
        """A model, or its class where it is not loaded yet."""
        known = self._models.get(name)
        return network_class(self.manifest.card(name)) if known is None else known
