"""Who goes first where requests share a machine: short work before long."""

from __future__ import annotations

import threading


class Precedence:
    """Short work goes first: ``with`` around it, and in long work ``give_way`` now and then."""

    PATIENCE = 5.0  # seconds; long work must not starve under a stream of short work

    def __init__(self) -> None:
        self._running = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def give_way(self, _progress: float = 0.0) -> None:
        """Wait while short work runs, but no longer than ``PATIENCE``."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running, self.PATIENCE)
