"""What concurrent requests share: a short memory."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cachetools import TTLCache

T = TypeVar("T")


@dataclass
class _Turn:
    """The lock of one key, and how many threads hold it or wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    wanted: int = 0


class Recent:
    """Results by key, at most ``size`` of them and none older than ``seconds``.

    ``weigh``: what an item counts towards ``size``, 1 unless given; the oldest make room.

    What has expired is really gone: a timer sweeps while anything is held, and what that frees, and
    what the work before it left behind, goes back to the system. Two threads that want the same key
    at the same time compute it once.
    """

    def __init__(
        self, size: int, seconds: float, weigh: Callable[[Any], int] | None = None
    ) -> None:
        self._items: TTLCache[Hashable, Any] = TTLCache(size, seconds, getsizeof=weigh)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._turns: dict[Hashable, _Turn] = {}
        self._sweeping = False

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The item under ``key``, made now if it is not there; what ``make`` raises is not kept."""
        with self._turn(key):
            if (known := self.peek(key)) is None:
                known = make()
                self.put(key, known)
            return known

    def peek(self, key: Hashable) -> Any:
        """The item under ``key``, or None."""
        with self._lock:
            return self._items.get(key)

    def put(self, key: Hashable, item: Any) -> None:
        """Keep ``item`` for a while."""
        with self._lock:
            self._items[key] = item
            self._arm()

    def update(self, key: Hashable, change: Callable[[Any], T]) -> T:
        """Keep what ``change`` makes of the item under ``key`` (None where there is none), and
        return it; nobody reads or writes meanwhile, so it must be quick."""
        with self._lock:
            self._items[key] = item = change(self._items.get(key))
            self._arm()
        return item

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()

    @contextmanager
    def _turn(self, key: Hashable) -> Iterator[None]:
        """One thread at a time for a key; its lock stays until the last that waits is through."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.wanted += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.wanted -= 1
                if not turn.wanted:
                    del self._turns[key]

    def __len__(self) -> int:
        with self._lock:
            self._items.expire()
            return len(self._items)

    def _arm(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            timer = threading.Timer(self._seconds / 4, self._sweep)
            timer.daemon = True
            timer.start()

    def _sweep(self) -> None:
        with self._lock:
            self._items.expire()
            self._sweeping = False
            if self._items:
                self._arm()
        give_back()


def give_back() -> None:
    """Return freed memory to the system, which glibc would keep for the next large request."""
    if os.name == "posix" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
