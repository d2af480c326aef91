"""``weights.json`` <-> frozen dataclasses, validated.

Each entry says where a model's weights are, the one hash they may have, how a face is prepared for
the network, under which licence they come and how its similarity was calibrated.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

from xfv_core.errors import XfvError

ROOT = Path(__file__).resolve().parents[2]
_IN_WHEEL = ROOT / "xfv_core" / "weights.json"  # pyproject.toml puts the checkout's file there
MANIFEST_PATH = _IN_WHEEL if _IN_WHEEL.is_file() else ROOT / "weights.json"

_WIDTH = 100
_T = TypeVar("_T")


class ManifestError(XfvError):
    """``weights.json`` says something that cannot be; the message names the place."""


@dataclass(frozen=True)
class HubFile:
    """One file at one commit of a model repository on the Hub."""

    repo_id: str
    revision: str
    filename: str

    def __post_init__(self) -> None:
        _matches("repo_id", self.repo_id, r"\w[\w.-]*/\w[\w.-]*", "the form owner/name")
        _matches("revision", self.revision, r"[0-9a-f]{40}", "a commit of 40 hex digits")
        _safetensors_path("filename", self.filename)

    def __str__(self) -> str:
        return f"{self.filename} of {self.repo_id} at revision {self.revision}"


@dataclass(frozen=True)
class InputSpec:
    """What the network wants to see.

    ``size``: side of the square crop in px. ``crop``: ``template`` for the five-point template,
    ``box`` for the detector's box stretched to a square, ``square`` for the square around it.
    ``margin``: px added to a box or square, both sides together, measured at ``size``; 0 for the
    template. ``normalisation``: text, for x in [0,1]; the model
    does it itself.
    """

    size: int
    crop: Literal["template", "box", "square"]
    normalisation: str
    margin: float = 0

    def __post_init__(self) -> None:
        _positive("size", self.size)
        if self.crop not in ("template", "box", "square"):
            raise ManifestError(f"crop must be 'template', 'box' or 'square', not {self.crop!r}.")
        _text("normalisation", self.normalisation)
        if not _is_number(self.margin) or not 0 <= self.margin < self.size:
            raise ManifestError(f"margin must be px from 0 up to size, not {self.margin!r}.")
        if self.crop == "template" and self.margin:
            raise ManifestError("margin belongs to box crops; the template has its own.")


@dataclass(frozen=True)
class ModelCard:
    """Everything about one model that is not code.

    ``hub`` may be None while nobody has published the weights, ``bundled`` (a path below the
    repository root) where they are too large to ship; one of them is there. ``calibration`` is
    written by ``python -m xfv_core calibrate`` and None until then; ``indicative_threshold`` is
    somebody else's published figure: ``{"metric", "value", "source"}``. ``training``: how a
    network of ours came about (command, data, seed, steps). ``results``: by pair list, what
    ``python -m xfv_core evaluate --store`` measured. ``parts``: what single channels find, by
    ``python -m xfv_core parts --store``. ``groups``: false matches by group, by
    ``python -m xfv_core groups --store``.
    """

    name: str
    title: str
    arch: str
    config: Mapping[str, Any]
    hub: HubFile | None
    bundled: str | None
    sha256: str
    bytes: int
    license: str
    source: str
    trained_on: str
    input: InputSpec
    paper: str = ""
    notes: str = ""
    indicative_threshold: Mapping[str, Any] | None = None
    calibration: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None
    results: Mapping[str, Any] | None = None
    parts: Mapping[str, Any] | None = None
    groups: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        _matches("name", self.name, r"[a-z][a-z0-9_]*", "lower-case letters, digits and _")
        for key in ("title", "arch", "license", "source", "trained_on"):
            _text(key, getattr(self, key))
        for key in ("paper", "notes"):
            _text(key, getattr(self, key), empty=True)
        _mapping("config", self.config)
        _matches("sha256", self.sha256, r"[0-9a-f]{64}", "64 lower-case hex digits")
        _positive("bytes", self.bytes)
        if self.bundled is not None:
            _safetensors_path("bundled", self.bundled)
        if self.hub is None and self.bundled is None:
            raise ManifestError("hub and bundled are both null, so there are no weights to load.")
        for key in ("calibration", "training", "results", "parts", "groups"):
            if getattr(self, key) is not None:
                _mapping(key, getattr(self, key))
        if self.indicative_threshold is not None:
            _indicative(self.indicative_threshold)

    @property
    def indicative_similarity(self) -> float:
        """The published threshold as a cosine similarity; ManifestError where there is none."""
        match self.indicative_threshold:
            case {"metric": "cosine similarity", "value": value}:
                return float(value)
            case {"metric": "cosine distance", "value": value}:
                return 1 - float(value)
        raise ManifestError(
            f"No cosine threshold is published for {self.name}: run python -m xfv_core calibrate."
        )


@dataclass(frozen=True)
class Manifest:
    """All models in the order of the file, and the name of the one used unless told otherwise."""

    default: str
    models: Mapping[str, ModelCard]

    def __post_init__(self) -> None:
        if self.default not in self.models:
            raise ManifestError(f"default: there is no model {self.default!r} in models.")

    def card(self, name: str) -> ModelCard:
        """The entry of that name; ManifestError lists the names there are."""
        if name not in self.models:
            raise ManifestError(
                f"There is no model {name!r}; choose from {', '.join(self.models)}."
            )
        return self.models[name]

    def changed(self, name: str, **parts: Any) -> Manifest:
        """A copy with parts of that model's entry replaced; save it with :func:`save_manifest`."""
        card = replace(self.card(name), **parts)
        return replace(self, models={**self.models, name: card})


def load_manifest(path: Path | None = None) -> Manifest:
    """Read and check a manifest (the repository's ``weights.json`` unless told otherwise).

    Raises ManifestError with file, place and reason, one sentence.
    """
    path = path or MANIFEST_PATH
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        return _manifest(value)
    except OSError as error:
        raise ManifestError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path} is not valid JSON: {error}.") from error
    except ManifestError as error:
        raise ManifestError(f"{path.name}: {error}") from error


def save_manifest(manifest: Manifest, path: Path | None = None) -> None:
    """Write a manifest; equal manifests give equal bytes, all of them or none."""
    path = path or MANIFEST_PATH
    models = {name: _entry(card) for name, card in manifest.models.items()}
    text = _pretty({"default": manifest.default, "models": models}) + "\n"
    data = text.encode("utf-8")
    scratch = path.with_name(path.name + ".new")
    scratch.write_bytes(data)
    scratch.replace(path)


def _manifest(value: Any) -> Manifest:
    _keys(value, {"default", "models"}, {"default", "models"}, "the file")
    _mapping("models", value["models"])
    models = {}
    for name, entry in value["models"].items():
        with _at(f"models.{name}"):
            models[name] = _card(name, entry)
    return Manifest(default=value["default"], models=models)


def _card(name: str, entry: Any) -> ModelCard:
    _mapping("the entry", entry)
    if "name" in entry:
        raise ManifestError("unknown key 'name': the key in models is the name.")
    parts = dict(entry)
    if parts.get("hub") is not None:
        with _at("hub"):
            parts["hub"] = _build(HubFile, entry["hub"])
    if "input" in parts:
        with _at("input"):
            parts["input"] = _build(InputSpec, entry["input"])
    return _build(ModelCard, {"name": name, **parts})


def _build(kind: Callable[..., _T], value: Any) -> _T:
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    needed = {f.name for f in fields(kind) if f.default is MISSING}  # type: ignore[arg-type]
    _keys(value, known, needed, "the entry")
    return kind(**value)


@contextmanager
def _at(place: str) -> Iterator[None]:
    try:
        yield
    except ManifestError as error:
        raise ManifestError(f"{place}: {error}") from error


def _entry(card: ModelCard) -> dict[str, Any]:
    entry = {f.name: getattr(card, f.name) for f in fields(card) if f.name != "name"}
    entry["hub"] = None if card.hub is None else vars(card.hub)
    entry["input"] = vars(card.input)
    return entry


def _keys(value: Any, known: set[str], needed: set[str], what: str) -> None:
    _mapping(what, value)
    if unknown := sorted(set(value) - known):
        raise ManifestError(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}.")
    if missing := sorted(needed - set(value)):
        raise ManifestError(f"the key {missing[0]!r} is missing.")


def _matches(key: str, value: Any, pattern: str, want: str) -> None:
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise ManifestError(f"{key} must be {want}, not {value!r}.")


def _text(key: str, value: Any, *, empty: bool = False) -> None:
    if not isinstance(value, str) or not (empty or value.strip()):
        raise ManifestError(f"{key} must be text, not {value!r}.")


def _mapping(key: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise ManifestError(f"{key} must be an object, not {value!r}.")


def _positive(key: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ManifestError(f"{key} must be a positive whole number, not {value!r}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _safetensors_path(key: str, value: Any) -> None:
    _text(key, value)
    path = PurePosixPath(value)
    clean = str(path) == value and ".." not in path.parts and not re.search(r"[\\:\x00]", value)
    if path.is_absolute() or not clean:
        raise ManifestError(f"{key} must be a relative path without '..' or '\\', not {value!r}.")
    if path.suffix != ".safetensors":
        raise ManifestError(f"{key} must name a .safetensors file, not {value!r}.")


def _indicative(value: Any) -> None:
    keys = {"metric", "value", "source"}
    _keys(value, keys, keys, "indicative_threshold")
    _text("indicative_threshold.metric", value["metric"])
    _text("indicative_threshold.source", value["source"])
    if not _is_number(value["value"]):
        raise ManifestError(f"indicative_threshold.value must be a number, not {value['value']!r}.")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ManifestError(f"the key {twice[0]!r} occurs twice in one object.")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise ManifestError(f"{name} is not a number that JSON knows.")


def _pretty(value: Any, indent: int = 0, used: int = 0) -> str:
    """JSON with short objects and lists on one line, and long rows of numbers wrapped."""
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list | tuple) or indent + used + len(flat) < _WIDTH:
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        keys = [json.dumps(key, ensure_ascii=False) + ": " for key in value]
        rows = [
            pad + key + _pretty(item, indent + 2, len(key))
            for key, item in zip(keys, value.values(), strict=True)
        ]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    if all(_is_number(item) for item in value):
        body = textwrap.fill(flat[1:-1], _WIDTH, initial_indent=pad, subsequent_indent=pad)
    else:
        body = ",\n".join(pad + _pretty(item, indent + 2) for item in value)
    return "[\n" + body + "\n" + " " * indent + "]"
