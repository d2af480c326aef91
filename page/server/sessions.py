"""What Gradio holds of its visitors in memory: names of sessions, values, answers not fetched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from gradio.utils import LRUCache

from page.server.folder import KEEP_SECONDS, SWEEP_SECONDS, entries, sweep

LONGEST_NAME = 64  # Gradio's own have eleven characters
SESSIONS = 1000  # 0.2 MB each


class Answers(LRUCache[str, "asyncio.Queue[Any]"]):
    """What was not fetched yet, by session; nothing waits longer than two sweeps."""

    def __missing__(self, _: str) -> asyncio.Queue[Any]:
        return asyncio.Queue()  # for whom nobody asks: goes at once

    def first(self) -> dict[str, Any]:
        """The message that waits longest, of every session that has one."""
        return {name: box._queue[0] for name, box in self.items() if box.qsize()}  # type: ignore[attr-defined]

    def forget(self, seen: Mapping[str, Any]) -> None:
        """Drop the sessions that have not fetched a message since it was ``seen``."""
        for name, message in self.first().items():
            if message is seen.get(name):
                del self[name]


@asynccontextmanager
async def tidied(app: Any) -> AsyncIterator[None]:
    """While the server runs, what visitors left goes after its minutes."""
    task = asyncio.create_task(_tidy(app))
    try:
        yield
    finally:
        task.cancel()


async def _tidy(app: Any) -> None:
    ours = {path for path, _ in entries()}  # the pictures of the examples
    seen: Mapping[str, Any] = {}
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        # a sweep later than Gradio, which forgets only what it removed itself
        await asyncio.to_thread(sweep, ours, KEEP_SECONDS + SWEEP_SECONDS)
        answers = app.get_blocks()._queue.pending_messages_per_session
        answers.forget(seen)
        seen = answers.first()
