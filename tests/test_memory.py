"""The short memory forgets, and short work goes first."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import psutil
import pytest

from xfv_core import memory
from xfv_core.memory import Recent
from xfv_core.priority import Precedence

FOREVER, LIMIT = 3600.0, 30.0  # seconds; neither is waited for while the code is right


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


def test_what_is_cleared_is_forgotten() -> None:
    recent = Recent(2, 60)
    recent.put("k", "v")
    recent.clear()
    assert recent.peek("k") is None and len(recent) == 0


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


def test_many_results_wait_for_one_sweep_and_the_process_for_none() -> None:
    recent = Recent(60, 3600)
    for key in range(50):
        recent.put(key, "v")
    timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    # stores that other tests left behind have timers too, and one may be set meanwhile
    (sweep,) = (timer for timer in timers if timer.function == recent._sweep)
    assert sweep.daemon
    sweep.cancel()


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


def test_those_who_wait_for_work_that_fails_do_it_one_after_the_other() -> None:
    recent, inside, most = Recent(4, 60), threading.Semaphore(0), []
    at_once, count = 0, threading.Lock()
    first_in, go_on = threading.Event(), threading.Event()

    def make() -> str:
        nonlocal at_once
        with count:
            at_once += 1
            most.append(at_once)
            first = len(most) == 1
        try:
            if first:
                first_in.set()
                go_on.wait(10)
                raise ValueError("the first fails")
            inside.acquire(timeout=0.3)  # long enough for another to come in, if it may
        finally:
            with count:
                at_once -= 1
        raise ValueError("so do the others")

    def ask() -> None:
        with pytest.raises(ValueError):
            recent.get("k", make)

    threads = [threading.Thread(target=ask)]
    threads[0].start()
    first_in.wait(10)
    threads += [threading.Thread(target=ask)]
    second_waits = watched(recent, "k")
    threads[1].start()  # waits for the first
    assert second_waits.wait(LIMIT)
    go_on.set()
    threads[0].join()
    threads += [threading.Thread(target=ask)]
    threads[2].start()  # comes when the first has left and the second works
    for thread in threads:
        thread.join()
    assert len(most) == 3 and max(most) == 1


def watched(recent: Recent, key: str) -> threading.Event:
    """Set as soon as a thread asks for the lock of ``key``, which another holds."""
    asked, lock = threading.Event(), recent._turns[key].lock

    class Watched:
        def __enter__(self) -> None:
            asked.set()
            lock.acquire()

        def __exit__(self, *failure: object) -> None:
            lock.release()

    recent._turns[key].lock = Watched()  # type: ignore[assignment]
    return asked


def test_nothing_is_kept_of_a_lock_that_nobody_waits_for() -> None:
    recent = Recent(4, 60)
    recent.get("k", lambda: 1)
    assert not recent._turns


def test_changes_by_many_threads_at_once_are_all_kept() -> None:
    recent, start = Recent(4, 60), threading.Barrier(8)

    def add(name: int) -> None:
        start.wait()
        for i in range(50):
            recent.update("k", lambda before, i=i: {*(before or ()), (name, i)})

    threads = [threading.Thread(target=add, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(recent.peek("k")) == 8 * 50


# --- who goes first ------------------------------------------------------------------------------


def test_long_work_waits_until_all_short_work_is_done() -> None:
    precedence = Precedence()
    precedence.PATIENCE = FOREVER
    long_work = threading.Thread(target=precedence.give_way, daemon=True)
    with precedence:
        with precedence:
            long_work.start()
        long_work.join(0.1)
        assert long_work.is_alive()
    long_work.join(LIMIT)
    assert not long_work.is_alive()


def test_long_work_does_not_wait_for_nobody() -> None:
    precedence = Precedence()
    precedence.PATIENCE = FOREVER
    assert ends(precedence.give_way)


def test_long_work_does_not_starve_under_short_work() -> None:
    precedence = Precedence()
    precedence.PATIENCE = 0.01
    with precedence:
        assert ends(precedence.give_way)


def ends(work: Callable[[], object]) -> bool:
    """Whether ``work``, in a thread of its own, comes to an end."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(LIMIT)
    return not thread.is_alive()
