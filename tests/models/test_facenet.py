"""FaceNet: folding changes nothing, its weights come through the Hub whole, others are refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from facenet_pytorch import InceptionResnetV1
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tests.weights.hub_server import HubServer
from xfv_core.models.facenet import FaceNet
from xfv_core.weights.hub import WeightsError, load_tensors
from xfv_core.weights.manifest import ModelCard, load_manifest

CLASSES = 8631


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file shaped as the published one, with random weights and lively batch norms."""
    torch.manual_seed(0)
    network = InceptionResnetV1(classify=True, num_classes=CLASSES)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)  # so that photos still differ in the embedding
        elif isinstance(layer, _BatchNorm):
            nn.init.uniform_(layer.weight, 0.8, 1.2)
            nn.init.uniform_(layer.bias, -0.2, 0.2)
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    path = tmp_path_factory.mktemp("facenet") / "model.safetensors"
    save_file(network.state_dict(), path)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def tensors(weights: Path) -> dict[str, Tensor]:
    return load_file(weights)


@pytest.fixture(scope="module")
def model(tensors: dict[str, Tensor]) -> FaceNet:
    return FaceNet.from_tensors(tensors, {})


@pytest.fixture
def photos() -> Tensor:
    """Noise, and a ramp from black to white."""
    noise = torch.rand(3, 160, 160, generator=torch.Generator().manual_seed(1))
    return torch.stack([noise, torch.linspace(0, 1, 160).expand(3, 160, 160)])  # (2,3,160,160)


def unfolded(tensors: dict[str, Tensor]) -> InceptionResnetV1:
    network = InceptionResnetV1(classify=True, num_classes=CLASSES).eval()
    network.load_state_dict(tensors)
    network.classify = False
    return network


def same_parameters(a: FaceNet, b: FaceNet) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_a_state_dict_of_this_network_is_as_long_as_the_published_file(
    weights: Path, tensors: dict[str, Tensor]
) -> None:
    assert weights.stat().st_size == load_manifest().card("facenet").bytes
    assert len(tensors) == 716


@pytest.mark.slow
@torch.no_grad()
def test_the_folded_network_equals_the_original(
    model: FaceNet, tensors: dict[str, Tensor], photos: Tensor
) -> None:
    expected = unfolded(tensors)((photos * 255 - 127.5) / 128)
    assert (expected[0] - expected[1]).abs().max() > 1e-2  # or equality would show little
    torch.testing.assert_close(model.embed(photos), expected, rtol=0, atol=1e-4)


def test_no_batch_norm_is_left_and_nothing_is_trainable(model: FaceNet) -> None:
    assert not [m for m in model.modules() if isinstance(m, _BatchNorm)]
    assert not [p for p in model.parameters() if p.requires_grad]
    assert not model.training


def test_embeddings_are_unit_float32_of_the_stated_length(model: FaceNet, photos: Tensor) -> None:
    with torch.no_grad():
        embedding = model.embed(photos)
    assert embedding.shape == (2, model.embedding_dim)
    assert embedding.dtype == torch.float32
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))


def test_embeddings_are_unit_float32_under_autocast_too(model: FaceNet, photos: Tensor) -> None:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        embedding = model.embed(photos)
    assert embedding.dtype == torch.float32
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))


def test_the_photo_has_a_gradient(model: FaceNet, photos: Tensor) -> None:
    x = photos[:1].clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(model.embed(x)[0, 0], x)
    assert gradient.shape == x.shape
    assert gradient.abs().max() > 0


def test_weights_without_the_classifier_give_the_same_network(
    model: FaceNet, tensors: dict[str, Tensor]
) -> None:
    headless = {key: value for key, value in tensors.items() if not key.startswith("logits.")}
    other = FaceNet.from_tensors(headless, {})
    assert same_parameters(model, other)


def test_building_draws_nothing_from_the_global_seed(tensors: dict[str, Tensor]) -> None:
    before = torch.get_rng_state()
    FaceNet.from_tensors(tensors, {})
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_the_tensors_of_another_network_are_refused(
    tensors: dict[str, Tensor], change: str
) -> None:
    others = dict(tensors)
    if change == "missing":
        del others["last_linear.weight"]
    elif change == "unknown":
        others["extra.weight"] = torch.zeros(1)
    else:
        others["last_linear.weight"] = torch.zeros(128, 1792)
    with pytest.raises(WeightsError, match="not FaceNet's"):
        FaceNet.from_tensors(others, {})


def test_settings_for_a_network_without_any_are_refused(tensors: dict[str, Tensor]) -> None:
    with pytest.raises(WeightsError, match="width"):
        FaceNet.from_tensors(tensors, {"width": 2})


@pytest.fixture
def card(weights: Path) -> ModelCard:
    """The real entry, pinned to the file of these tests instead of the published one."""
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    return replace(load_manifest().card("facenet"), sha256=found)


@pytest.mark.slow
def test_the_model_comes_through_the_hub_under_its_pinned_name(
    card: ModelCard,
    weights: Path,
    model: FaceNet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    seen: list[int] = []
    assert card.hub is not None
    with HubServer() as hub:
        hub.add(card.hub.repo_id, card.hub.revision, card.hub.filename, weights.read_bytes())
        fetched = load_tensors(
            card, endpoint=hub.endpoint, progress=lambda done, total: seen.append(done)
        )
        assert hub.count("GET") == 1
        assert {request.path for request in hub.requests} == {
            "/py-feat/facenet/resolve/e2b51c6f01b706e9deceb4608b269d751219604d/model.safetensors"
        }
    assert seen == sorted(seen)
    assert seen[-1] == 111_831_500
    assert same_parameters(model, FaceNet.from_tensors(fetched, card.config))
    for blob in tmp_path.rglob("blobs/*"):
        blob.unlink()


def test_other_weights_of_the_same_length_are_not_taken_for_the_published_ones(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    card = load_manifest().card("facenet")
    assert card.hub is not None
    with HubServer() as hub:
        hub.add(card.hub.repo_id, card.hub.revision, card.hub.filename, weights.read_bytes())
        with pytest.raises(WeightsError, match=f"sha256: expected {card.sha256}, found"):
            load_tensors(card, endpoint=hub.endpoint)
    assert not list(tmp_path.rglob("blobs/*"))
