"""A small Hub on loopback: downloads and commits as the real one answers them, and every way to
go wrong.

with HubServer() as hub:
    hub.add("owner/name", revision, "model.safetensors", data)
    hub.fault = "other_bytes"
    ...download from hub.endpoint...
    assert hub.count("GET") == 2
    ...publish to hub.endpoint...
    assert hub.written.files["owner/name"]["README.md"]
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, get_args
from urllib.parse import unquote, urlsplit

from tests.weights.hub_repositories import Repositories

Fault = Literal[
    "other_bytes",  # as long as the right ones
    "short_body",  # fewer bytes than Content-Length says
    "short_without_length",  # fewer bytes, and no Content-Length to notice it by
    "long_body",  # more bytes, and no Content-Length
    "wrong_commit",
    "other_size",  # the HEAD already says so
    "no_commit",  # some other web server
    "repo_not_found",
    "revision_not_found",
    "entry_not_found",
    "gated",
    "server_error",
    "silent",  # accepts the connection, never answers
    "silent_body",  # answers the HEAD, then never the GET
    "trickle",  # a byte now and then, for ever
]
_ERRORS = {
    "repo_not_found": (404, "RepoNotFound"),
    "revision_not_found": (404, "RevisionNotFound"),
    "entry_not_found": (404, "EntryNotFound"),
    "gated": (403, "GatedRepo"),
    "server_error": (500, ""),
}


@dataclass(frozen=True)
class Request:
    """One request as it arrived; ``host`` tells the Hub from the place it redirects to."""

    method: str
    path: str
    host: str
    authorization: str | None


class HubServer:
    """Serves ``HEAD`` and ``GET /{repo}/resolve/{revision}/{file}`` from memory, takes commits.

    Attributes
    ----------
    endpoint : its URL; :attr:`refused` is the URL of a port where nobody listens.
    fault : what goes wrong from now on, None for nothing.
    fault_gets : with a fault of the body, how many GETs it hits before things are well again.
    halfway : an event to wait for in the middle of a body, None for no pause.
    redirect : answer with a 302 to another origin, as the real Hub does for large files.
    requests : all :class:`Request` so far.
    written : the repositories that were created, with what was committed to them.
    token : the only one that may write, None if any may.
    denied : requests to write whose path holds this are answered with a 403.
    """

    def __init__(self) -> None:
        self.files: dict[tuple[str, str, str], bytes] = {}
        self.requests: list[Request] = []
        self.token: str | None = None
        self.denied: str | None = None
        self.redirect = False
        self.fault_gets: int | None = None
        self.halfway: threading.Event | None = None
        self.closing = threading.Event()
        self._fault: Fault | None = None
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self.written = Repositories(self.endpoint, f"http://localhost:{self.port}", self.add)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        if self.halfway is not None:
            self.halfway.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def refused(self) -> str:
        with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
            return f"http://127.0.0.1:{closed.server_address[1]}"

    @property
    def fault(self) -> Fault | None:
        return self._fault

    @fault.setter
    def fault(self, value: Fault | None) -> None:
        if value is not None and value not in get_args(Fault):
            raise ValueError(value)
        self._fault = value

    def add(self, repo_id: str, revision: str, filename: str, data: bytes) -> None:
        self.files[repo_id, revision, filename] = data

    def count(self, method: str | None = None) -> int:
        return sum(method in (None, request.method) for request in self.requests)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    hub: HubServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._take()

    def do_PUT(self) -> None:
        self._take()

    def _take(self) -> None:
        """A request to write. Storage, which PUTs go to, is open to who knows the address."""
        hub, token = self.server.hub, self.headers.get("Authorization")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        hub.requests.append(Request(self.command, self.path, self.headers["Host"], token))
        self.close_connection = True
        path = urlsplit(self.path).path
        allowed = hub.token is None or token == f"Bearer {hub.token}" or self.command == "PUT"
        if hub.fault in _ERRORS:
            self._error(*_ERRORS[hub.fault])
        elif not allowed:
            self._json(401, {"error": "Invalid username or password."})
        elif hub.denied is not None and hub.denied in path:
            self._json(403, {"error": "You are not allowed to write here."})
        else:
            self._json(*hub.written.answer(path, body))

    def _json(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        self._head(status, headers)
        self.wfile.write(data)

    def _answer(self) -> None:
        hub, host = self.server.hub, self.headers["Host"]
        token = self.headers.get("Authorization")
        hub.requests.append(Request(self.command, self.path, host, token))
        self.close_connection = True
        if hub.fault == "silent" or (hub.fault == "silent_body" and self.command == "GET"):
            hub.closing.wait()
        elif hub.fault in _ERRORS:
            self._error(*_ERRORS[hub.fault])
        elif (repo_id := self._repo()) is not None:
            self._json(200, {"id": repo_id, "sha": hub.written.head(repo_id)})
        elif (file := self._file()) is None:
            self._error(404, "EntryNotFound")
        else:
            self._file_answer(*file)

    def _file(self) -> tuple[str, bytes] | None:
        path = unquote(urlsplit(self.path).path).lstrip("/").removeprefix("cdn/")
        repo_id, found, rest = path.partition("/resolve/")
        revision, _, filename = rest.partition("/")
        data = self.server.hub.files.get((repo_id, revision, filename))
        return (revision, data) if found and data is not None else None

    def _repo(self) -> str | None:
        """The repository that is asked about: /api/models/{repo}/revision/main, or without."""
        path = urlsplit(self.path).path.removesuffix("/revision/main")
        repo_id = path.removeprefix("/api/").removeprefix("models/")
        return repo_id if repo_id in self.server.hub.written.files else None

    def _error(self, status: int, code: str) -> None:
        headers = {"X-Error-Code": code} if code else {}
        self._head(status, {**headers, "Content-Length": "0"})

    def _file_answer(self, revision: str, data: bytes) -> None:
        hub = self.server.hub
        size = len(data) + (hub.fault == "other_size")
        from_elsewhere = self.path.startswith("/cdn/")
        headers = {"ETag": f'"{hash(data):x}"'}
        if not from_elsewhere and hub.fault != "no_commit":
            headers["X-Repo-Commit"] = "f" * 40 if hub.fault == "wrong_commit" else revision
        if hub.redirect and not from_elsewhere:
            headers["X-Linked-Size"] = str(size)
            headers["X-Linked-ETag"] = headers["ETag"]
            headers["Location"] = f"http://localhost:{hub.port}/cdn{self.path}"
            self._head(302, {**headers, "Content-Length": "0"})
        elif self.command == "HEAD":
            self._head(200, {**headers, "Content-Length": str(size)})
        else:
            self._body(headers, data)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, headers: dict[str, str], data: bytes) -> None:
        hub, fault = self.server.hub, self._body_fault()
        if fault == "other_bytes":
            data = data[:-1] + bytes([data[-1] ^ 1])
        if fault not in ("short_without_length", "long_body"):
            headers = {**headers, "Content-Length": str(len(data))}
        if fault in ("short_body", "short_without_length"):
            data = data[: len(data) // 2]
        if fault == "long_body":
            data += b"\0"
        self._head(200, headers)
        if fault == "trickle":
            self._trickle(data)
        else:
            middle = len(data) // 2
            self.wfile.write(data[:middle])
            if hub.halfway is not None:
                hub.halfway.wait()
            self.wfile.write(data[middle:])

    def _body_fault(self) -> Fault | None:
        hub = self.server.hub
        gets = sum("/cdn/" not in r.path for r in hub.requests if r.method == "GET")
        over = hub.fault_gets is not None and gets > hub.fault_gets
        return None if over else hub.fault

    def _trickle(self, data: bytes) -> None:
        for position in range(len(data)):
            if self.server.hub.closing.wait(0.02):
                return
            try:
                self.wfile.write(data[position : position + 1])
            except OSError:  # nobody listens any more
                return
