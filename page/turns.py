"""Maps in turn: first a map for everybody, then finer ones, and how far to trust them last."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

from page.server.lanes import Lane, Turn, Wait
from page.widgets import verifier
from xfv_core import Ask, Explanation

SLICE = 1.0  # seconds after which whoever has a map steps behind those that have none

first_maps = Lane()
finer_maps = Lane(first_maps)
trust = Lane(first_maps, finer_maps)


async def reasons_in_turn(ask: Ask) -> AsyncGenerator[Explanation | Wait, None]:
    """`Verifier.reasons`, and while others are served first how long that takes.

    It ends at once when it is closed, whatever was being computed.
    """
    work = _Work(ask)
    last: Explanation | None = None
    for lane in (first_maps, finer_maps, trust):
        if not _wanted(lane, last):
            continue
        async with lane.turn() as turn:
            work.turn = turn
            async for waiting in turn.wait():
                yield waiting
            while (found := await turn.work(work.next)) is not None:
                yield (last := found)
                if _step_aside(lane, turn, found):
                    break


async def last_in_turn(ask: Ask) -> Explanation:
    """The judged maps, whatever they wait for."""
    last = None
    async for found in reasons_in_turn(ask):
        last = found if isinstance(found, Explanation) else last
    assert last is not None
    return last


class _Work:
    """Maps as they are made, each in whatever turn it is."""

    def __init__(self, ask: Ask) -> None:
        self.turn: Turn | None = None
        self._found: Iterator[Explanation] = verifier.reasons(ask, self._steps)

    def next(self) -> Explanation | None:
        self._steps(0)  # others may have come
        return next(self._found, None)

    def _steps(self, _share: float) -> None:
        if self.turn:
            self.turn.give_way()


def _final(found: Explanation) -> bool:
    return found.maps.progress == 1


def _wanted(lane: Lane, last: Explanation | None) -> bool:
    """Whether anything is left for a lane after the ``last`` maps."""
    if last is None:
        return lane is first_maps
    return last.fidelity is None and (lane is trust or not _final(last))


def _step_aside(lane: Lane, turn: Turn, found: Explanation) -> bool:
    """Whether others go on after these maps."""
    if lane is trust:
        return False
    return _final(found) or (turn.seconds > SLICE and lane.others_wait)
