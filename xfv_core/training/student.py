"""The network in training: losses around it, averaged weights beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from xfv_core.models.blocks import TrainedModel
from xfv_core.models.ecnet import ECNet
from xfv_core.training.config import LossWeights
from xfv_core.training.ecloss import ECLoss, ECWeights
from xfv_core.training.losses import (
    MarginSoftmax,
    cosine_distillation,
    similarity_distillation,
)


class Student(nn.Module):
    """A face model and the heads that only training needs; ``forward`` gives the loss terms.

    The cosine term needs an embedding as long as the teachers'; another length goes through a
    linear adapter for this term. The similarity and identity terms see the embedding itself.
    An ECNet has the terms of ``channels`` besides.
    """

    def __init__(
        self,
        model: TrainedModel,
        weights: LossWeights,
        *,
        target_dim: int,
        identities: int,
        channels: ECWeights | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.weights = weights
        self.channel_factor = 1.0  # on the weights of the channels' terms
        dim = model.embedding_dim
        self.ecloss = None
        if isinstance(model, ECNet):
            self.ecloss = ECLoss(
                channels or ECWeights(), channels=model.channels, features=model.encoder.features,
                grid=model.grid,
            )  # fmt: skip
        self.adapter = None if dim == target_dim else nn.Linear(dim, target_dim, bias=False)
        self.identity = None
        if weights.identity and identities:
            self.identity = MarginSoftmax(
                dim, identities, scale=weights.scale, margin=weights.margin
            )

    def forward(self, x: Tensor, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Crops (B,3,112,112), unit targets (B,T), labels (B,) -> scalars, ``loss`` their sum."""
        embeddings, channel_terms = self._embed(x)
        with torch.autocast(x.device.type, enabled=False):
            terms = {
                "cosine": cosine_distillation(self._adapted(embeddings), targets),
                "similarity": similarity_distillation(embeddings, targets),
            }
            if self.identity is not None:
                terms["identity"] = self.identity(embeddings, labels)
        loss = sum(getattr(self.weights, name) * term for name, term in terms.items())
        if self.ecloss is not None:
            active = self.ecloss.weights.active
            among = sum(weight * channel_terms[name] for name, weight in active.items())
            loss = loss + self.channel_factor * among
        return {"loss": torch.as_tensor(loss), **terms, **channel_terms}

    def _embed(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(B,D), and the terms of an ECNet's channels."""
        if self.ecloss is None:
            return self.model.embed(x), {}
        assert isinstance(self.model, ECNet)
        count, second = len(x), self.ecloss.second_view(x)
        if second is not None:
            x = torch.cat([x, second[0]]).contiguous(memory_format=torch.channels_last)
        features, maps = self.model.encoder(x)
        again, maps, features = maps[count:], maps[:count], features[:count]
        with torch.autocast(x.device.type, enabled=False):
            terms = self.ecloss(maps, features, second and (again, second[1]))
        return self.model.embed_maps(maps), terms

    def _adapted(self, embeddings: Tensor) -> Tensor:
        if self.adapter is None:
            return embeddings
        return functional.normalize(self.adapter(embeddings), dim=1)


class Average:
    """Exponential moving average of a module's tensors, faster at the start.

    After step t the decay is min(``decay``, (1+t)/(10+t)).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards the module's present tensors; counters are copied."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                self.tensors[key].lerp_(value, weight)
            else:
                self.tensors[key].copy_(value)
