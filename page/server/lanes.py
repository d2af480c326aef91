"""Turns at the machine: who waits knows behind how many, and work that nobody waits for ends.

Gradio's own queue tells a callback nothing until its turn comes. Here an event begins at once and
waits inside: it can say how long that will take, show what it has and step behind those that have
nothing yet, and what is less urgent gives way to another lane between two batches.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

import anyio.to_thread

from xfv_core import XfvError

T = TypeVar("T")

LONGEST_LINE = 32  # turns; who comes later is told so
SAY_EVERY = 1.0  # seconds between two words about the line
PATIENCE = 20.0  # seconds that one turn gives way to other lanes in all, lest it never ends
SHARE = 0.2  # of the newest turn in the average


class FullLineError(XfvError):
    """More wait than can be served in a while."""


class LeftError(Exception):
    """Nobody waits for the answer any more; raised where the work is done, never shown."""


@dataclass(frozen=True)
class Wait:
    """How many are served before, and about how many seconds that takes."""

    before: int
    seconds: float

    @property
    def words(self) -> str:
        return f"{self.before} before you, about {max(1, round(self.seconds))} s"


class Lane:
    """One turn at a time, in the order in which they came. ``behind``: lanes that go first.

    Lines are kept by the one event loop of the server; other threads only look whether somebody is
    there.
    """

    def __init__(self, *behind: Lane) -> None:
        self._behind = behind
        self._line: list[Turn] = []
        self._seconds = 1.0  # of a turn, on average
        self._changed = threading.Condition()

    @property
    def others_wait(self) -> bool:
        """Whether somebody stands behind the first."""
        return len(self._line) > 1

    def turn(self) -> Turn:
        """A place at the end of the line, to be used with ``async with``."""
        return Turn(self)

    def _join(self, turn: Turn) -> None:
        if len(self._line) >= LONGEST_LINE:
            raise FullLineError("Too many wait for maps at the moment; try again in a minute.")
        with self._changed:
            self._line.append(turn)
        self._line[0].ready.set()

    def _leave(self, turn: Turn, seconds: float | None) -> None:
        if seconds is not None:
            self._seconds += SHARE * (seconds - self._seconds)
        with self._changed:
            self._line.remove(turn)
            self._changed.notify_all()
        if self._line:
            self._line[0].ready.set()

    def _wait_for(self, turn: Turn) -> Wait:
        before = self._line.index(turn)
        return Wait(before, before * self._seconds)

    def _until_empty(self, seconds: float, left: threading.Event) -> None:
        """In a worker's thread: wait until nobody is here, or ``left``."""
        with self._changed:
            self._changed.wait_for(lambda: not self._line or left.is_set(), max(0.0, seconds))


class Turn:
    """One place in a lane."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._began: float | None = None
        self._given = 0.0  # seconds given to other lanes
        self.left = threading.Event()
        self.ready = asyncio.Event()

    async def __aenter__(self) -> Turn:
        self._lane._join(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.left.set()
        self._lane._leave(self, monotonic() - self._began if self._began else None)

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return monotonic() - self._began if self._began else 0.0

    async def wait(self) -> AsyncIterator[Wait]:
        """What is to be said until the turn comes, now and then."""
        while not self.ready.is_set():
            yield self._lane._wait_for(self)
            try:
                await asyncio.wait_for(self.ready.wait(), SAY_EVERY)
            except asyncio.TimeoutError:
                continue
        self._began = monotonic()

    async def work(self, job: Callable[[], T]) -> T:
        """What ``job`` returns, done in another thread; nobody waits for one that was cancelled."""
        return await anyio.to_thread.run_sync(job, abandon_on_cancel=True)

    def give_way(self) -> None:
        """In the job's thread, between two batches: wait for lanes that go first. LeftError where
        nobody waits for this one."""
        began = monotonic()
        for lane in self._lane._behind:
            lane._until_empty(PATIENCE - self._given, self.left)
        self._given += monotonic() - began
        if self.left.is_set():
            raise LeftError
