"""The files of a gallery: what they are called, their columns, maps packed and unpacked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from xfv_core.errors import XfvError
from xfv_core.explain import Cost, Maps
from xfv_core.explain.fidelity import Fidelity
from xfv_core.results import Explanation, Pair, Verdict, explanation_of, plain
from xfv_core.strict_json import STRICT, JsonError, build, parse

FORMAT = 2
INFO = "gallery.json"
ROW_GROUP = 64  # rows read to show one
LEVELS = 127  # a map is kept in whole steps of its largest value

PHOTO_SCHEMA = pa.schema([
    ("name", pa.string()),
    ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ("landmarks", pa.list_(pa.float32())),
])  # fmt: skip
MAP_SCHEMA = pa.struct([
    ("method", pa.string()),
    ("a", pa.binary()),
    ("b", pa.binary()),
    ("peak", pa.float32()),
    ("about", pa.string()),
])  # fmt: skip
VERDICT_COLUMNS = {
    "pair": pa.int32(), "a": pa.string(), "b": pa.string(), "genuine": pa.bool_(),
    "similarity": pa.float32(), "threshold": pa.float32(), "probability": pa.float32(),
    "confidence": pa.float32(), "same": pa.bool_(), "answer": pa.string(),
    "agreement": pa.float32(),
}  # fmt: skip


class GalleryError(XfvError):
    """There is no gallery of that name, or it is not in a form that can be read."""


@dataclass(frozen=True)
class ModelResults:
    """What a gallery holds for one model.

    ``methods``: those with stored maps; ``sha256``: of the weights that were used.
    """

    photos: str
    pairs: str
    methods: tuple[str, ...]
    operating_point: str
    sha256: str
    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Info:
    """``gallery.json``. ``path``: how the crops were made; ``lost``: photos without a face."""

    name: str
    path: str
    n_pairs: int
    sample: int
    seed: int
    version: str
    models: Mapping[str, ModelResults]
    lost: tuple[str, ...] = ()
    format: int = FORMAT
    __pydantic_config__ = STRICT

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Info:
        """Raises GalleryError for what is none."""
        try:
            values = parse(text)
            if isinstance(values, dict) and values.get("format", FORMAT) != FORMAT:
                raise GalleryError(f"{INFO} is of another version: build the gallery again.")
            info = build(cls, values)
        except JsonError as error:
            raise GalleryError(f"{INFO} is damaged, build the gallery again: {error}") from error
        files = [f for m in info.models.values() for f in (m.photos, m.pairs)]
        if any(Path(f).name != f for f in files):
            raise GalleryError(f"{INFO} names files elsewhere: build the gallery again.")
        return info


@dataclass(frozen=True)
class _About:
    """What a stored map says of itself; ``fidelity``: the fields of a Fidelity."""

    unit: str
    cost: Cost
    fidelity: Mapping[str, bool | int | float | str | list[float]]
    __pydantic_config__ = STRICT


def pack_map(explanation: Explanation) -> dict[str, Any]:
    """A finished explanation as a row of ``MAP_SCHEMA``: its shown values in whole steps."""
    shown, fidelity = explanation.shown, explanation.fidelity
    assert fidelity is not None
    peak = max(float(np.abs(values).max()) for values in (shown.a, shown.b))
    a, b = (
        np.rint(values / (peak or 1) * LEVELS).astype(np.int8).tobytes()
        for values in (shown.a, shown.b)
    )
    about = {"unit": shown.unit, "cost": asdict(shown.cost), "fidelity": plain(vars(fidelity))}
    return {"method": shown.method, "a": a, "b": b, "peak": peak, "about": json.dumps(about)}


def unpack_map(row: Mapping[str, Any], verdict: Verdict, pair: Pair) -> Explanation:
    """``pack_map`` backwards, to within half a step; GalleryError for a row that is damaged."""
    shape, step = pair[0].crop.pixels.shape[:2], np.float32(row["peak"] / LEVELS)
    try:
        about = build(_About, parse(row["about"]))
        judged: dict[str, Any] = {
            k: np.array(v) if isinstance(v, list) else v for k, v in about.fidelity.items()
        }
        fidelity = Fidelity(**judged)
        a, b = (np.frombuffer(row[side], np.int8).reshape(shape) * step for side in ("a", "b"))
    except (JsonError, TypeError, ValueError) as error:
        raise GalleryError(f"A map is damaged, build the gallery again: {error}") from error
    maps = Maps(a, b, row["method"], verdict.model, about.cost, unit=about.unit)
    return explanation_of(verdict, maps, pair, fidelity)


def fidelity_column(method: str) -> str:
    """The name of a method's column of deletion gains."""
    return f"fidelity_{method}"
