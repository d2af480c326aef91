"""Our SFace is the OpenCV Zoo's SFace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from scripts.convert_sface import convert, read_onnx
from xfv_core.models import FaceModel, embed_all, load_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sface() -> FaceModel:
    return load_model("sface")


@pytest.fixture(scope="module")
def original() -> onnx.ModelProto:
    """The original network, out of a package of the dev requirements."""
    return onnx.load_model_from_string(read_onnx())


def test_embeddings_equal_onnx_runtime(sface: FaceModel, original: onnx.ModelProto) -> None:
    for extra in [i for i in original.graph.input if i.name != "data"]:
        original.graph.input.remove(extra)  # initialisers listed as inputs, which would be required
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(original.SerializeToString())
    x = torch.rand(4, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    x[1] = x[1].round()  # hard edges and saturated values
    x[2] *= 0.02
    ours = embed_all(sface, x, fast=False).numpy()
    for row, photo in zip(ours, x, strict=True):
        theirs = session.run(None, {"data": (photo[None] * 255).numpy()})[0][0]
        assert 1 - row @ theirs / np.linalg.norm(theirs) < 1e-4


def test_the_bundled_file_is_what_the_script_writes(
    original: onnx.ModelProto, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    arrays = {i.name: onnx.numpy_helper.to_array(i) for i in original.graph.initializer}
    bundled = load_file(ROOT / "xfv_core" / "weights" / "sface.safetensors")
    fresh = convert(arrays)
    assert fresh.keys() == bundled.keys()
    assert all(torch.equal(fresh[name], bundled[name]) for name in fresh)


def test_embeddings_are_unit_length_and_deterministic(sface: FaceModel) -> None:
    x = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(1))
    first, second = embed_all(sface, x, fast=False), embed_all(sface, x, fast=False)
    assert torch.equal(first, second)
    assert torch.allclose(first.norm(dim=1), torch.ones(2), atol=1e-6)


def test_low_precision_moves_a_similarity_by_less_than_a_hundredth(sface: FaceModel) -> None:
    x = torch.rand(8, 3, 112, 112, generator=torch.Generator().manual_seed(2))
    exact, fast = embed_all(sface, x, fast=False), embed_all(sface, x)
    assert (exact @ exact.T - fast @ fast.T).abs().max() < 0.01


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="oneDNN is not built in")
def test_a_single_core_computes_all_layers_by_onednn(
    sface: FaceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convolutions() -> set[str]:
        with (
            torch.inference_mode(),
            profile(activities=[ProfilerActivity.CPU], acc_events=True) as watched,
        ):
            sface.embed(torch.rand(1, 3, 112, 112))
        return {e.key for e in watched.key_averages() if e.key.endswith("conv2d_forward")}

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert not convolutions()
        for layer in sface.modules():
            if isinstance(layer, nn.Conv2d):
                monkeypatch.setattr(layer, "dilation", (1, 1))
        assert convolutions()  # PyTorch's own, once it takes oneDNN by itself this can all go
    finally:
        torch.set_num_threads(threads)


def test_the_bundled_file_fits_a_space_without_large_file_storage() -> None:
    assert (ROOT / "xfv_core" / "weights" / "sface.safetensors").stat().st_size <= 10 * 2**20
