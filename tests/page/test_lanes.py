"""Turns at the machine: their order, what is said meanwhile, and work that nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from page import turns
from page.server import lanes
from page.server.lanes import FullLineError, Lane, LeftError, Turn, Wait
from page.turns import reasons_in_turn

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own: Playwright keeps a loop running in that of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def served(lane: Lane, said: list[Any], name: str) -> None:
    """Wait, note what was said meanwhile, and leave."""
    async with lane.turn() as turn:
        said.extend([(name, wait.before) async for wait in turn.wait()])
        said.append(name)
        await asyncio.sleep(0)  # the others come


def test_who_comes_first_is_served_first_and_the_others_know_behind_how_many() -> None:
    said: list[Any] = []

    async def three() -> None:
        lane = Lane()
        await asyncio.gather(*(served(lane, said, name) for name in "abc"))

    run(three())
    assert [each for each in said if isinstance(each, str)] == ["a", "b", "c"]
    assert ("b", 1) in said and ("c", 2) in said


def test_the_wait_is_said_in_people_and_seconds() -> None:
    assert Wait(3, 7.8).words == "3 before you, about 8 s"
    assert Wait(1, 0.1).words == "1 before you, about 1 s"


def test_a_line_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LONGEST_LINE", 1)

    async def two() -> None:
        lane = Lane()
        async with lane.turn(), lane.turn():
            pass

    with pytest.raises(FullLineError, match="try again"):
        run(two())


def test_who_leaves_lets_the_next_one_in() -> None:
    async def leaves() -> Turn:
        lane = Lane()
        first, second = lane.turn(), lane.turn()
        async with second:
            pass
        async with first, second:
            pass
        third = lane.turn()
        async with third:
            return third

    assert run(leaves()).ready.is_set()


def test_less_urgent_work_waits_until_the_other_lane_is_empty() -> None:
    async def both() -> list[str]:
        urgent, said = Lane(), list[str]()
        patient = Lane(urgent)
        async with patient.turn() as turn:
            async with urgent.turn():
                job = threading.Thread(target=lambda: (turn.give_way(), said.append("patient")))
                job.start()
                said.append("urgent")
            await asyncio.to_thread(job.join)
        return said

    assert run(both()) == ["urgent", "patient"]


def test_less_urgent_work_is_not_kept_waiting_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "PATIENCE", 0.0)

    async def both() -> None:
        urgent = Lane()
        async with urgent.turn(), Lane(urgent).turn() as turn:
            await turn.work(turn.give_way)

    run(both())


class Endless:
    """A verifier whose maps take batch after batch until somebody ends them."""

    def __init__(self) -> None:
        self.batch, self.ended = threading.Event(), threading.Event()

    def reasons(self, ask: Any, steps: Any) -> Iterator[Any]:
        yield found(progress=0.5)
        try:
            while True:
                self.batch.set()
                steps(0.5)
        except LeftError:
            self.ended.set()
            raise


def found(progress: float, fidelity: str | None = None) -> Any:
    return SimpleNamespace(maps=SimpleNamespace(progress=progress), fidelity=fidelity)


def test_work_ends_when_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Endless()
    monkeypatch.setattr(turns, "verifier", endless)

    async def visit() -> None:
        maps = reasons_in_turn(SimpleNamespace())  # type: ignore[arg-type]
        await anext(maps)
        more = asyncio.ensure_future(anext(maps))
        await asyncio.to_thread(endless.batch.wait)
        more.cancel()
        await asyncio.gather(more, return_exceptions=True)

    run(visit())
    assert endless.ended.wait(60)  # a limit for a hung thread, not a figure


class Quick:
    """A verifier that needs two steps for maps and one for their fidelity."""

    def reasons(self, ask: Any, steps: Any) -> Iterator[Any]:
        yield from (found(0.5), found(1), found(1, "judged"))


def test_everybody_has_a_map_before_anybody_knows_how_far_to_trust_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "verifier", Quick())
    monkeypatch.setattr(turns, "SLICE", 0.0)
    said: list[tuple[str, float, str | None]] = []

    async def visit(name: str) -> None:
        maps: AsyncIterator[Any]
        async with aclosing(reasons_in_turn(SimpleNamespace())) as maps:  # type: ignore[type-var,arg-type]
            async for each in maps:
                if not isinstance(each, Wait):
                    said.append((name, each.maps.progress, each.fidelity))

    async def crowd() -> None:
        await asyncio.gather(*(visit(name) for name in "abc"))

    run(crowd())
    first, final, judged = (
        [said.index((name, *step)) for name in "abc"]
        for step in ((0.5, None), (1, None), (1, "judged"))
    )
    assert max(first) < min(final) and max(final) < min(judged)
