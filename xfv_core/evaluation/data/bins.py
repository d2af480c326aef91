"""The ``.bin`` verification files common in the field (LFW, CALFW, CPLFW, AgeDB-30, CFP-FP).

Such a file is a pickle of ``(photos, issame)``: 2N encoded pictures and N flags, pair i being
photos 2i and 2i + 1. A pickle can run any program, so this one is read by an unpickler that admits
lists, tuples, bytes, bools and numpy arrays of bytes or bools, and nothing else: every other name
is refused before it is looked up, and so is every other array.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xfv_core.errors import XfvError

BYTE_LIMIT = 2**30


def _latin1_bytes(text: object, encoding: object) -> bytes:
    """What ``_codecs.encode`` is called for in pickles: bytes that protocol 2 wrote as text."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("only latin1 bytes are admitted")
    return text.encode("latin1")


class BinError(XfvError):
    """A ``.bin`` file that is none, or that would do something."""


class _Array:
    """Stands in for an array until its parts are known to be harmless."""

    def __init__(self, *_: object) -> None:
        self.value: Any = None

    def __setstate__(self, state: object) -> None:
        match state:
            case (
                int(),
                tuple() as shape,
                _Dtype() as dtype,
                bool(),
                bytes() | bytearray() as data,
            ):
                self.value = np.frombuffer(data, dtype.value).reshape(shape)
            case _:
                raise pickle.UnpicklingError("an array of something else than bytes")


class _Dtype:
    """An array's type: bytes or bools, whatever else its state says."""

    def __init__(self, code: object, *_: object) -> None:
        if isinstance(code, bytes):
            code = code.decode("ascii", "replace")
        if code not in ("u1", "b1", "i1"):
            raise pickle.UnpicklingError(f"an array of type {code!r}")
        self.value = np.dtype(code)

    def __setstate__(self, state: object) -> None: ...


def _array(*_: object) -> _Array:
    return _Array()


def _array_of(data: object, dtype: object, shape: object, order: object = "C") -> _Array:
    """What protocol 5 makes arrays with."""
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _latin1_bytes,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "_reconstruct"): _array,
    ("numpy.core.numeric", "_frombuffer"): _array_of,
    ("numpy._core.numeric", "_frombuffer"): _array_of,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return ADMITTED[module, name]

    def persistent_load(self, pid: object) -> Any:
        raise pickle.UnpicklingError("it asks for something outside the file")


def read_bin(path: str | Path) -> tuple[dict[str, bytes], list[bool]]:
    """The photos of a ``.bin`` file by name, in their order and still encoded, and its flags.

    Raises BinError, with the reason, for anything that is not such a file.
    """
    path = Path(path)
    try:
        if path.stat().st_size > BYTE_LIMIT:
            raise BinError(f"{path.name} is larger than {BYTE_LIMIT // 2**20} MiB")
        content = _Unpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except BinError:
        raise
    except OSError as error:
        raise BinError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise BinError(f"{path.name} is no file of verification pairs: {error}") from None
    photos, same = _checked(content, path.name)
    return {f"{i:06d}": photo for i, photo in enumerate(photos)}, same


def _checked(content: object, name: str) -> tuple[list[bytes], list[bool]]:
    match content:
        case (photos, same) if isinstance(content, tuple | list):
            pass
        case _:
            raise BinError(f"{name} holds no photos and flags")
    flags = _flags(same)
    pictures = [_bytes(photo) for photo in photos] if isinstance(photos, list | tuple) else []
    if flags is None or None in pictures or not flags or len(pictures) != 2 * len(flags):
        raise BinError(f"{name} does not hold two encoded photos for every flag")
    return [picture for picture in pictures if picture is not None], flags


def _flags(values: object) -> list[bool] | None:
    if isinstance(values, _Array) and values.value is not None:
        values = values.value.astype(bool).tolist()
    if not isinstance(values, Sequence) or isinstance(values, bytes | str):
        return None
    return list(values) if all(isinstance(v, bool) for v in values) else None


def _bytes(value: object) -> bytes | None:
    if isinstance(value, _Array) and value.value is not None:
        return bytes(value.value.tobytes())
    return value if isinstance(value, bytes) else None
