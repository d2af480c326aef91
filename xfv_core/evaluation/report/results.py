"""The results that the report reads, by measurement, as plain data of known shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict
from typing_extensions import NotRequired, TypedDict  # pydantic takes no other on Python 3.10

from xfv_core import strict_json
from xfv_core.errors import XfvError
from xfv_core.strict_json import STRICT, JsonError

Result = Mapping[str, Any]
Interval = tuple[float, float]
Curve = Sequence[float]


class ResultError(XfvError):
    """A file of results is damaged; the message names file and place."""


class Settings(TypedDict):
    """What the figures depend on; each measurement has further ones."""

    __pydantic_config__ = ConfigDict(STRICT, extra="allow")  # type: ignore[misc]
    model: str
    weights: str
    versions: Mapping[str, str]


class Head(TypedDict):
    """What every result begins with."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    measurement: str
    command: str
    protocol: str
    n: int
    seed: int
    settings: Settings
    rows: NotRequired[str]
    added: NotRequired[Sequence[Mapping[str, Any]]]


class Areas(TypedDict):
    """Areas under the accuracy, see ``maps.fidelity``."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    deletion: float
    deletion_interval: Interval
    deletion_curve: Curve
    insertion: float
    insertion_interval: Interval
    insertion_curve: Curve


class FidelityTable(Areas):
    """One method, see ``maps.fidelity.FidelityTable``."""

    n_pairs: int
    n_empty: int
    deletion_share: float
    deletion_share_interval: Interval
    deletion_gain: float
    deletion_gain_interval: Interval
    insertion_share: float
    insertion_share_interval: Interval
    insertion_gain: float
    insertion_gain_interval: Interval
    passes_per_pair: float
    seconds_per_pair: float


class Agreement(TypedDict):
    """Rank correlation of two methods' maps over n pairs."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    n: int
    mean: float | None
    least: float | None


class Fidelity(Head):
    random: Areas
    methods: Mapping[str, FidelityTable]
    agreement: Mapping[str, Agreement]


class Errors(TypedDict):
    """FNMR or FMR after the replacement, see ``maps.patch_lfw``."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    error: float
    error_interval: Interval
    error_curve: Curve


class Located(Errors):
    """One method on the pairs of one kind."""

    n: int
    auroc: float
    auroc_interval: Interval
    pointing: float
    pointing_interval: Interval
    passes_per_pair: float
    seconds_per_pair: float


class PatchLfw(Head):
    random: Mapping[str, Errors]
    methods: Mapping[str, Mapping[str, Located]]


class Checked(TypedDict):
    """One method, see ``maps.sanity``."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    reinitialised: float | None
    reinitialised_flat: int
    reinitialised_interval: Interval | None
    reinitialised_most: float | None
    swapped_most: float
    identical: float
    identical_most: float
    identical_limit: float | None


class Sanity(Head):
    methods: Mapping[str, Checked]


class Race(TypedDict):
    """Median seconds, see ``speed.bench.Result``."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    what: str
    rival: str
    ours: float
    theirs: float
    ratio: float


class Peers(Head):
    machine: str
    threads: int
    races: Sequence[Race]
    agreement: Mapping[str, float]
    peak_mib: Mapping[str, float]


class Other(Head):
    """A measurement of which the report shows no table of its own."""

    __pydantic_config__ = ConfigDict(STRICT, extra="allow")  # type: ignore[misc]


class Evaluate(Other):
    roc: Sequence[tuple[float, float]]


KINDS: Mapping[str, Any] = {
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
                kind = KINDS.get(str(values["measurement"]), Other)
                found[file.name] = strict_json.build(kind, values)
        except (UnicodeDecodeError, JsonError) as error:
            raise ResultError(f"{file}: {error}") from error
    return found
