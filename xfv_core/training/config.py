"""One JSON file fixes a training: network, data, losses, schedule, seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from xfv_core.errors import XfvError
from xfv_core.models import load_model
from xfv_core.models.blocks import TrainedModel
from xfv_core.models.ecnet import ECNet
from xfv_core.models.rrf import FullFaceNet, PatchFaceModel, RegionNet, RRFNet
from xfv_core.strict_json import STRICT, JsonError, build, parse
from xfv_core.training.augment import Augmentation
from xfv_core.training.ecloss import ECWeights
from xfv_core.weights.held_out import HELD_OUT_PEOPLE

FOLDER = Path(__file__).parent / "configs"
ARCHITECTURES: dict[str, type[TrainedModel]] = {
    "rrf": RRFNet,
    "rrf_regions": RegionNet,
    "full": FullFaceNet,
    "ecnet": ECNet,
}


class TrainConfigError(XfvError):
    """The config file cannot be used."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; ``scale`` and ``margin`` belong to the margin softmax."""

    cosine: float = 1.0
    similarity: float = 1.0
    identity: float = 0.0
    scale: float = 16.0
    margin: float = 0.2
    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class TrainConfig:
    """A training, complete.

    ``batch`` counts the photos of one step over all processes, the step size
    rises until step ``warmup``, stays until ``hold`` and falls as a cosine to 0 at ``steps``;
    ``holdout`` keeps every n-th photo to watch the loss, ``holdout_people`` every n-th labelled
    person out of it all; ``ema`` is the decay of the averaged weights, which are the ones that
    are exported. ``muon_lr`` 0 means AdamW throughout. ``channels`` is for an ECNet. ``encoder``
    names a shipped patch network of the same layers, with whose encoder this one begins.
    """

    name: str
    arch: str
    model: dict[str, Any]
    steps: int
    encoder: str = ""
    batch: int = 192
    lr: float = 2.5e-3
    muon_lr: float = 0.02
    weight_decay: float = 0.05
    warmup: int = 100
    hold: int = 0
    ema: float = 0.998
    seed: int = 1
    precision: str = "bf16"
    compile: bool = False
    teachers: tuple[str, ...] = ("sface", "mobilefacenet")
    holdout: int = 48
    holdout_people: int = HELD_OUT_PEOPLE
    log_every: int = 20
    watch_every: int = 500
    checkpoint_minutes: float = 3.0
    losses: LossWeights = field(default_factory=LossWeights)
    augment: Augmentation = field(default_factory=Augmentation)
    channels: ECWeights | None = None
    __pydantic_config__ = STRICT

    def build_model(self) -> TrainedModel:
        """The network with fresh weights (random, from torch's generator), but for ``encoder``."""
        if self.arch not in ARCHITECTURES:
            raise TrainConfigError(
                f"There is no architecture {self.arch!r}; use one of {sorted(ARCHITECTURES)}."
            )
        architecture: Any = ARCHITECTURES[self.arch]
        model: TrainedModel = architecture(
            architecture.config_class.from_dict(self.model), name=self.name
        )
        if self.encoder:
            model.encoder = _finished_encoder(self.encoder, model)
        return model


def _finished_encoder(name: str, model: TrainedModel) -> nn.Module:
    """The encoder of a shipped network, its BN folded, to go on with in ``model``."""
    other = load_model(name)
    if isinstance(other, PatchFaceModel) and isinstance(model, PatchFaceModel):
        ours, theirs = ((m.padded, m.config.to_dict() | {"dim": 0}) for m in (model, other))
        if ours == theirs:
            return other.encoder.requires_grad_(True)
    raise TrainConfigError(
        f"{model.name} cannot begin with the encoder of {name}: its layers, hidden, local and "
        "shortcuts must be the same."
    )


def load_config(name_or_path: str) -> TrainConfig:
    """A shipped config by its model's name, or a JSON file by its path."""
    path = Path(name_or_path)
    if path.suffix != ".json":
        path = FOLDER / f"{name_or_path}.json"
    if not path.exists():
        shipped = sorted(p.stem for p in FOLDER.glob("*.json"))
        raise TrainConfigError(f"There is no config {name_or_path!r}; shipped are {shipped}.")
    try:
        return config_from_dict(parse(path.read_text(encoding="utf-8")))
    except (TrainConfigError, JsonError) as error:
        raise TrainConfigError(f"The config {path.name} cannot be read: {error}") from error


def config_from_dict(values: dict[str, Any]) -> TrainConfig:
    """Nested plain data -> config; TrainConfigError names the place of what is unknown, missing or
    of another type."""
    try:
        return build(TrainConfig, values)
    except JsonError as error:
        raise TrainConfigError(str(error)) from error
