"""Hostile and broken requests, each a kind of its own, as a client could send them.

``refused()``: what has to be turned away in words. ``harmless()``: what may be answered, and the
words of the answer that show that nothing came of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.page.client import EXAMPLES, GALLERY, Client
from tests.page.hostile_values import Ask, at, bodies, callbacks, cameras, names, photos

PARTS = {"content-type": "multipart/form-data; boundary=b"}


def part(disposition: str, content: bytes = b"x") -> bytes:
    head = f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode()
    return head + content + b"\r\n--b--\r\n"


def files() -> dict[str, Ask]:
    """Files that are nobody's business, and addresses to fetch."""
    wanted: dict[str, Callable[[Client], str]] = {
        "a file of the system": lambda c: "/etc/passwd",
        "the same, encoded": lambda c: "%2Fetc%2Fpasswd",
        "the same, twice encoded": lambda c: "%252Fetc%252Fpasswd",
        "the same, by a way out": lambda c: f"{c.path}/..%2f..%2f..%2f..%2fetc/passwd",
        "the program": lambda c: "app.py",
        "the manifest": lambda c: str(EXAMPLES.parent / "weights.json"),
        "the environment": lambda c: "/proc/self/environ",
        "the folder of uploads": lambda c: c.folder,
        "the folder of one upload": lambda c: c.path.rsplit("/", 1)[0],
        "a guessed upload": lambda c: f"{c.folder}/{'0' * 64}/a.jpg",
        "an address to fetch": lambda c: "http://example.com/a.png",
        "cloud metadata": lambda c: "http://169.254.169.254/latest/meta-data",
        "NUL": lambda c: "%00",
        "a name of 5,000 letters": lambda c: f"{c.folder}/{'x' * 5000}",
    }
    return {
        **{
            f"file= {name}": lambda c, path=path: c.get(f"gradio_api/file={path(c)}")
            for name, path in wanted.items()
        },
        "file/ as it once was": lambda c: c.get("gradio_api/file/etc/passwd"),
        "a range of bytes that is none": lambda c: c.get(
            f"gradio_api/file={c.path}", headers={"range": "bytes=5-2-3"}
        ),
        "a proxy to anywhere": lambda c: c.get("gradio_api/proxy=http://example.com/"),
        "a proxy to a Space": lambda c: c.get("gradio_api/proxy=https://a-b.hf.space/"),
        "Gradio's own files, and out": lambda c: c.get("static/..%2f..%2f..%2fblocks.py"),
        "a component's files, and out": lambda c: c.get(
            "gradio_api/custom_component/x/server/component/..%2f..%2fblocks.py"
        ),
    }


def uploads() -> dict[str, Ask]:
    return {
        "an upload of nothing": lambda c: c.upload(),
        "an upload as JSON": lambda c: c.upload(json={}),
        "a form without boundary": lambda c: c.upload(
            content=b"x", headers={"content-type": "multipart/form-data"}
        ),
        "a form that is none": lambda c: c.upload(content=b"xxxx", headers=PARTS),
        "a field instead of a file": lambda c: c.upload(
            content=part('name="files"'), headers=PARTS
        ),
        "a field that is watched": lambda c: c.upload(
            content=part('name="a"'), headers=PARTS, params={"upload_id": "a"}
        ),
        "a field of 60 MB": lambda c: c.upload(
            content=part('name="a"', bytes(60_000_000)), headers=PARTS
        ),
        "a file of 43 MB": lambda c: c.upload(files=[("files", ("a.jpg", bytes(43_000_000)))]),
        "200 files at once": lambda c: c.upload(files=[("files", ("a", b"x"))] * 200),
        "a file named ..": lambda c: c.upload(files=[("files", ("..", b"x"))]),
        "headers of 20 kB in a form": lambda c: c.upload(
            content=part(f'name="files"; filename="{"x" * 20_000}"'), headers=PARTS
        ),
        "a watched upload named at length": lambda c: c.upload(params={"upload_id": "x" * 10_000}),
    }


def routes() -> dict[str, Ask]:
    """The rest of what Gradio's server can do."""
    closed = (
        "deep_link", "deep_link?session_hash=somebody", "dev/reload", "vibe-code", "runs",
        "stream/a/b/1/playlist.m3u8", "profiling/traces", "nothing",
    )  # fmt: skip
    return {
        **{f"GET {route}": lambda c, route=route: c.get(f"gradio_api/{route}") for route in closed},
        "code to be run": lambda c: c.send("vibe-code", b'{"code": "print(1)"}'),
        "a video to be cut": lambda c: c.http.post(
            "gradio_api/process_recording", files=[("video", ("a.mp4", b"x"))]
        ),
        "monitoring": lambda c: c.get("monitoring"),
        "monitoring with a guessed key": lambda c: c.get("monitoring/guess"),
        "PUT": lambda c: c.http.put("gradio_api/call/verify", json={}),
        "DELETE": lambda c: c.http.delete(f"gradio_api/file={c.path}"),
        "a method that does not exist": lambda c: c.http.request("HACK", "/"),
        "a page that does not exist": lambda c: c.get("?page=x"),
        "a query of 60 kB": lambda c: c.get("?" + "a" * 60_000),
        "headers of 1 MB": lambda c: c.get("", headers={"x": "a" * 10**6}),
        "a host that is none": lambda c: c.get(
            "config", headers={"x-gradio-server": "http://[::1"}
        ),
        "somebody else's answers": lambda c: c.get("gradio_api/queue/data"),
        "cancelling without saying what": lambda c: c.send("cancel", b'{"session_hash": 1}'),
        "a reset of a list": lambda c: c.send("reset", b"[]"),
    }


def refused() -> dict[str, Ask]:
    """Everything that has to be turned away in words."""
    groups = {
        "photo": photos(), "name": names(), "body": bodies(), "callback": callbacks(),
        "camera": cameras(), "file": files(), "upload": uploads(), "route": routes(),
    }  # fmt: skip
    return {f"{group}: {name}": ask for group, asks in groups.items() for name, ask in asks.items()}


def harmless() -> dict[str, tuple[Ask, str]]:
    """What may be answered, and what the answer has to say."""
    wait = {"session_hash": "somebody"}
    stop = {**wait, "fn_index": 3, "event_id": "theirs"}
    return {
        "an address beside an upload": (
            lambda c: c.verify(at(path=c.path, url="http://169.254.169.254/")), '"same": true',
        ),
        "a batch flag": (
            lambda c: c.sent("verify", json.dumps(
                {"data": [c.photo, c.photo, "sface", "balanced"], "batched": True}
            ).encode()), '"same": true',
        ),
        "a trigger that does not exist": (lambda c: c.event("models", trigger_id=9**9), "sface"),
        "state values of the client's own": (
            lambda c: c.event(
                "compare", *[value or "x" for value in c.of_pair("compare", c.photo)]
            ), "Same person",
        ),
        "maps without a verdict": (
            lambda c: c.event("explain_1", *c.of_pair("explain_1", c.photo)),
            '["","","","",',
        ),
        "a question with markup for a key": (
            lambda c: c.event("compare", "<b>", *c.of_pair("compare", c.photo)[1:]),
            'data-pair=\\"0\\"',
        ),
        "a picture that is not the client's": (
            lambda c: c.event("save", {"maps": 1}, 50, "Face"), '"interactive":false',
        ),
        "face 100 of one": (
            lambda c: c.after(
                ("chosen_face", {"index": 99}, c.photo, None),
                "compare", *c.of_pair("compare", c.photo),
            ), "There is no face 100 in this photo",
        ),
        "a page of pairs far behind the last": (
            lambda c: c.after(
                ("turned_to", {"page": 10**8}), "pairs", GALLERY, "sface", "all", "as listed",
                0, 100, "occlusion", 0,
            ), "21 of 21 pairs",
        ),
        "pair 501 of 21": (
            lambda c: c.after(
                ("picked", {"row": 500}), "open_pair", GALLERY, "sface", "occlusion", 0
            ), "Example pairs has no pair 500",
        ),
        "pairs sure from 90 to 10 %": (lambda c: c.pairs(low=90, high=10), "No pair is like that"),
        "an upload under another name": (
            lambda c: c.upload(content=part('name="a"; filename="a"'), headers=PARTS), "[]",
        ),
        "a file name that leads away": (
            lambda c: c.upload(files=[("files", ("../../../x", b"x"))]), "/x",
        ),
        "a program as upload": (
            lambda c: c.upload(files=[("files", ("a.exe", b"MZ"))]), "/a.exe",
        ),
        "an upload that does not say its length": (
            lambda c: c.upload(
                content=iter([part('name="files"; filename="long"')]), headers=PARTS
            ), "/long",
        ),
        "an upload that breaks off": (
            lambda c: c.upload(content=part('name="files"; filename="a"')[:-9], headers=PARTS),
            "[]",
        ),
        "answers to a guessed session": (
            lambda c: c.get("gradio_api/queue/data", params=wait), "404: Not Found",
        ),
        "the answer to a guessed event": (
            lambda c: c.get("gradio_api/call/verify/guessed"), "404: Not Found",
        ),
        "cancelling what is somebody else's": (
            lambda c: c.send("cancel", json.dumps(stop).encode()), '"success":true',
        ),
        "a reset of somebody else's": (
            lambda c: c.send("reset", b'{"event_id": "theirs"}'), '"success":true',
        ),
        "a link to a state": (lambda c: c.get("config?deep_link=../../etc"), '"deep_link_state":"'),
        "a token": (lambda c: c.get("gradio_api/token"), '"token":null'),
        "a login": (lambda c: c.http.post("login", data={"username": "a", "password": "b"}), ""),
    }  # fmt: skip
