"""What is written to a manifest, and beside it: all of it or nothing, by one process at a time."""

from __future__ import annotations

import string
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.weights.test_manifest import ENTRY, with_change, written
from xfv_core.weights.figures import keep_figures
from xfv_core.weights.hub import read_pinned
from xfv_core.weights.manifest import (
    Manifest,
    ManifestError,
    change_entry,
    keep_calibration,
    keep_parts,
    load_manifest,
    save_manifest,
)


def test_a_calibration_is_written_back_and_changes_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, with_change("models.zebra", ENTRY))
    save_manifest(load_manifest(path), path)
    before = path.read_text(encoding="utf-8")
    calibration = load_manifest().card("sface").calibration
    save_manifest(load_manifest(path).changed("zebra", calibration=calibration), path)
    loaded = load_manifest(path)
    assert list(loaded.models) == ["net", "zebra"]
    assert loaded.card("zebra").calibration == calibration
    assert loaded.card("net").calibration is None
    save_manifest(loaded.changed("zebra", calibration=None), path)
    assert path.read_text(encoding="utf-8") == before


def test_a_calibration_for_nobody_is_refused() -> None:
    with pytest.raises(ManifestError, match="no model 'nobody'"):
        load_manifest().changed("nobody", calibration=None)


def test_a_saved_manifest_keeps_numbers_on_few_lines(tmp_path: Path) -> None:
    manifest = load_manifest().changed("facenet", config={"bins": [0.125] * 200})
    save_manifest(manifest, tmp_path / "w.json")
    lines = (tmp_path / "w.json").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if "0.125" in line]
    assert len(rows) < 20
    assert max(map(len, rows)) <= 100


def test_tuples_are_written_as_lists_are(tmp_path: Path) -> None:
    rows = [{"name": "balanced", "interval": [0.001 * i, 0.5]} for i in range(20)]
    tuples = tuple({**row, "interval": tuple(row["interval"])} for row in rows)  # type: ignore[arg-type]
    for name, value in (("lists", rows), ("tuples", tuples)):
        save_manifest(load_manifest().changed("sface", config={"x": value}), tmp_path / name)
    assert (tmp_path / "lists").read_bytes() == (tmp_path / "tuples").read_bytes()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    save_manifest(load_manifest(), path)
    before = path.read_bytes()
    broken = load_manifest().changed("facenet", config={"x": float("nan")})
    with pytest.raises(ValueError, match="JSON compliant"):
        save_manifest(broken, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


names = st.text(string.ascii_lowercase, min_size=1, max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers()
leaves = st.none() | st.booleans() | numbers | st.text(max_size=30)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.lists(numbers, min_size=20, max_size=30)
        | st.dictionaries(st.text(max_size=10), inner, max_size=6)
    ),
    max_leaves=30,
)


@settings(max_examples=60, deadline=None)
@given(keys=st.lists(names, min_size=1, max_size=5, unique=True), value=values)
def test_saving_and_loading_gives_the_same_manifest_in_the_same_order(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], value: Any
) -> None:
    card = load_manifest().card("facenet")
    models = {key: replace(card, name=key, config={"v": value}) for key in keys}
    manifest = Manifest(default=keys[-1], models=models)
    path = tmp_path_factory.mktemp("manifest") / "w.json"
    save_manifest(manifest, path)
    loaded = load_manifest(path)
    assert loaded == manifest
    assert list(loaded.models) == keys


def test_what_is_measured_goes_to_a_file_of_figures_beside_the_manifest(tmp_path: Path) -> None:
    path = written(tmp_path, with_change("default", "net"))
    calibration = load_manifest().card("sface").whole_calibration
    assert calibration is not None and calibration.comparison
    keep_calibration("net", calibration, path)
    keep_figures("net", tmp_path, results={"LFW": {"n": 10}})
    card = load_manifest(path).card("net")
    assert card.calibration == calibration.served()
    assert card.whole_calibration == calibration
    assert card.figures.results == {"LFW": {"n": 10}}
    assert "comparison" not in path.read_text(encoding="utf-8")


def test_what_channels_find_lies_beside_the_weights_and_is_pinned(tmp_path: Path) -> None:
    path = written(tmp_path, with_change("models.net.bundled", "net.safetensors"))
    keep_parts("net", b"{}", path, {"sets": {}})
    card = load_manifest(path).card("net")
    assert card.parts is not None and read_pinned(card.parts, tmp_path) == b"{}"
    assert card.figures.parts == {"sets": {}}


def test_damaged_figures_are_one_sentence_with_the_place(tmp_path: Path) -> None:
    path = written(tmp_path, with_change("default", "net"))
    keep_figures("net", tmp_path, training={"seed": 1})
    file = tmp_path / "results" / "models" / "net.json"
    file.write_text('{"training": 3}')
    with pytest.raises(ManifestError, match=r"models/net\.json: training must be an object, not 3"):
        load_manifest(path)


def test_two_processes_that_change_entries_lose_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, with_change("models.zebra", ENTRY))

    def note(name: str) -> None:
        for n in range(10):
            change_entry(name, path, notes=f"{name} {n}")

    with ThreadPoolExecutor() as pool:
        list(pool.map(note, ("net", "zebra")))
    notes = [card.notes for card in load_manifest(path).models.values()]
    assert notes == ["net 9", "zebra 9"]
