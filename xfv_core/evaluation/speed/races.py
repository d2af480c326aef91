"""Races: who runs in turn, how long every turn took, and the medians of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from tqdm import tqdm

from xfv_core.strict_json import STRICT


@dataclass(frozen=True)
class Contender:
    """``share``: the part of its work that ours does too; its seconds are scaled by it."""

    name: str
    run: Callable[[], object]
    share: float = 1.0


@dataclass(frozen=True)
class Turn:
    """One measurement of a contender of a race, in seconds."""

    what: str
    contender: str
    round: int
    seconds: float
    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Result:
    """Median seconds of ours and of a rival; ``ratio`` > 1 where ours is faster."""

    what: str
    rival: str
    ours: float
    theirs: float
    ratio: float


def race(what: str, ours: Contender, rivals: Sequence[Contender], rounds: int) -> Iterator[Turn]:
    """One unmeasured call of ours, then ``rounds`` in which everybody runs once.

    A rival makes hundreds of passes in a call and needs no warming up.
    """
    ours.run()
    for i in tqdm(range(rounds), what, leave=False):
        for contender in (ours, *rivals):
            yield Turn(what, contender.name, i, _seconds(contender))


def _seconds(contender: Contender) -> float:
    began = perf_counter()
    contender.run()
    return (perf_counter() - began) * contender.share


def results_of(turns: Sequence[Turn]) -> list[Result]:
    """Every rival of every race against its first contender, which is ours."""
    found = []
    for what in dict.fromkeys(turn.what for turn in turns):
        own = [turn for turn in turns if turn.what == what]
        ours, *rivals = dict.fromkeys(turn.contender for turn in own)
        mine = seconds_of(own, ours)
        for rival in rivals:
            theirs = seconds_of(own, rival)
            ratio = median(t / m for t, m in zip(theirs, mine, strict=True))
            found.append(Result(what, rival, median(mine), median(theirs), ratio))
    return found


def seconds_of(turns: Sequence[Turn], contender: str) -> list[float]:
    """Of one contender, round after round."""
    return [turn.seconds for turn in turns if turn.contender == contender]
