"""The short memory forgets, and short work goes first."""

from __future__ import annotations

import sys
import threading

import psutil
import pytest

from xfv_core import memory
from xfv_core.memory import Recent
from xfv_core.priority import Precedence


def test_a_result_is_made_once_and_then_remembered() -> None:
    recent, made = Recent(4, 60), []
    assert [recent.get("k", lambda: made.append(1) or "v") for _ in range(3)] == ["v"] * 3
    assert made == [1]


def test_two_threads_that_want_the_same_thing_make_it_once() -> None:
    recent, made, start = Recent(4, 60), [], threading.Barrier(4)
    inside = threading.Event()

    def make() -> str:
        made.append(1)
        inside.wait(0.05)
        return "v"

    def ask() -> None:
        start.wait()
        recent.get("k", make)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_what_raises_is_not_remembered() -> None:
    recent = Recent(4, 60)
    with pytest.raises(ZeroDivisionError):
        recent.get("k", lambda: 1 / 0)
    assert recent.get("k", lambda: 2) == 2


def test_the_oldest_results_make_room_for_new_ones() -> None:
    recent = Recent(2, 60)
    for key in "abc":
        recent.put(key, key)
    assert [recent.peek(key) for key in "abc"] == [None, "b", "c"]


def test_expired_results_leave_memory_without_anybody_asking() -> None:
    recent, gone = Recent(4, 0.05), threading.Event()

    class Photo:
        def __del__(self) -> None:
            gone.set()

    recent.put("k", Photo())
    assert gone.wait(10)


def test_a_sweep_gives_memory_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    given = threading.Event()
    monkeypatch.setattr(memory, "give_back", given.set)
    Recent(2, 0.05).put("k", "v")
    assert given.wait(10)


@pytest.mark.skipif(sys.platform != "linux", reason="what glibc keeps is glibc's")
def test_memory_that_small_things_left_behind_is_given_back() -> None:
    process = psutil.Process()
    kept = [bytes(1000) for _ in range(300_000)]  # too small for the system to be asked each time
    del kept[::2]
    last, full = kept.pop(), process.memory_info().rss  # the top of the heap stays in use
    kept.clear()
    memory.give_back()
    assert full - process.memory_info().rss > 100e6
    assert last == bytes(1000)


def test_long_work_waits_until_short_work_is_done() -> None:
    precedence, order, waiting = Precedence(), [], threading.Event()

    def long_work() -> None:
        waiting.set()
        precedence.give_way()
        order.append("long")

    with precedence:
        thread = threading.Thread(target=long_work)
        thread.start()
        waiting.wait()
        order.append("short")
    thread.join()
    assert order == ["short", "long"]


def test_long_work_does_not_wait_for_nobody() -> None:
    Precedence().give_way()
