"""``weights.json`` <-> frozen dataclasses, validated.

Each entry says where a model's weights are, the one hash they may have, how a face is prepared for
the network, under which licence they come and how its similarity was calibrated: what serving
needs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass as checked

from xfv_core import strict_json
from xfv_core.confidence.calibration import Calibration
from xfv_core.errors import XfvError
from xfv_core.strict_json import STRICT, JsonError, Positive, Text, wanted
from xfv_core.weights.figures import (
    CalibrationTables,
    Figures,
    FiguresError,
    keep_figures,
    load_figures,
)

ROOT = Path(__file__).resolve().parents[2]
_IN_WHEEL = ROOT / "xfv_core" / "weights.json"  # pyproject.toml puts the checkout's file there
MANIFEST_PATH = _IN_WHEEL if _IN_WHEEL.is_file() else ROOT / "weights.json"
_NOT_IN_FILE = ("name", "figures")


class ManifestError(XfvError):
    """``weights.json`` says something that cannot be; the message names the place."""


def _like(pattern: str) -> Callable[[Any], bool]:
    return lambda x: isinstance(x, str) and bool(re.fullmatch(pattern, x, re.ASCII))


def _relative(value: Any) -> bool:
    if not isinstance(value, str) or not value.strip():
        return False
    path = PurePosixPath(value)
    clean = str(path) == value and ".." not in path.parts and not re.search(r"[\\:\x00]", value)
    return clean and not path.is_absolute()


RelativePath = Annotated[str, wanted(_relative, "be a relative path without '..' or '\\'")]
WeightsPath = Annotated[
    str,
    wanted(lambda x: str(x).endswith(".safetensors"), "name a .safetensors file"),
    wanted(_relative, "be a relative path without '..' or '\\'"),  # asked first
]
Sha256 = Annotated[str, wanted(_like(r"[0-9a-f]{64}"), "be 64 lower-case hex digits")]


@checked(frozen=True, config=STRICT)
class HubFile:
    """One file at one commit of a model repository on the Hub."""

    repo_id: Annotated[str, wanted(_like(r"\w[\w.-]*/\w[\w.-]*"), "be the form owner/name")]
    revision: Annotated[str, wanted(_like(r"[0-9a-f]{40}"), "be a commit of 40 hex digits")]
    filename: WeightsPath

    def __str__(self) -> str:
        return f"{self.filename} of {self.repo_id} at revision {self.revision}"


@checked(frozen=True, config=STRICT)
class PinnedFile:
    """A file beside the weights; ``file`` is relative to the manifest's folder."""

    file: RelativePath
    sha256: Sha256
    bytes: Positive


@checked(frozen=True, config=STRICT)
class InputSpec:
    """What the network wants to see.

    ``size``: side of the square crop in px. ``crop``: ``template`` for the five-point template,
    ``box`` for the detector's box stretched to a square, ``square`` for the square around it.
    ``margin``: px added to a box or square, both sides together, measured at ``size``; 0 for the
    template. ``normalisation``: text, for x in [0,1]; the model does it itself.
    """

    size: Positive
    crop: Annotated[
        Literal["template", "box", "square"],
        wanted(lambda x: x in ("template", "box", "square"), "be 'template', 'box' or 'square'"),
    ]
    normalisation: Text
    margin: float = 0

    def __post_init__(self) -> None:
        if not 0 <= self.margin < self.size:
            raise ValueError(f"margin must be px from 0 up to size, not {self.margin!r}")
        if self.crop == "template" and self.margin:
            raise ValueError("margin belongs to box crops; the template has its own")


@checked(frozen=True, config=STRICT)
class PublishedThreshold:
    """Somebody else's figure, for a network that nobody has calibrated here."""

    metric: Text
    value: float
    source: Text


@checked(frozen=True, config=STRICT)
class ModelCard:
    """Everything about one model that is not code and that serving needs.

    ``hub`` may be None while nobody has published the weights, ``bundled`` (a path below the
    folder of the manifest) where they are too large to ship; one of them is there.
    ``calibration`` is written by ``python -m xfv_core calibrate`` and None until then, ``parts``,
    what single channels find, by ``python -m xfv_core parts``, ``cohort``, the faces that its
    measures compare with, by ``calibrate`` too. ``figures``, no part of the entry:
    what else was measured.
    """

    name: Annotated[str, wanted(_like(r"[a-z][a-z0-9_]*"), "be lower-case letters, digits and _")]
    title: Text
    arch: Text
    config: Mapping[str, Any]
    hub: HubFile | None
    bundled: WeightsPath | None
    sha256: Sha256
    bytes: Positive
    license: Text
    source: Text
    trained_on: Text
    input: InputSpec
    paper: str = ""
    notes: str = ""
    indicative_threshold: PublishedThreshold | None = None
    calibration: Calibration | None = None
    parts: PinnedFile | None = None
    cohort: PinnedFile | None = None
    figures: Figures = field(default_factory=Figures, compare=False)

    def __post_init__(self) -> None:
        if self.hub is None and self.bundled is None:
            raise ValueError("hub and bundled are both null, so there are no weights to load")

    @property
    def whole_calibration(self) -> Calibration | None:
        """The calibration with all that was measured for it."""
        tables = {key: found for key, found in vars(self.figures.calibration).items() if found}
        return self.calibration and replace(self.calibration, **tables)

    @property
    def indicative_similarity(self) -> float:
        """The published threshold as a cosine similarity; ManifestError where there is none."""
        match self.indicative_threshold:
            case PublishedThreshold("cosine similarity", value):
                return value
            case PublishedThreshold("cosine distance", value):
                return 1 - value
        raise ManifestError(
            f"No cosine threshold is published for {self.name}: run python -m xfv_core calibrate."
        )


@dataclass(frozen=True)
class Manifest:
    """All models in the order of the file, and the name of the one used unless told otherwise.

    ``folder``: what the paths in it are relative to, and may not lead out of.
    """

    default: str
    models: Mapping[str, ModelCard]
    folder: Path = field(default=ROOT, compare=False)

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
        """A copy with parts of that model's entry replaced."""
        card = replace(self.card(name), **parts)
        return replace(self, models={**self.models, name: card})


@checked(frozen=True, config=STRICT)
class _File:
    default: str
    models: Mapping[str, ModelCard]


def load_manifest(path: Path | None = None) -> Manifest:
    """Read and check a manifest (the repository's ``weights.json`` unless told otherwise).

    Raises ManifestError with file, place and reason, one sentence.
    """
    folder = ROOT if path in (None, MANIFEST_PATH) else path.parent
    path = path or MANIFEST_PATH
    try:
        file = strict_json.build(_File, _named(strict_json.parse(path.read_text("utf-8"))))
        models = {
            name: replace(card, figures=load_figures(name, folder))
            for name, card in file.models.items()
        }
        return Manifest(file.default, models, folder)
    except OSError as error:
        raise ManifestError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path.name}: it is not valid JSON: {error}.") from error
    except FiguresError as error:
        raise ManifestError(str(error)) from error
    except (JsonError, ManifestError) as error:
        raise ManifestError(f"{path.name}: {error}") from error


def save_manifest(manifest: Manifest, path: Path | None = None) -> None:
    """Write a manifest; equal manifests give equal bytes, all of them or none."""
    models = {name: _entry(card) for name, card in manifest.models.items()}
    text = strict_json.pretty({"default": manifest.default, "models": models})
    strict_json.write_text(path or MANIFEST_PATH, text)


def change_entry(name: str, path: Path | None = None, **parts: Any) -> Manifest:
    """Replace parts of one entry of the file; other processes that do so wait for each other."""
    with strict_json.locked(path or MANIFEST_PATH):
        manifest = load_manifest(path).changed(name, **parts)
        save_manifest(manifest, path)
    return manifest


def keep_calibration(name: str, calibration: Calibration, path: Path | None = None) -> None:
    """What serving needs of it to the manifest, the tables of what was compared to the figures."""
    folder = change_entry(name, path, calibration=calibration.served()).folder
    c = calibration
    keep_figures(name, folder, calibration=CalibrationTables(c.comparison, c.paths, c.degraded))


def keep_cohort(name: str, cohort: bytes, path: Path | None = None) -> None:
    """The cohort to a file beside the weights, pinned."""
    change_entry(name, path, cohort=_keep_beside(name, cohort, ".cohort.safetensors", path))


def keep_parts(name: str, channels: bytes, path: Path | None, figures: Mapping[str, Any]) -> None:
    """What the channels find to a file beside the weights, pinned; the rest to the figures."""
    pin = _keep_beside(name, channels, ".parts.json", path)
    keep_figures(name, change_entry(name, path, parts=pin).folder, parts=figures)


def _keep_beside(name: str, data: bytes, suffix: str, path: Path | None) -> PinnedFile:
    """A file of that suffix beside the model's weights, whole or not at all."""
    manifest = load_manifest(path)
    weights = manifest.card(name).bundled or f"{name}.safetensors"
    file = str(PurePosixPath(weights).with_suffix(suffix))
    strict_json.write_bytes(manifest.folder / file, data)
    return PinnedFile(file, hashlib.sha256(data).hexdigest(), len(data))


def _named(value: Any) -> Any:
    """Each entry with its key as its name."""
    models = value.get("models") if isinstance(value, dict) else None
    if not isinstance(models, dict):
        return value
    for name, entry in models.items():
        for key in _NOT_IN_FILE:
            if isinstance(entry, dict) and key in entry:
                raise ManifestError(f"models.{name}: unknown key {key!r}.")
    named = {n: {"name": n, **e} if isinstance(e, dict) else e for n, e in models.items()}
    return {**value, "models": named}


def _entry(card: ModelCard) -> dict[str, Any]:
    entry = TypeAdapter(ModelCard).dump_python(card, exclude_defaults=True)
    return {key: value for key, value in entry.items() if key not in _NOT_IN_FILE}
