"""Any face network as an ONNX file, run by ONNX Runtime; nothing in the file is executed as code.

Such a network is a black box: occlusion, CorrRISE, fidelity and agreement need no more. Gradients
do not pass through it.
"""

from __future__ import annotations

import hashlib
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from xfv_core.models.preparation import (
    Channels,
    ForeignModelError,
    Preparation,
    check_embeddings,
)
from xfv_core.models.registry import register
from xfv_core.weights.manifest import ONNX, ModelCard

MAX_BYTES = 1_000_000_000  # protobuf's own limit is two
SIDES = range(32, 513)
CONFIG = {"channels", "mean", "std", "input_name", "output_name"}  # what an entry may say


@register(ONNX)
class OnnxModel:
    """A ``FaceEmbedder``: (B,3,S,S) RGB in [0,1] -> (B,D) unit embeddings, by an ONNX file.

    Attributes
    ----------
    sha256 : of the file that was read.
    preparation : how pixels are prepared; its size is what the file declares.
    """

    device = torch.device("cpu")  # where tensors are handed over; ONNX Runtime may use a GPU

    def __init__(
        self,
        file: str | PathLike[str] | bytes,
        *,
        name: str = "",
        channels: Channels = "rgb",
        mean: float = 127.5,
        std: float = 127.5,
        size: int | None = None,
        input_name: str | None = None,
        output_name: str | None = None,
        sha256: str | None = None,
    ) -> None:
        """Read and check the file, given by its path or its bytes; ForeignModelError says what
        does not fit.

        ``size``: needed only where the file leaves its height and width open. ``sha256``: what the
        file must have. A file that keeps its weights in other files is refused.
        """
        path = Path("network.onnx" if isinstance(file, bytes) else file)
        self.name = name or path.stem.lower()
        data = file if isinstance(file, bytes) else _read(path)
        self.sha256 = hashlib.sha256(data).hexdigest()
        if sha256 is not None and sha256 != self.sha256:
            raise ForeignModelError(
                f"{path.name} has the sha256 {self.sha256}, not {sha256}; "
                "it is another file than the one that was asked for."
            )
        self._session = _session(data, path.name)
        taken = _chosen(self._session.get_inputs(), input_name, "input", self.name)
        self._input, self._batch = taken.name, _fixed(taken.shape[0])
        self._output = _chosen(self._session.get_outputs(), output_name, "output", self.name).name
        self.preparation = Preparation(_side(taken, size, self.name), channels, mean, std)
        self.input_size = self.preparation.size
        probe = self.raw(torch.full((2, 3, self.input_size, self.input_size), 0.5))
        check_embeddings(probe, 2, self.name)
        self.embedding_dim = probe.shape[1]

    @classmethod
    def from_bytes(cls, card: ModelCard, data: bytes, folder: Path) -> OnnxModel:
        """The network of an entry of a manifest; see `FaceModel.from_bytes`."""
        return cls(data, name=card.name, size=card.input.size, **card.config)

    @classmethod
    def kind(cls, card: ModelCard) -> type[OnnxModel]:
        """See `FaceModel.kind`."""
        return cls

    @classmethod
    def check(cls, card: ModelCard) -> None:
        """See `FaceModel.check`."""
        if unknown := sorted(set(card.config) - CONFIG):
            raise ValueError(f"config: unknown key {unknown[0]!r}; known are {sorted(CONFIG)}")

    def raw(self, x: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,D) as the file gives it."""
        prepared = self.preparation(x).float().cpu().numpy()
        size = self._batch or len(prepared)
        rows = [self._run(prepared[start : start + size], size)
                for start in range(0, len(prepared), size)]  # fmt: skip
        return torch.from_numpy(np.concatenate(rows))

    def embed(self, x: Tensor) -> Tensor:
        """(B,3,S,S) RGB in [0,1] -> (B,D) float32, L2-normalised."""
        return functional.normalize(self.raw(x).float(), dim=1)

    def _run(self, part: np.ndarray, size: int) -> np.ndarray:
        """(n,3,S,S), n <= size -> (n,...); a file of a fixed batch gets copies of the last face."""
        missing = size - len(part)
        full = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
        try:
            (found,) = self._session.run([self._output], {self._input: full})
        except Exception as problem:  # ONNX Runtime's errors have no common class
            reason = str(problem).splitlines()[0][:200]
            raise ForeignModelError(f"{self.name} cannot be run: {reason}") from problem
        if found.ndim > 2 and found.size == len(found) * max(found.shape[1:]):  # (n,D,1,1)
            found = found.reshape(len(found), -1)
        return found[: len(part)]


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ForeignModelError(f"There is no file {path.name!r}; check the path.")
        if path.stat().st_size > MAX_BYTES:
            raise ForeignModelError(
                f"{path.name} has {path.stat().st_size / 1e9:.1f} GB; at most "
                f"{MAX_BYTES / 1e9:.0f} GB are read."
            )
        return path.read_bytes()
    except OSError as problem:
        raise ForeignModelError(f"{path.name} cannot be read: {problem.strerror}.") from problem


def _session(data: bytes, file: str) -> Any:
    """A session of ONNX Runtime; the file's list of inputs is mended where that helps."""
    try:
        import onnx
        import onnxruntime
    except ImportError as problem:
        raise ForeignModelError(
            "ONNX files need two packages: pip install 'xfv[onnx]'."
        ) from problem
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    # waiting threads would keep a core that torch or another process could use: half its speed
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = onnxruntime.get_available_providers()
    try:
        session = onnxruntime.InferenceSession(data, options, providers=providers)
        if len(session.get_inputs()) > 1:
            graph = onnx.load_model_from_string(data)
            data = _without_idle_inputs(graph).SerializeToString()
            session = onnxruntime.InferenceSession(data, options, providers=providers)
        return session
    except Exception as problem:  # ONNX Runtime's errors have no common class
        reason = " ".join(str(problem).split())[:200]
        raise ForeignModelError(
            f"{file} is no network that ONNX Runtime can load: {reason}"
        ) from problem


def _without_idle_inputs(network: Any) -> Any:
    """Take from the list of inputs what no node takes, or what the file itself holds.

    OpenCV's quantiser leaves the names of the weights there, which would then have to be given.
    """
    graph = network.graph
    used = {name for node in graph.node for name in node.input}
    held = {each.name for each in graph.initializer}
    for listed in [each for each in graph.input if each.name in held or each.name not in used]:
        graph.input.remove(listed)
    return network


def _chosen(found: list[Any], wanted: str | None, what: str, who: str) -> Any:
    """The one, or the named, input or output."""
    names = [each.name for each in found]
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted not in names:
        said = f"has no {what} {wanted!r}" if wanted else f"has {len(found)} {what}s"
        raise ForeignModelError(f"{who} {said}; name one of {', '.join(names)} as {what}_name.")
    return found[names.index(wanted)]


def _fixed(dimension: Any) -> int | None:
    """A batch size that the file prescribes, or None."""
    return dimension if isinstance(dimension, int) and dimension > 0 else None


def _side(taken: Any, size: int | None, who: str) -> int:
    """The side of its square input."""
    shape = list(taken.shape)
    if taken.type != "tensor(float)" or len(shape) != 4 or _fixed(shape[1]) not in (3, None):
        raise ForeignModelError(
            f"{who} takes {taken.type} of shape {shape}; a face network takes float32 "
            "of batch x 3 x side x side."
        )
    height, width = (_fixed(dimension) for dimension in shape[2:])
    if height != width:
        raise ForeignModelError(f"{who} takes {height} x {width} px; only squares can be used.")
    if height and size and height != size:
        raise ForeignModelError(f"{who} takes {height} px, not {size}.")
    side = height or size
    if side is None:
        raise ForeignModelError(f"{who} leaves the side of its input open; say it with size=.")
    if side not in SIDES:
        raise ForeignModelError(
            f"{who} takes {side} px; faces of {SIDES[0]} to {SIDES[-1]} px can be given."
        )
    return side
