"""What every measurement of maps over pairs shares: its settings, its pairs, its intervals.

Pairs are shared out over the processes of ``accelerate launch``; rows survive a kill (``rows``), so
a killed run goes on where it stopped, on any number of processes.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xfv_core import __version__
from xfv_core.confidence.scores import Interval, wilson
from xfv_core.errors import XfvError
from xfv_core.evaluation.data.pairs import PairSet, PhotoStore
from xfv_core.evaluation.maps.rows import append, known_rows, read_rows, same_measurement
from xfv_core.evaluation.verdicts.calibration import read_crop
from xfv_core.explain import Method, make_method
from xfv_core.models.base import FaceEmbedder, has_fast_bf16

Which = Literal["genuine", "impostor", "both"]
Steps = Callable[[int, int], None]
Row = TypeVar("Row")
# settings that are options of the commands
OPTIONS = ("model", "pairs", "images", "data", "people", "aligned", "middle", "on", "kind", "n",
           "seed", "cells")  # fmt: skip
UNSEEDED = ("evaluate", "calibrate")  # commands without --seed
REPEATED = {"methods": "method", "mixed": "mixed"}


class StudyError(XfvError):
    """The folder of results belongs to another measurement, or there is nothing to measure."""


@dataclass(frozen=True, eq=False)
class Study:
    """Which maps of which pairs.

    images : folder or tar of aligned crops.
    methods : see ``explainers_by_name``.
    threshold : θ, for which maps are made.    decide_at : changed photos are accepted from there.
    which, n, seed : of the pairs, see ``choose_pairs``.
    weights : sha256 of the model's file.
    more : further settings of one kind of measurement.
    """

    model: FaceEmbedder
    pairs: PairSet
    images: Path
    methods: Sequence[str]
    threshold: float
    decide_at: float
    which: Which = "both"
    n: int = 200
    seed: int = 0
    weights: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything the figures depend on, as plain data without a path of this machine."""
        device = self.model.device
        gpu = {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
        return {
            "model": self.model.name, "weights": self.weights, "pairs": self.pairs.name,
            "images": self.images.name, "methods": list(self.methods), "on": self.which,
            "n": self.n, "seed": self.seed,
            "threshold": self.threshold, "decide_at": self.decide_at, **self.more,
            "bfloat16": has_fast_bf16(device), "versions": versions(), **gpu,
        }  # fmt: skip

    def explainers(self, pair: int) -> dict[str, Method]:
        """The methods by name; the random map has another seed for every pair."""
        random = {"random": make_method("random", seed=pair)} if "random" in self.methods else {}
        return explainers_by_name(self.methods) | random

    def crops(self, store: PhotoStore, pair: int) -> tuple[Tensor, Tensor]:
        """Both photos of a pair, (3,S,S) RGB in [0,1]."""
        a, b = (read_crop(store, paths[pair]) for paths in (self.pairs.paths_a, self.pairs.paths_b))
        return a, b


def versions() -> dict[str, str]:
    """Of what makes the figures."""
    packages = {name: version(name) for name in ("torch", "numpy", "scipy")}
    return {"xfv": __version__, "python": platform.python_version(), **packages}


def explainers_by_name(names: Sequence[str]) -> dict[str, Method]:
    """``method``, ``method:preset`` or ``method:option=value,…`` -> the explainer."""
    return {
        name: make_method(method, **_options(rest))
        for name in names
        for method, _, rest in [name.partition(":")]
    }


def _options(text: str) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for part in text.split(",") if text else []:
        key, _, value = part.rpartition("=")
        found[key or "preset"] = int(value) if value.isdigit() else value
    return found


def choose_pairs(labels: NDArray[np.bool_], which: Which, n: int, seed: int) -> list[int]:
    """``n`` pairs sampled without replacement; of "both" every second one is genuine."""
    rng = np.random.default_rng(seed)
    genuine, impostor = (rng.permutation(np.flatnonzero(labels == kind)) for kind in (True, False))
    if which == "both":
        half = min(len(genuine), len(impostor), n // 2)
        return np.stack([genuine[:half], impostor[:half]], axis=1).ravel().tolist()
    return (genuine if which == "genuine" else impostor)[:n].tolist()


def work_through(
    study: Study,
    out: Path,
    judge: Callable[[PhotoStore, int, Mapping[str, Method]], Any],
    process: tuple[int, int] = (0, 1),
    steps: Steps | None = None,
) -> None:
    """This process's share (index, count) of what ``out`` does not have yet, appended.

    That is pairs, or methods of pairs. ``judge`` makes of the photos, a pair and the methods to
    measure on it a dataclass with that ``pair``; ``steps`` is called with (pairs done by this
    process, pairs it has to do). Raises RowsError where ``out`` holds another measurement.
    """
    study.explainers(0)  # an unknown method is refused before any work
    index, count = process
    same_measurement(out, study.settings)
    known = {pair: row.get("methods", study.methods) for pair, row in known_rows(out).items()}
    sampled = choose_pairs(study.pairs.labels, study.which, study.n, study.seed)
    mine = [i for i in sampled[index::count] if {*study.methods} - {*known.get(i, ())}]
    with PhotoStore(study.images) as store, (out / f"rows-{index}.jsonl").open("a") as file:
        file.write("\n")  # what a kill left of a line stays a line of its own
        for finished, i in enumerate(mine, start=1):
            explainers = study.explainers(i)
            lacking = {k: e for k, e in explainers.items() if k not in known.get(i, ())}
            append(file, judge(store, i, lacking))
            if steps:
                steps(finished, len(mine))


def finished_rows(out: Path, kind: type[Row]) -> list[Row]:
    """``read_rows``; StudyError where there is none."""
    if rows := read_rows(out, kind):
        return rows
    raise StudyError("No pair has been measured yet.")


def methods_of(rows: Sequence[Any]) -> list[str]:
    """The methods that some row has, in the order in which they came."""
    return list(dict.fromkeys(name for row in rows for name in row.methods))


def head(settings: Mapping[str, Any], measurement: str, protocol: str, n: int) -> dict[str, Any]:
    """What every result begins with: which command measured what, how, on n pairs."""
    given = {key: settings[key] for key in OPTIONS if settings.get(key, False) is not False}
    if measurement in UNSEEDED:
        del given["seed"]
    words = [f"--{key}" if value is True else f"--{key} {value}" for key, value in given.items()]
    for key, option in REPEATED.items():
        words += [f"--{option} {value}" for value in settings.get(key, ())]
    return {
        "measurement": measurement,
        "command": " ".join(["python -m xfv_core", measurement, *words]),
        "protocol": protocol,
        "n": n,
        "seed": settings["seed"],
        "settings": {key: value for key, value in settings.items() if key != "added"},
        **({"added": settings["added"]} if "added" in settings else {}),
    }


def mean_interval(
    values: Sequence[float] | NDArray[np.floating], within: Interval = (-np.inf, np.inf)
) -> tuple[float, Interval]:
    """The mean over pairs, with the normal 95 % interval, cut to what values there can be."""
    x = np.asarray(values, np.float64)
    mean = float(x.mean())
    return mean, normal_interval(mean, float(x.std()), len(x), within)


def normal_interval(
    mean: float, sd: float, n: int, within: Interval = (-np.inf, np.inf)
) -> Interval:
    """95 % of a mean over n values whose standard deviation is ``sd``."""
    half = float(1.96 * sd / np.sqrt(n))
    return max(mean - half, within[0]), min(mean + half, within[1])


def share_interval(hits: Sequence[bool] | NDArray[np.bool_]) -> tuple[float, Interval]:
    """The share of pairs, with Wilson's 95 % interval."""
    count = int(np.sum(hits))
    return count / len(hits), wilson(count, len(hits))
