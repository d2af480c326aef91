"""weights.json: what is accepted, what is refused in which words, and that saving loses nothing."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from xfv_core.errors import XfvError
from xfv_core.weights.manifest import (
    MANIFEST_PATH,
    ManifestError,
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
        ("models.net.bundled", "weights/net.pt", "bundled must name a .safetensors file"),
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
            "models.net.hub.filename must name a .safetensors file",
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
