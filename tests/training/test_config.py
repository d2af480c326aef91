"""Shipped configs are complete and comparable; a bad config is refused in a sentence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from xfv_core.models import load_model
from xfv_core.models.ecnet import ECNet
from xfv_core.training.config import TrainConfigError, load_config
from xfv_core.training.ecloss import TERMS
from xfv_core.training.prototypes import load_prototypes

PATCH = ["full112", "rrf28", "rrf56"]  # side by side on one GPU
FIRST = ["full112_short", "rrf28_short", "rrf56_short", "rrf_regions_short"]
CHANNELS = ["ecnet", "ecnet_plain"]
SHORT = ["ecnet_short", "ecnet_short_plain"]
OTHER = ["rrf56_cpu", "rrf_regions", "ecnet_unpaired", "ecnet_parts"]


@pytest.mark.parametrize("name", [*OTHER, *PATCH, *FIRST, *CHANNELS, *SHORT])
def test_a_shipped_config_is_named_after_its_model_and_builds_it(name: str) -> None:
    config = load_config(name)
    assert config.name == name
    assert config.build_model().name == name


@pytest.mark.parametrize("names", [PATCH, FIRST, CHANNELS, SHORT])
def test_models_to_compare_share_data_steps_seed_and_recipe(names: list[str]) -> None:
    own = {"name", "channels"} | ({"arch", "model"} if names[0] in PATCH + FIRST else set())
    own |= {"steps", "hold"} if names == PATCH else set()  # they had the same minutes
    recipes = []
    for name in names:
        values = dataclasses.asdict(load_config(name))
        recipes.append({k: v for k, v in values.items() if k not in own})
    assert all(recipe == recipes[0] for recipe in recipes)


def test_the_control_had_no_fewer_rounds_to_speak_of() -> None:
    control, *others = (load_config(name) for name in PATCH)
    assert all(control.steps > 0.93 * other.steps for other in others)
    shares = [config.hold / config.steps for config in (control, *others)]
    assert max(shares) - min(shares) < 0.01


def test_the_twin_of_the_channel_network_lacks_the_loss_and_nothing_else() -> None:
    with_loss, without = (load_config(name).channels for name in CHANNELS)
    assert with_loss is not None and without is not None
    assert set(with_loss.active) == set(TERMS)
    assert dataclasses.replace(with_loss, **dict.fromkeys(TERMS, 0.0)) == without


def test_its_prototypes_are_shipped() -> None:
    config = load_config("ecnet")
    channels, network = config.channels, config.build_model()
    assert channels is not None and isinstance(network, ECNet)
    mean, prototypes = load_prototypes(channels.prototypes)
    assert mean.shape == (network.encoder.features,)
    assert prototypes.shape == (channels.parts + channels.beside, *mean.shape)
    found_by = load_config("ecnet_parts").channels
    assert found_by is not None and found_by.parts == len(prototypes)


def test_a_network_begins_with_the_encoder_of_another() -> None:
    config = load_config("rrf_regions")
    regions, means = config.build_model(), load_model(config.encoder)
    x = torch.rand(1, 3, 112, 112)
    torch.testing.assert_close(regions.encoder(x), means.encoder(x))
    assert all(p.requires_grad for p in regions.parameters())


@pytest.mark.parametrize(
    "change",
    [{"encoder": "sface"}, {"encoder": "rrf28"}, {"arch": "full"}, {"arch": "ecnet"}],
)
def test_the_encoder_of_another_network_is_refused(change: dict[str, str]) -> None:
    config = dataclasses.replace(load_config("rrf_regions"), **change)
    if config.arch == "ecnet":
        config = dataclasses.replace(config, model=load_config("ecnet").model)
    with pytest.raises(TrainConfigError, match="cannot begin with the encoder"):
        config.build_model()


def test_a_config_is_read_from_a_path(tmp_path: Path) -> None:
    values = {"name": "x", "arch": "rrf", "model": {}, "steps": 5, "losses": {"margin": 0.5}}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(values))
    config = load_config(str(path))
    assert (config.steps, config.losses.margin, config.losses.cosine) == (5, 0.5, 1.0)


@pytest.mark.parametrize(
    "text, said",
    [
        ("{", "cannot be read"),
        ('{"name": "x", "arch": "rrf", "model": {}}', "steps"),
        ('{"name": "x", "arch": "rrf", "model": {}, "steps": 5, "stepps": 6}', "stepps"),
        ('{"name": "x", "arch": "rrf", "model": {}, "steps": 5, "losses": {"cos": 1}}', "cos"),
    ],
)
def test_a_bad_config_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(TrainConfigError, match=said):
        load_config(str(path))


def test_unknown_names_list_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(TrainConfigError, match="rrf56"):
        load_config("nothing")
    path = tmp_path / "arch.json"
    path.write_text('{"name": "x", "arch": "vit", "model": {}, "steps": 5}')
    with pytest.raises(TrainConfigError, match="vit"):
        load_config(str(path)).build_model()
