"""Verification files are pickles: the honest ones are read, the others refused unexecuted."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from xfv_core.evaluation.data.bins import BinError, read_bin
from xfv_core.evaluation.data.pairs import PhotoStore, read_pairs


def picture(level: int) -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", (4, 4), (level,) * 3).save(memory, "JPEG")
    return memory.getvalue()


PHOTOS = [picture(20 * i) for i in range(8)]
SAME = [True, False, True, False]


def written(folder: Path, content: object, protocol: int = 4) -> Path:
    path = folder / "set.bin"
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("as_arrays", [False, True])
def test_photos_and_flags_come_back(tmp_path: Path, protocol: int, as_arrays: bool) -> None:
    photos = [np.frombuffer(p, np.uint8) for p in PHOTOS] if as_arrays else PHOTOS
    same = np.array(SAME) if as_arrays else SAME
    path = written(tmp_path, (photos, same), protocol)
    pairs = read_pairs(path)
    assert pairs.labels.tolist() == SAME and pairs.folds is None and pairs.root == path
    with PhotoStore(path) as store:
        assert [store.read(name) for name in pairs.paths_a] == PHOTOS[0::2]
        assert [store.read(name) for name in pairs.paths_b] == PHOTOS[1::2]
        assert store.names == sorted([*pairs.paths_a, *pairs.paths_b])
        assert "000008" not in store


def test_a_file_of_python_2_is_read(tmp_path: Path) -> None:
    # protocol 2 with 8-bit strings, as the files in the field are: SHORT_BINSTRING, not BINBYTES
    strings = b"".join(b"U" + bytes([len(p[:200])]) + p[:200] for p in PHOTOS)
    path = tmp_path / "old.bin"
    path.write_bytes(b"\x80\x02](" + strings + b"e](\x88\x89\x88\x89e\x86.")
    photos, same = read_bin(path)
    assert same == SAME
    assert photos["000003"] == PHOTOS[3][:200]


def test_ten_consecutive_folds_as_everybody_evaluates_them(tmp_path: Path) -> None:
    pairs = read_pairs(written(tmp_path, (PHOTOS * 10, SAME * 10)))
    assert pairs.folds is not None
    assert pairs.folds.tolist() == [i // 4 for i in range(40)]


class Runs:
    """Unpickling it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


class Calls:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def test_a_program_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for content in (Runs(trap), ([Runs(trap)], SAME), (PHOTOS, Runs(trap))):
        with pytest.raises(BinError, match=r"asks for .*mkdir"):
            read_bin(written(tmp_path, content))
    assert not trap.exists()


@pytest.mark.parametrize(
    "hostile",
    [
        Calls(eval, "1"),
        Calls(getattr, "x", "upper"),
        Calls(np.load, "x"),
        Calls(np.array, [1]),
        np.array([{"a": 1}], dtype=object),
        np.zeros(3, np.float64),
        np.zeros(3, "V8"),
        np.rec.array([(1, 2)], dtype=[("a", "u1"), ("b", "u1")]),
        {"photos": PHOTOS},
        bytearray(b"x"),
        frozenset({1}),
        range(3),
        Path("/etc/passwd"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_refused(tmp_path: Path, hostile: object) -> None:
    for content in (hostile, ([hostile] * 8, SAME), (PHOTOS, hostile), ([*PHOTOS, hostile], SAME)):
        with pytest.raises(BinError):
            read_bin(written(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [(PHOTOS, SAME[:3]), (PHOTOS[:7], SAME), ([], []), PHOTOS, (PHOTOS,), (PHOTOS, [1, 0, 1, 0]),
     (PHOTOS, b"\x01\x00\x01\x00"), (PHOTOS, SAME, SAME)],
)  # fmt: skip
def test_wrong_counts_and_kinds_are_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(BinError):
        read_bin(written(tmp_path, content))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_damaged_files_are_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    path = tmp_path_factory.mktemp("noise") / "set.bin"
    good = pickle.dumps((PHOTOS, SAME))
    path.write_bytes(good[:at] + noise)
    with pytest.raises(BinError, match=r"set\.bin"):
        read_bin(path)
    with pytest.raises(BinError, match="cannot be read"):
        read_bin(path.with_name("none.bin"))
