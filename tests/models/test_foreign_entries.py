"""Entries of a manifest for networks of others: ONNX files and architectures, from a Hub too."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import onnx
import pytest
import torch
from huggingface_hub import constants
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save

from tests.weights.hub_server import HubServer
from xfv_core import Verifier, models
from xfv_core.models import FaceEmbedder, NetworkError, load_model, network_class
from xfv_core.models.iresnet import IResNet
from xfv_core.models.onnx import OnnxModel
from xfv_core.weights.hub import WeightsError, load_bytes
from xfv_core.weights.manifest import Manifest, ModelCard, load_manifest

HUB_ONLY = ["adaface_ir18", "auraface", "sface_fp32"]


def cells() -> bytes:
    """A file of AuraFace's shapes, (n,3,112,112) -> (n,48): the means of 4 x 4 cells."""
    nodes = [
        helper.make_node("AveragePool", ["x"], ["m"], kernel_shape=[28, 28], strides=[28, 28]),
        helper.make_node("Flatten", ["m"], ["f"]),
        helper.make_node("Sub", ["f", "c"], ["out"]),
    ]
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 112, 112])
    given = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 48])
    held = [numpy_helper.from_array(torch.linspace(-0.5, 0.5, 48).numpy(), "c")]
    graph = helper.make_graph(nodes, "cells", [taken], [given], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    file = io.BytesIO()
    onnx.save_model(model, file)
    return file.getvalue()


def iresnet18() -> tuple[IResNet, bytes]:
    """A network of AdaFace IR-18's shapes and CVLFace's names, with random weights."""
    torch.manual_seed(0)
    network = IResNet(18, projected=False).eval()
    layers = ("bn1", "conv1", "bn2", "prelu", "conv2", "bn3")
    named = {}
    for name, value in network.state_dict().items():
        for ours, theirs in (("stem", "input_layer"), ("features", "output_layer.4"),
                             ("fc", "output_layer.3")):  # fmt: skip
            if name.startswith(f"{ours}."):
                name = f"{theirs}.{name.removeprefix(ours + '.')}"
        if name.startswith("bn."):
            name = f"output_layer.0.{name.removeprefix('bn.')}"
        for index, layer in enumerate(layers):
            name = name.replace(f".{layer}.", f".res_layer.{index}.") if "body." in name else name
        named[f"model.net.{name.replace('.shortcut.', '.shortcut_layer.')}"] = value
    return network, save({name: value.contiguous() for name, value in named.items()})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        from_here = partial(load_bytes, endpoint=server.endpoint)
        monkeypatch.setattr(models, "load_bytes", from_here)
        yield server


def served(hub: HubServer, name: str, data: bytes) -> Manifest:
    """The manifest with the hash of ``data``, which the Hub has under the entry's pin."""
    card = load_manifest().card(name)
    assert card.hub is not None
    hub.add(card.hub.repo_id, card.hub.revision, card.hub.filename, data)
    length = None if card.bytes is None else len(data)
    return load_manifest().changed(name, sha256=hashlib.sha256(data).hexdigest(), bytes=length)


def faces() -> torch.Tensor:
    return torch.rand(3, 3, 112, 112, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["auraface", "sface_fp32"])
def test_an_onnx_file_comes_from_the_hub_and_is_fed_as_its_entry_says(
    hub: HubServer, name: str
) -> None:
    model = load_model(name, manifest=served(hub, name, cells()))
    assert isinstance(model, OnnxModel) and (model.name, model.embedding_dim) == (name, 48)
    mean, std = {"auraface": (127.5, 127.5), "sface_fp32": (0, 1)}[name]
    prepared = (faces() * 255 - mean) / std
    expected = torch.nn.functional.avg_pool2d(prepared, 28).flatten(1)
    expected = expected - torch.linspace(-0.5, 0.5, 48)
    assert torch.allclose(model.raw(faces()), expected, atol=1e-3)


def test_adaface_comes_from_the_hub_by_cvlfaces_names(hub: HubServer) -> None:
    network, data = iresnet18()
    model = load_model("adaface_ir18", manifest=served(hub, "adaface_ir18", data))
    assert isinstance(model, IResNet) and model.preparation.channels == "rgb"
    with torch.inference_mode():
        assert torch.allclose(model.embed(faces()), network.embed(faces()), atol=1e-5)


@pytest.mark.parametrize("name", HUB_ONLY)
def test_another_file_than_the_pinned_one_is_refused(hub: HubServer, name: str) -> None:
    card = load_manifest().card(name)
    assert card.hub is not None
    data = cells().ljust(card.bytes or 0, b"\0") if (card.bytes or 0) < 50_000_000 else cells()
    hub.add(card.hub.repo_id, card.hub.revision, card.hub.filename, data)
    with pytest.raises(WeightsError, match=r"\((bytes|sha256): expected "):
        load_model(name)


@pytest.mark.parametrize("name", HUB_ONLY)
def test_their_methods_are_known_before_anything_is_fetched(hub: HubServer, name: str) -> None:
    fitting = Verifier(device="cpu").methods_for(name, "study")
    gradients = ["occlusion", "fggb", "xssab", "corrrise", "gradcam", "random"]
    assert fitting == (gradients if name == "adaface_ir18" else ["occlusion", "corrrise", "random"])
    assert hub.count() == 0


def beside(tmp_path: Path, data: bytes, **changes: object) -> Manifest:
    """A manifest of one network in a file beside it."""
    (tmp_path / "mine.onnx").write_bytes(data)
    given = load_manifest().card("auraface")
    card = replace(given, name="mine", hub=None, bundled="mine.onnx", bytes=len(data),
                   sha256=hashlib.sha256(data).hexdigest())  # fmt: skip
    card = replace(card, **changes)  # type: ignore[arg-type]
    return Manifest("mine", {"mine": card}, tmp_path)


def model_of(manifest: Manifest) -> FaceEmbedder:
    return load_model("mine", manifest=manifest)


def test_an_onnx_file_beside_the_manifest_is_read_as_pinned(tmp_path: Path) -> None:
    manifest = beside(tmp_path, cells(), config={"channels": "bgr", "output_name": "out"})
    assert model_of(manifest).embedding_dim == 48
    (tmp_path / "mine.onnx").write_bytes(cells() + b"\0")
    with pytest.raises(WeightsError, match=r"mine\.onnx is missing or damaged"):
        model_of(manifest)


def test_a_link_to_an_onnx_file_outside_the_folder_is_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside.onnx"
    inside.mkdir()
    manifest = beside(inside, cells())
    (inside / "mine.onnx").replace(outside)
    (inside / "mine.onnx").symlink_to(outside)
    with pytest.raises(WeightsError, match="lies outside"):
        model_of(manifest)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": {"normalise": True}}, "mine: config: unknown key 'normalise'; known are"),
        ({"arch": "timm", "bundled": "mine.safetensors", "config": {"size": 64}},
         "mine: input.size is 112, but config.size 64"),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_is_refused_unloaded(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(NetworkError, match=said):
        network_class(beside(tmp_path, cells(), **changes).card("mine"))


def test_a_size_that_the_file_has_not_is_refused(tmp_path: Path) -> None:
    manifest = beside(tmp_path, cells())
    card: ModelCard = manifest.card("mine")
    wrong = replace(card, input=replace(card.input, size=96))
    with pytest.raises(Exception, match="mine takes 112 px, not 96"):
        model_of(replace(manifest, models={"mine": wrong}))
