"""weights.json: what is accepted, what is refused in which words, and that saving loses nothing."""

from __future__ import annotations

import json
import string
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xfv_core.errors import XfvError
from xfv_core.weights.figures import keep_figures
from xfv_core.weights.hub import read_pinned
from xfv_core.weights.manifest import (
    MANIFEST_PATH,
    Manifest,
    ManifestError,
    change_entry,
    keep_calibration,
    keep_parts,
    load_manifest,
    save_manifest,
)

ENTRY: dict[str, Any] = {
    "title": "A net",
    "arch": "net",
    "config": {"width": 8},
    "hub": {"repo_id": "owner/name", "revision": "a" * 40, "filename": "model.safetensors"},
    "bundled": "xfv_core/weights/net.safetensors",
    "sha256": "0" * 64,
    "bytes": 12,
    "license": "MIT",
    "source": "here",
    "trained_on": "nothing",
    "input": {"size": 112, "crop": "template", "normalisation": "x"},
    "calibration": None,
}
GONE = object()


def written(folder: Path, value: Any) -> Path:
    path = folder / "weights.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def with_change(place: str, value: Any) -> dict[str, Any]:
    file = {"default": "net", "models": {"net": deepcopy(ENTRY)}}
    *parents, last = place.split(".")
    inner: Any = file
    for key in parents:
        inner = inner[key]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    return file


def test_the_repository_manifest_loads_and_is_saved_to_the_same_bytes(tmp_path: Path) -> None:
    save_manifest(load_manifest(), tmp_path / "copy.json")
    assert (tmp_path / "copy.json").read_bytes() == MANIFEST_PATH.read_bytes()


def test_the_facenet_entry_pins_the_published_file() -> None:
    card = load_manifest().card("facenet")
    assert card.hub is not None
    assert card.hub.repo_id == "py-feat/facenet"
    assert card.hub.revision == "e2b51c6f01b706e9deceb4608b269d751219604d"
    assert card.sha256 == "060b24840d57519af854efb1c1d86f110842a1312220afbde4aebb0df1448c9d"
    assert (card.bytes, card.input.size, card.input.crop) == (111_831_500, 160, "box")
    assert "non-commercial" in card.license
    assert card.indicative_threshold is not None
    assert card.indicative_threshold.value == 0.30


def test_an_entry_becomes_a_card_with_its_key_as_name(tmp_path: Path) -> None:
    card = load_manifest(written(tmp_path, with_change("default", "net"))).card("net")
    assert card.name == "net"
    assert card.config == {"width": 8}
    assert card.hub is not None
    assert str(card.hub) == f"model.safetensors of owner/name at revision {'a' * 40}"
    assert card.input.margin == 0
    assert card.paper == card.notes == ""


@pytest.mark.parametrize("place", ["hub", "bundled"])
def test_either_hub_or_bundled_may_be_missing(tmp_path: Path, place: str) -> None:
    card = load_manifest(written(tmp_path, with_change(f"models.net.{place}", None))).card("net")
    assert getattr(card, place) is None


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("surprise", 1, "unknown key 'surprise'"),
        ("default", GONE, "the key 'default' is missing"),
        ("default", "other", "there is no model 'other'"),
        ("models", [], "models must be an object"),
        ("models.Net", ENTRY, "models.Net.name must be lower-case"),
        ("models.net", 3, "models.net must be an object"),
        ("models.net.colour", "red", "models.net: unknown key 'colour'"),
        ("models.net.name", "net", "models.net: unknown key 'name'"),
        ("models.net.sha256", GONE, "models.net: the key 'sha256' is missing"),
        ("models.net.sha256", "0" * 63, "sha256 must be 64 lower-case hex digits"),
        ("models.net.sha256", "A" * 64, "sha256 must be 64 lower-case hex digits"),
        ("models.net.bytes", 0, "bytes must be a positive whole number"),
        ("models.net.bytes", True, "bytes must be a positive whole number"),
        ("models.net.bytes", "12", "bytes must be a positive whole number"),
        ("models.net.title", " ", "title must be text"),
        ("models.net.license", None, "license must be text"),
        ("models.net.config", None, "config must be an object"),
        ("models.net.calibration", [1], "calibration must be an object"),
        ("models.net.calibration", {"curve": "platt"}, "models.net.calibration: the key"),
        ("models.net.figures", {}, "models.net: unknown key 'figures'"),
        ("models.net.paper", 3, "models.net.paper must be text, not 3"),
        ("models.net.parts", {"file": "../x", "sha256": "0" * 64, "bytes": 1}, "parts.file must"),
        ("models.net.bundled", "/etc/net.safetensors", "bundled must be a relative path"),
        ("models.net.bundled", "a/../../net.safetensors", "bundled must be a relative path"),
        ("models.net.bundled", "C:\\net.safetensors", "bundled must be a relative path"),
        ("models.net.bundled", "weights/net.onnx", "net.onnx cannot be a network of the arch"),
        ("models.net.bundled", "../net.onnx", "bundled must be a relative path"),
        ("models.net.bundled", "weights/net.pt", "bundled must name a .safetensors or .onnx file"),
        ("models.net.hub", "owner/name", "models.net.hub must be an object"),
        (
            "models.net.hub.revision",
            "main",
            "models.net.hub.revision must be a commit of 40 hex digits",
        ),
        ("models.net.hub.revision", "a" * 39, "models.net.hub.revision must be a commit"),
        ("models.net.hub.repo_id", "../name", "models.net.hub.repo_id must be the form owner/name"),
        ("models.net.hub.repo_id", "a/b/c", "models.net.hub.repo_id must be the form owner/name"),
        (
            "models.net.hub.filename",
            "../m.safetensors",
            "models.net.hub.filename must be a relative path",
        ),
        (
            "models.net.hub.filename",
            "model.bin",
            "models.net.hub.filename must name a .safetensors or .onnx file",
        ),
        ("models.net.hub.token", "x", "models.net.hub: unknown key 'token'"),
        ("models.net.input.size", 0, "models.net.input.size must be a positive whole number"),
        (
            "models.net.input.crop",
            "tight",
            "models.net.input.crop must be 'template', 'box' or 'square'",
        ),
        ("models.net.input.margin", 14, "models.net.input: margin belongs to box crops"),
        ("models.net.input.margin", -1, "models.net.input: margin must be px from 0 up to size"),
        ("models.net.indicative_threshold", {"value": 1}, "the key 'metric' is missing"),
        (
            "models.net.indicative_threshold",
            {"metric": "cosine distance", "value": "0.3", "source": "x"},
            "indicative_threshold.value must be a number",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    tmp_path: Path, place: str, value: Any, words: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        load_manifest(written(tmp_path, with_change(place, value)))
    assert str(caught.value).startswith("weights.json: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("metric", "similarity"), [("cosine distance", 0.75), ("cosine similarity", 0.25)]
)
def test_a_published_threshold_is_given_as_a_similarity(
    tmp_path: Path, metric: str, similarity: float
) -> None:
    threshold = {"metric": metric, "value": 0.25, "source": "x"}
    file = with_change("models.net.indicative_threshold", threshold)
    card = load_manifest(written(tmp_path, file)).card("net")
    assert card.indicative_similarity == similarity


@pytest.mark.parametrize(
    "threshold", [None, {"metric": "euclidean distance", "value": 0.25, "source": "x"}]
)
def test_without_a_published_cosine_threshold_there_is_no_similarity(
    tmp_path: Path, threshold: Any
) -> None:
    file = with_change("models.net.indicative_threshold", threshold)
    card = load_manifest(written(tmp_path, file)).card("net")
    with pytest.raises(ManifestError, match="No cosine threshold is published for net: run"):
        _ = card.indicative_similarity


def test_a_model_with_neither_hub_nor_bundled_copy_is_refused(tmp_path: Path) -> None:
    file = with_change("models.net.hub", None)
    file["models"]["net"]["bundled"] = None
    with pytest.raises(ManifestError, match="no weights to load"):
        load_manifest(written(tmp_path, file))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"default": "a", "default": "b"}', "'default' occurs twice"),
        ('{"default": NaN}', "NaN is not a number"),
        ("[]", "must be an object"),
    ],
)
def test_text_that_is_no_manifest_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        load_manifest(written(tmp_path, text))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(XfvError, match=r"Cannot read .*none\.json"):
        load_manifest(tmp_path / "none.json")


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ManifestError, match=r"no model 'nobody'.*facenet"):
        load_manifest().card("nobody")


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
