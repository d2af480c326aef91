"""Networks of the package timm whose classifier gives the embedding: ViT, ConvNeXt and the rest.

Face checkpoints of such networks (ViT-Ti, ConvNeXt-Atto or -Nano, say) have timm's names, with the
last linear layer going to D values. The package draws the network; weights come from safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from xfv_core.errors import XfvError
from xfv_core.models.base import FaceModel
from xfv_core.models.preparation import Preparation
from xfv_core.models.registry import register
from xfv_core.weights.manifest import ModelCard

USUAL_SIZE = 112  # px
CONFIG = {"model", "dim", "size", "options"}
SHAPES = {"img_size", "patch_size", "embed_dim", "depth", "num_heads", "global_pool"}


class TimmError(XfvError):
    """The package is absent, or tensors and config are not those of one of its networks."""


@register("timm")
class TimmModel(FaceModel):
    """(B,3,S,S) RGB in [0,1], taken to [-1,1], -> (B,D) unit embeddings.

    ``model``: timm's name of the network.    ``options``: sizes that differ from its usual ones;
    nothing that would make the package read a file or ask the network.
    """

    def __init__(
        self, model: str, dim: int, size: int = USUAL_SIZE, options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        try:
            import timm
        except ImportError as problem:
            raise TimmError("This network needs timm: pip install 'xfv[timm]'.") from problem
        if odd := sorted(set(options or ()) - SHAPES):
            raise TimmError(f"{odd[0]!r} is no size of a network; known are {sorted(SHAPES)}.")
        if model not in timm.list_models():
            raise TimmError(f"The installed timm has no network {model!r}.")
        self.embedding_dim, self.input_size = dim, size
        self.preparation = Preparation(size)
        self.network: nn.Module = timm.create_model(
            model, pretrained=False, num_classes=dim, **(options or {})
        )

    def raw(self, x: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,D), before normalising."""
        return self.network(self.preparation(x))

    def embed(self, x: Tensor) -> Tensor:
        return functional.normalize(self.raw(x).float(), dim=1)

    @classmethod
    def check(cls, card: ModelCard) -> None:
        if (size := card.config.get("size", USUAL_SIZE)) != card.input.size:
            raise ValueError(f"input.size is {card.input.size}, but config.size {size}")

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> TimmModel:
        """``config``: ``model`` and ``dim``; ``size`` and ``options`` where they are not usual."""
        if unknown := sorted(set(config) - CONFIG):
            raise TimmError(f"A timm config has no {unknown[0]!r}; it has {sorted(CONFIG)}.")
        model = cls(**config)
        try:
            model.network.load_state_dict(dict(tensors))
        except RuntimeError as error:
            detail = str(error).splitlines()[1].strip()
            raise TimmError(f"These are no weights of {config['model']}: {detail}") from error
        return model
