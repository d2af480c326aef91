"""The gate of the server: which requests come in at all, how large, and how many.

A middleware (ASGI) before Gradio's routes. Of these only those stay open that the page and its API
use; all others (a proxy, a fetcher of addresses, calls that pass by the queue, a recorder of
videos, links to states) are closed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic
from typing import Any

from gradio.route_utils import StarletteRequest

from page import FOLDER
from page.server.folder import KEEP_SECONDS, FullError, check_space
from page.server.inputs import place_of
from page.server.limits import TooManyError, count, visitor
from page.server.sessions import SESSIONS, tidied

OPEN = re.compile(
    r"/(app_id|call|cancel|component_server|file|heartbeat|info|login_check|mcp"
    r"|openapi\.json|queue/(?:join|data|status)|reset|startup-events|theme\.css|token|upload"
    r"|upload_progress|user)(?:[/=]|$)"
)
COUNTED = {
    "upload": "uploads",
    "upload_progress": "uploads",
    "queue/join": "events",
    "call": "events",
    "component_server": "frames",
}
MAX_BODY = 56_000_000  # a photo of 40 MB as a data URL
MAX_HELD = 1_000_000_000  # of all requests that are being received
MAX_QUERY = 2000
# Gradio's own code has addresses of fonts, maps and scripts in it: browsers are told to ask nobody
OURS_ONLY = (
    b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; "
    b"base-uri 'self'; form-action 'self'"
)
TOO_LARGE = "This is too large; a photo may have 40 MB."

log = logging.getLogger("xfv")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class RefusedError(Exception):
    """A request that does not come in: HTTP status and sentence."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Gate:
    """Refuses, bounds and counts; what Gradio raises at odd requests becomes one sentence."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self.held = 0  # bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body, answer = _Body(self, receive), _Answer(send)
        try:
            if uploader := look_at(scope):
                body.charged = uploader
                await asyncio.to_thread(check_space)
            await self.app(scope, body, answer)
        except RefusedError as refused:
            await answer.refuse(refused.status, str(refused))
        except (TooManyError, FullError) as problem:
            await answer.refuse(429, str(problem))
        except Exception as problem:  # the routes are Gradio's and check little of what they get
            log.warning(place_of(problem))
            await answer.refuse(400, "The server cannot make sense of this request.")
        finally:
            self.held -= body.size


def look_at(scope: Message) -> str:
    """Refuse what can be refused before anything is read; returns who uploads, if anybody."""
    request = StarletteRequest(scope)
    if len(scope["query_string"]) > MAX_QUERY:
        raise RefusedError(414, "This address is too long.")
    if int(request.headers.get("content-length", 0)) > MAX_BODY:
        raise RefusedError(413, TOO_LARGE)
    _, prefix, rest = scope["path"].partition("/gradio_api")  # it may follow a root path
    if not prefix:
        return ""
    route = OPEN.match(rest)
    if not route:
        raise RefusedError(404, "There is nothing here.")
    if route[1] == "file" and not _inside(rest):
        raise RefusedError(403, "Only uploads and results of this page are handed out.")
    if route[1] == "info":  # of one page; what Gradio says of all names to all the first one's host
        scope["query_string"] += b"&page="
    who = visitor(request)
    if what := COUNTED.get(route[1]):
        count(who, what)
    return who if route[1] == "upload" else ""


def _inside(route: str) -> bool:
    """Whether a file is asked for that lies in our folder; Gradio looks again, and closer."""
    return os.path.normpath(route.removeprefix("/file=")).startswith(FOLDER.name + os.sep)


class _Body:
    """What a client sends: bounded, and in time."""

    def __init__(self, gate: Gate, receive: Receive) -> None:
        self._gate, self._receive = gate, receive
        self._until = monotonic() + KEEP_SECONDS
        self._ended = False
        self.size = 0
        self.charged = ""  # who uploads

    async def __call__(self) -> Message:
        if self._ended:  # all that can still come is that the client leaves
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._until - monotonic())
        except asyncio.TimeoutError as slow:
            raise RefusedError(408, "This took too long to arrive; try again.") from slow
        self._ended = not message.get("more_body", False)
        self._add(len(message.get("body", b"")))
        return message

    def _add(self, size: int) -> None:
        megabytes = (self.size + size) // 1_000_000 - self.size // 1_000_000
        self.size += size
        self._gate.held += size
        if self.size > MAX_BODY:
            raise RefusedError(413, TOO_LARGE)
        if self._gate.held > MAX_HELD:
            raise RefusedError(503, "Too much is being sent at the moment; try again in a minute.")
        if self.charged and megabytes:
            count(self.charged, "megabytes", cost=megabytes)


class _Answer:
    """What the client gets; a refusal where nothing has been answered yet."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            said = [
                (b"content-security-policy", OURS_ONLY),
                (b"x-content-type-options", b"nosniff"),
            ]
            message = {**message, "headers": [*message.get("headers", ()), *said]}
        self._begun = True
        await self._send(message)

    async def refuse(self, status: int, why: str) -> None:
        """One sentence as Gradio's clients read it; an answer that has begun ends as it is."""
        if not self._begun:
            kind = (b"content-type", b"application/json")
            await self({"type": "http.response.start", "status": status, "headers": [kind]})
            await self({"type": "http.response.body", "body": json.dumps({"detail": why}).encode()})
        else:
            await self({"type": "http.response.body"})


# for Blocks.launch
SERVING: dict[str, Any] = {
    "app_kwargs": {"middleware": [(Gate, (), {})], "lifespan": tidied},
    "state_session_capacity": SESSIONS,
}
