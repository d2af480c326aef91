"""The results that the report reads: plain data, checked against the shape of its measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from xfv_core import strict_json
from xfv_core.confidence.scores import Interval
from xfv_core.errors import XfvError
from xfv_core.evaluation.maps.fidelity import FidelityTable
from xfv_core.evaluation.speed.bench import Result as Race
from xfv_core.strict_json import STRICT, JsonError

Result = Mapping[str, Any]
Curve = Sequence[float]
FURTHER = ConfigDict(STRICT, extra="allow")  # type: ignore[misc]


class ResultError(XfvError):
    """A file of results is damaged; the message names file and place."""


@dataclass(frozen=True)
class Settings:
    """What the figures depend on; each measurement has further ones."""

    model: str
    weights: str
    versions: Mapping[str, str]
    __pydantic_config__ = FURTHER


@dataclass(frozen=True, kw_only=True)
class Head:
    """What every result begins with."""

    measurement: str
    command: str
    protocol: str
    n: int
    seed: int
    settings: Settings
    rows: str = ""
    added: Sequence[Mapping[str, Any]] = ()
    __pydantic_config__ = STRICT


@dataclass(frozen=True, kw_only=True)
class Areas:
    """Under the accuracy of random fields, see ``maps.fidelity``."""

    deletion: float
    deletion_interval: Interval
    deletion_curve: Curve
    insertion: float
    insertion_interval: Interval
    insertion_curve: Curve


@dataclass(frozen=True)
class Agreement:
    """Rank correlation of two methods' maps over n pairs."""

    n: int
    mean: float | None
    least: float | None


@dataclass(frozen=True, kw_only=True)
class Fidelity(Head):
    random: Areas
    methods: Mapping[str, FidelityTable]
    agreement: Mapping[str, Agreement]


@dataclass(frozen=True, kw_only=True)
class Errors:
    """FNMR or FMR after the replacement, see ``maps.patch_lfw``."""

    error: float
    error_interval: Interval
    error_curve: Curve


@dataclass(frozen=True, kw_only=True)
class Located(Errors):
    """One method on the pairs of one kind."""

    n: int
    auroc: float
    auroc_interval: Interval
    pointing: float
    pointing_interval: Interval
    passes_per_pair: float
    seconds_per_pair: float


@dataclass(frozen=True, kw_only=True)
class PatchLfw(Head):
    random: Mapping[str, Errors]
    methods: Mapping[str, Mapping[str, Located]]


@dataclass(frozen=True)
class Checked:
    """One method, see ``maps.sanity``."""

    reinitialised: float | None
    reinitialised_flat: int
    reinitialised_interval: Interval | None
    reinitialised_most: float | None
    swapped_most: float
    identical: float
    identical_most: float
    identical_limit: float | None


@dataclass(frozen=True, kw_only=True)
class Sanity(Head):
    methods: Mapping[str, Checked]


@dataclass(frozen=True, kw_only=True)
class Peers(Head):
    machine: str
    threads: int
    races: Sequence[Race]
    agreement: Mapping[str, float]
    peak_mib: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Other(Head):
    """A measurement of which the report has no table of its own."""

    __pydantic_config__ = FURTHER


@dataclass(frozen=True, kw_only=True)
class Evaluate(Other):
    roc: Sequence[tuple[float, float]]


KINDS = {
    "evaluate": Evaluate,
    "fidelity": Fidelity,
    "patch-lfw": PatchLfw,
    "sanity": Sanity,
    "peers": Peers,
}


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """File name -> what a measurement wrote there; JSON of no measurement is left out.

    Raises ResultError, one sentence, for what no measurement writes.
    """
    found = {}
    for file in sorted(folder.glob("*.json")):
        try:
            values = strict_json.parse(file.read_text("utf-8"))
            if isinstance(values, dict) and "measurement" in values:
                strict_json.build(KINDS.get(str(values["measurement"]), Other), values)
                found[file.name] = values
        except (UnicodeDecodeError, JsonError) as error:
            raise ResultError(f"{file}: {error}") from error
    return found
