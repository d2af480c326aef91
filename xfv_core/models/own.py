"""Networks that are handed over as objects: what is known of them, and whether they embed faces."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic.dataclasses import dataclass as checked

from xfv_core.errors import XfvError
from xfv_core.models.base import FaceEmbedder, embed_all
from xfv_core.strict_json import STRICT
from xfv_core.weights.manifest import InputSpec, ModelCard, PublishedThreshold


class NetworkError(XfvError):
    """An architecture that nobody has registered, or a network that does not embed faces."""


@checked(frozen=True, config=STRICT)
class ObjectCard(ModelCard):
    """The card of a network that is handed over as an object: there is no file to pin."""

    hub: None
    bundled: None
    sha256: Literal[""]
    bytes: Literal[0]

    def __post_init__(self) -> None:
        """Nothing has to be found anywhere."""


def own_card(
    name: str,
    *,
    size: int,
    threshold: float | None = None,
    crop: Literal["template", "box", "square"] = "template",
    margin: float = 0,
    title: str = "",
    license: str = "not stated",
    trained_on: str = "not stated",
) -> ObjectCard:
    """The card of a network that comes from no manifest, for ``Verifier.add``.

    ``size``, ``crop``, ``margin``: of the crops it takes, see ``InputSpec``. ``threshold``: the
    cosine similarity from which two faces count as one person; without it every question must
    bring its own. Raises a ValueError in one sentence where one of them cannot be.
    """
    spec = InputSpec(size, crop, "inside the network", margin)
    published = None
    if threshold is not None:
        published = PublishedThreshold("cosine similarity", threshold, "whoever added the network")
    return ObjectCard(
        name=name, title=title or name, arch="object", config={}, hub=None, bundled=None, sha256="",
        bytes=0, license=license, source="handed over as an object", trained_on=trained_on,
        input=spec, indicative_threshold=published,
    )  # fmt: skip


def check_embedder(network: FaceEmbedder, card: ModelCard) -> None:
    """Raises NetworkError where a network does not take the crops that its card says, or does not
    give one unit row of ``embedding_dim`` numbers for each."""
    size, n = card.input.size, 2
    grey = torch.linspace(0.2, 0.8, n * 3 * size * size).reshape(n, 3, size, size)
    try:
        rows = embed_all(network, grey.to(network.device), fast=False).cpu()
    except (RuntimeError, ValueError, TypeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NetworkError(f"{card.name} does not take crops of {size} px: {said}") from error
    if tuple(rows.shape) != (n, network.embedding_dim):
        raise NetworkError(
            f"{card.name} gives {tuple(rows.shape)} for {n} crops, not ({n}, "
            f"{network.embedding_dim})."
        )
    if not torch.allclose(rows.float().norm(dim=1), torch.ones(n), atol=1e-3):
        raise NetworkError(
            f"{card.name} gives embeddings that are not of length 1: normalise them."
        )
