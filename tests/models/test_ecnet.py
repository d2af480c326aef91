"""What an ECNet knows of a photo are its maps; folding changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from xfv_core.models.blocks import Layer
from xfv_core.models.ecnet import ECConfig, ECNet
from xfv_core.models.sface import SFace
from xfv_core.strict_json import JsonError
from xfv_core.training.config import load_config

TOY = ECConfig((Layer(8, 4, 8), Layer(3, 2, 8)), blocks=1, channels=6, head=8, local=4, dim=10)


def toy(seed: int = 0) -> ECNet:
    torch.manual_seed(seed)
    model = ECNet(TOY, name="toy")
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            module.bias.data.normal_(0, 0.3)
    return model.eval().requires_grad_(False)


def photos(count: int = 2) -> Tensor:
    return torch.rand(count, 3, 112, 112, generator=torch.Generator().manual_seed(1))


def test_maps_are_rectified_and_embeddings_of_unit_length() -> None:
    model = toy()
    maps = model.maps(photos())
    assert maps.shape == (2, 6, 14, 14) and model.grid == 14
    assert (maps >= 0).all() and (maps > 0).any()
    embeddings = model.embed(photos())
    assert embeddings.shape == (2, 10)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_the_embedding_is_a_function_of_the_maps_alone() -> None:
    model = toy()
    maps = model.maps(photos())
    torch.testing.assert_close(model.embed(photos()), model.embed_maps(maps))
    torch.testing.assert_close(model.embed_maps(maps * 0)[0], model.embed_maps(maps * 0)[1])


def test_folding_and_exporting_keep_the_embedding() -> None:
    model = toy()
    again = ECNet.from_tensors(model.folded().state_dict(), TOY.to_dict(), name="again")
    torch.testing.assert_close(again.embed(photos()), model.embed(photos()), atol=1e-5, rtol=1e-4)
    assert not any("bn" in key for key in again.state_dict())


def test_a_folded_network_is_the_chain_it_claims_to_be() -> None:
    model = toy()
    folded = model.folded()
    for network in (folded, model):  # which answers for its folded copy
        chain = network.chain()
        embedding = chain.head(chain.layers(photos() * chain.scale + chain.shift))
        torch.testing.assert_close(embedding, folded.embed(photos()))


def on_a_trunk() -> tuple[ECNet, SFace]:
    """A toy on six blocks of an SFace with random weights."""
    model, sface = ECNet(replace(TOY, layers=(Layer(1, 1, 8),), trunk=6)), SFace()
    model.encoder.take_trunk(sface)
    return model.eval(), sface


def test_a_trunk_sees_what_sface_sees() -> None:
    model, sface = on_a_trunk()
    x = photos()
    assert model.grid == 14 and model.maps(x).shape == (2, 6, 14, 14)
    seen: list[Tensor] = []
    model.encoder.convs[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model.embed(x)
    expected = sface.features[: len(model.encoder.trunk)]((x * 255 - 127.5) / 128)
    torch.testing.assert_close(seen[0], expected, atol=1e-5, rtol=1e-4)


def test_a_network_on_a_trunk_folds_and_is_the_chain_it_claims_to_be() -> None:
    model, _ = on_a_trunk()
    folded = model.folded()
    torch.testing.assert_close(folded.embed(photos()), model.embed(photos()), atol=1e-5, rtol=1e-4)
    chain = model.chain()
    embedding = chain.head(chain.layers(photos() * chain.scale + chain.shift))
    torch.testing.assert_close(embedding, folded.embed(photos()), atol=1e-5, rtol=1e-4)


def test_places_are_described_by_the_blocks_that_the_config_names() -> None:
    config = replace(TOY, layers=(Layer(1, 1, 8),), trunk=8, described=7)
    model, sface, x = ECNet(config), SFace(), photos()
    model.encoder.take_trunk(sface)
    described, maps = model.eval().encoder(x)
    expected = sface.features[: 2 + 4 * 7]((x * 255 - 127.5) / 128)
    torch.testing.assert_close(described, expected, atol=1e-5, rtol=1e-4)
    assert model.encoder.features == 512
    plain = ECNet(replace(config, described=0))
    plain.load_state_dict(model.state_dict())
    torch.testing.assert_close(plain.eval().maps(x), maps)  # of no influence on what it computes


def test_a_trunk_takes_no_gradient_but_hands_it_on_to_the_photo() -> None:
    model, _ = on_a_trunk()
    x = photos().requires_grad_()
    model.train().embed(x).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.encoder.trunk.parameters())
    assert model.encoder.convs[0].conv.weight.grad is not None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"trunk": -1}, "trunk must lie between 0 and 13"),
        ({"trunk": 14}, "trunk must lie between 0 and 13"),
        ({"trunk": 6, "described": 7}, "described must lie between 0 and trunk"),
    ],
)
def test_a_trunk_that_sface_has_not_is_refused(wrong: dict[str, int], said: str) -> None:
    with pytest.raises((ValueError, JsonError), match=said):
        ECConfig.from_dict({**TOY.to_dict(), **wrong})


def test_a_config_survives_json() -> None:
    assert ECConfig.from_dict(TOY.to_dict()) == TOY


def test_the_shipped_network_has_a_grid_of_fourteen_and_fits_ten_mebibytes() -> None:
    model = load_config("ecnet").build_model()
    assert isinstance(model, ECNet)
    assert model.grid == 14
    assert 64 <= model.channels <= 512
    assert 2 * sum(p.numel() for p in model.parameters()) <= 10 * 2**20  # float16
