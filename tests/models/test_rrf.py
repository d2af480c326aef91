"""The similarity of an RRF network is the sum of its patch scores, and a patch sees itself only."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from xfv_core.models.blocks import Layer, receptive_field
from xfv_core.models.rrf import (
    FullFaceNet,
    PatchConfig,
    PatchFaceModel,
    PatchGeometryError,
    RegionNet,
    RRFNet,
)
from xfv_core.training.config import load_config


def toy(layers: list[tuple[int, int, int]], *, local: int = 4, dim: int = 6) -> PatchConfig:
    return PatchConfig(tuple(Layer(*layer) for layer in layers), hidden=8, local=local, dim=dim)


TOY_56 = toy([(8, 8, 4), (3, 1, 4), (3, 1, 6), (3, 1, 6)])
TOY_28 = toy([(14, 7, 4), (3, 1, 6)])
SHORTCUTS = replace(toy([(8, 4, 4), (3, 1, 6), (3, 2, 6), (2, 1, 8), (2, 1, 8), (3, 1, 8)]),
                    shortcuts=True)  # fmt: skip


def awake(model: PatchFaceModel, seed: int = 0) -> PatchFaceModel:
    """Random weights everywhere, also where a fresh network has zeros or ones."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            spread = module.weight[0].numel() ** -0.5
            module.weight.data.normal_(0, spread, generator=generator)
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias, module.weight):
                tensor.data.normal_(0.5, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    model.encoder.position.data.normal_(0, 0.5, generator=generator)
    return model.eval().requires_grad_(False)


def photos(count: int, seed: int = 1) -> Tensor:
    return torch.rand(count, 3, 112, 112, generator=torch.Generator().manual_seed(seed))


def test_receptive_field_follows_kernels_and_strides() -> None:
    assert receptive_field((Layer(8, 4, 1), Layer(3, 1, 1), Layer(3, 2, 1))) == (24, 8)
    assert receptive_field((Layer(5, 3, 1),)) == (5, 3)


@pytest.mark.parametrize("name, patch, stride, grid", [("rrf56", 56, 8, 8), ("rrf28", 28, 7, 13)])
def test_shipped_geometry_tiles_the_crop(name: str, patch: int, stride: int, grid: int) -> None:
    model = load_config(name).build_model()
    assert isinstance(model, RRFNet)
    assert (model.patch_size, model.stride, model.grid) == (patch, stride, grid)
    assert stride * (grid - 1) + patch == 112


def test_layers_that_miss_the_border_are_refused() -> None:
    with pytest.raises(PatchGeometryError, match="border"):
        RRFNet(toy([(8, 5, 4)]))


def test_contributions_of_hand_made_features() -> None:
    a = torch.tensor([[1.0, 0.0], [3.0, 0.0]])  # mean (2, 0)
    b = torch.tensor([[0.0, 2.0], [2.0, 0.0]])  # mean (1, 1), length √2
    scores = RRFNet(TOY_56).pair_scores(a, b)
    root = 2**0.5
    torch.testing.assert_close(scores.similarity, torch.tensor(1 / root))
    torch.testing.assert_close(scores.a, torch.tensor([1.0, 3.0]) / (4 * root))
    torch.testing.assert_close(scores.b, torch.tensor([0.0, 1 / root]))
    torch.testing.assert_close(scores.k, torch.tensor([[0.0, 2.0], [0.0, 6.0]]) / (8 * root))


def test_region_scores_are_weighted_cosines_of_the_same_region() -> None:
    model = RegionNet(toy([(56, 56, 4)], dim=2))
    model.region_logits.data = torch.tensor([1.0, 2.0, 3.0, 4.0]).log()
    a = torch.tensor([[2.0, 0.0], [0.0, 5.0], [1.0, 0.0], [1.0, 1.0]])
    b = torch.tensor([[3.0, 0.0], [0.0, -1.0], [0.0, 1.0], [1.0, 0.0]])
    scores = model.pair_scores(a, b)
    expected = torch.tensor([0.1, -0.2, 0.0, 0.4 / 2**0.5])
    torch.testing.assert_close(scores.a, expected)
    torch.testing.assert_close(scores.k, torch.diag(expected))
    torch.testing.assert_close(scores.similarity, expected.sum())


@pytest.mark.parametrize("kind", [RRFNet, RegionNet])
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_contributions_sum_to_the_similarity(kind: type[RRFNet], seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, 64, 6, generator=generator) * scale + 0.1 * scale
    scores = kind(TOY_56).pair_scores(a, b)
    for parts in (scores.a.sum(), scores.b.sum(), scores.k.sum()):
        assert abs(parts - scores.similarity) < 1e-5
    torch.testing.assert_close(scores.k.sum(1), scores.a, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(scores.k.sum(0), scores.b, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("kind", [RRFNet, RegionNet])
def test_similarity_is_the_cosine_of_the_embeddings(kind: type[RRFNet]) -> None:
    model = awake(kind(TOY_56))
    a, b = photos(2)
    embeddings = model.embed(torch.stack([a, b]))
    scores = model.contributions(a, b)
    assert embeddings.shape == (2, model.embedding_dim)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(scores.similarity, embeddings[0] @ embeddings[1])


@pytest.mark.parametrize("kind", [RRFNet, RegionNet, FullFaceNet])
def test_a_folded_network_is_the_chain_it_claims_to_be(kind: type[PatchFaceModel]) -> None:
    model, x = awake(kind(TOY_28)), photos(3)
    folded = model.folded()
    for network in (folded, model):  # which answers for its folded copy
        chain = network.chain()
        embedding = chain.head(chain.layers(x * chain.scale + chain.shift))
        torch.testing.assert_close(embedding, folded.embed(x))
    torch.testing.assert_close(folded.embed(x), model.embed(x))


def test_folding_leaves_a_network_in_training_as_it_is() -> None:
    model = awake(RRFNet(TOY_28)).train()
    model.chain()
    assert all(layer.training for layer in model.modules())


def test_swapping_the_photos_swaps_the_scores() -> None:
    model = awake(RRFNet(TOY_28))
    a, b = photos(2)
    there, back = model.contributions(a, b), model.contributions(b, a)
    torch.testing.assert_close(there.a, back.b)
    torch.testing.assert_close(there.k, back.k.T)


def test_a_batch_of_pairs_gives_each_pairs_scores() -> None:
    model = awake(RRFNet(TOY_28))
    x = photos(4)
    batch = model.contributions(x[:2], x[2:])
    single = model.contributions(x[1], x[3])
    torch.testing.assert_close(batch.k[1], single.k)
    torch.testing.assert_close(batch.similarity[1], single.similarity)


@pytest.mark.parametrize("config", [TOY_56, TOY_28, SHORTCUTS], ids=["56", "28", "shortcuts"])
def test_nothing_outside_a_patch_moves_its_feature(config: PatchConfig) -> None:
    model = awake(RRFNet(config))
    photo = photos(1)[0]
    clean = model.patch_features(photo[None])[0]
    noise = photos(1, seed=2)[0]
    patch, stride, grid = model.patch_size, model.stride, model.grid
    for index in range(model.patch_count):
        top, left = stride * (index // grid), stride * (index % grid)
        inside = torch.zeros(112, 112, dtype=torch.bool)
        inside[top : top + patch, left : left + patch] = True
        outside_changed = torch.where(inside, photo, noise)
        moved = model.patch_features(outside_changed[None])[0]
        assert torch.equal(moved[index], clean[index])


@pytest.mark.parametrize("config", [TOY_56, TOY_28, SHORTCUTS], ids=["56", "28", "shortcuts"])
def test_the_gradient_of_a_patch_reaches_its_corners_and_no_further(config: PatchConfig) -> None:
    model = awake(RRFNet(config))
    for block in model.modules():  # positive weights: no pixel cancels out, no ReLU closes
        if isinstance(block, nn.Conv2d):
            block.weight.data.abs_()
        if isinstance(block, nn.BatchNorm2d):
            block.running_mean.zero_()
            block.bias.data.abs_()
            block.weight.data.abs_()
    model.maps.data.abs_()
    index = model.grid + 2
    photo = photos(1) * 0.4 + 0.6
    photo.requires_grad_(True)
    model.patch_features(photo)[0, index].sum().backward()
    rows, columns = torch.nonzero(photo.grad[0].abs().sum(0), as_tuple=True)
    patch, stride = model.patch_size, model.stride
    assert (rows.min(), rows.max()) == (stride, stride + patch - 1)
    assert (columns.min(), columns.max()) == (2 * stride, 2 * stride + patch - 1)


def test_shuffled_patches_change_the_similarity() -> None:
    torch.manual_seed(0)  # of the maps per position, which are not among what is woken
    model = awake(RRFNet(toy([(56, 56, 4)])))
    model.encoder.position.normal_(0, 3, generator=torch.Generator().manual_seed(2))
    colours = torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(3))
    photo = functional.interpolate(colours, size=112)[0]  # each of the four patches one colour
    turned = torch.roll(photo, 56, dims=1)
    drop = 1 - model.contributions(photo, turned).similarity
    model.encoder.position.zero_()
    model.maps[:] = model.maps[:1].clone()
    blind = 1 - model.contributions(photo, turned).similarity
    assert drop > 1e-3
    assert abs(blind) < 1e-5


@pytest.mark.parametrize("kind", [RRFNet, RegionNet, FullFaceNet])
def test_folding_and_a_round_trip_keep_the_embedding(kind: type[PatchFaceModel]) -> None:
    model = awake(kind(TOY_56, name="toy"))
    folded = model.folded()
    again = kind.from_tensors(folded.state_dict(), model.config.to_dict(), name="toy")
    x = photos(2)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in again.modules())
    torch.testing.assert_close(again.embed(x), model.embed(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", [RRFNet, FullFaceNet])
def test_exported_weights_contain_the_shortcuts(kind: type[PatchFaceModel]) -> None:
    config = SHORTCUTS if kind is RRFNet else replace(TOY_56, shortcuts=True)
    model, plain = awake(kind(config)), awake(kind(replace(config, shortcuts=False)))
    x = photos(2)
    assert (model.embed(x) - plain.embed(x)).abs().max() > 0.01
    assert not any(block.shortcut for block in model.folded().encoder.convs)
    torch.testing.assert_close(model.folded().embed(x), model.embed(x), atol=1e-5, rtol=1e-4)


def test_half_precision_weights_become_float32() -> None:
    model = awake(RRFNet(TOY_56)).folded()
    half = {key: value.half() for key, value in model.state_dict().items()}
    again = RRFNet.from_tensors(half, model.config.to_dict())
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    cosine = functional.cosine_similarity(again.embed(photos(1)), model.embed(photos(1)))
    assert cosine > 0.999


def test_the_control_sees_the_whole_face() -> None:
    control = load_config("full112").build_model()
    size, _ = receptive_field(control.config.layers)
    assert size >= 112


@pytest.mark.parametrize("names", [("full112", "rrf56"), ("full112_short", "rrf56_short")])
def test_the_control_has_as_many_parameters_and_no_fewer_operations(names: list[str]) -> None:
    control, rrf = (load_config(each).build_model() for each in names)
    counts = [sum(p.numel() for p in m.folded().parameters()) for m in (control, rrf)]
    assert abs(counts[0] / counts[1] - 1) < 0.10
    assert multiplications(control) >= multiplications(rrf)


def multiplications(model: PatchFaceModel) -> int:
    """Multiply-adds of one embedding."""
    total = model.maps.numel()

    def count(module: nn.Module, _: tuple[Tensor, ...], out: Tensor) -> None:
        nonlocal total
        total += module.weight[0].numel() * out[0].numel()

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, nn.Conv2d)]
    model.eval().embed(photos(1))
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("name", ["rrf56", "rrf28", "rrf_regions", "full112"])
def test_every_shipped_network_fits_ten_mebibytes_in_half_precision(name: str) -> None:
    model = load_config(name).build_model().folded()
    assert 2 * sum(t.numel() for t in model.state_dict().values()) < 10 * 2**20
