"""What the networks learn from: two teachers on every photo, identities where they are known."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def cosine_distillation(embeddings: Tensor, targets: Tensor) -> Tensor:
    """1 - mean cosine to the teacher; unit rows (B,D)."""
    return 1 - (embeddings * targets).sum(1).mean()


def similarity_distillation(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of the batch's similarities, E Eᵀ against T Tᵀ, diagonal left out."""
    count = len(embeddings)
    error = (embeddings @ embeddings.T - targets @ targets.T).square()  # (B, B), diagonal 0
    return error.sum() / max(count * (count - 1), 1)


class MarginSoftmax(nn.Module):
    """Softmax over identities with an additive cosine margin (CosFace, arXiv 1801.09414, eq. 4).

    L = -log e^{s(cos θ_y - m)} / (e^{s(cos θ_y - m)} + Σ_{j≠y} e^{s cos θ_j}), over the labelled
    rows; 0 when a batch has none.
    """

    def __init__(self, dim: int, identities: int, *, scale: float, margin: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(identities, dim))
        self.scale, self.margin = scale, margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Unit rows (B,D) and labels (B,), -1 for unknown -> scalar."""
        known = labels >= 0
        cosines = embeddings @ functional.normalize(self.centres, dim=1).T  # (B, identities)
        own = functional.one_hot(labels.clamp(min=0), cosines.shape[1])
        logits = self.scale * (cosines - self.margin * own)
        losses = functional.cross_entropy(logits, labels.clamp(min=0), reduction="none")
        return (losses * known).sum() / known.sum().clamp(min=1)
