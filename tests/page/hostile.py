"""Hostile and broken requests, each a kind of its own, as a client could send them.

``refused()``: what has to be turned away in words. ``harmless()``: what may be answered, and the
words of the answer that show that nothing came of it.
"""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from collections.abc import Callable
from typing import Any

import httpx

from tests.page.client import EXAMPLES, GALLERY, JSON, OURS, Client

PARTS = {"content-type": "multipart/form-data; boundary=b"}
NAN, INF = float("nan"), float("inf")

Ask = Callable[[Client], httpx.Response]


def at(**file: Any) -> dict[str, Any]:
    return {**file, **OURS}


def data_url(content: bytes, kind: str) -> dict[str, Any]:
    return at(url=f"data:{kind};base64,{base64.b64encode(content).decode()}")


def part(disposition: str, content: bytes = b"x") -> bytes:
    head = f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode()
    return head + content + b"\r\n--b--\r\n"


def photos() -> dict[str, Ask]:
    """Instead of the first photo of /verify."""
    instead: dict[str, Callable[[Client], Any]] = {
        "no photo": lambda c: None,
        "a number": lambda c: 5,
        "a text": lambda c: c.path,
        "a list of three photos to search (1:N)": lambda c: [c.photo] * 3,
        "a dictionary of photos to search (1:N)": lambda c: {"a": c.photo, "b": c.photo},
        "an empty dictionary": lambda c: {},
        "a dictionary as path": lambda c: at(path={"path": c.path}),
        "a list as path": lambda c: at(path=[c.path]),
        "a number as address": lambda c: at(url=5),
        "a text as size": lambda c: at(path=c.path, size="x"),
        "a file of the system": lambda c: at(path="/etc/passwd"),
        "the same without Gradio's mark": lambda c: {"path": "/etc/passwd"},
        "the same as a stream": lambda c: at(path="/etc/passwd", is_stream=True),
        "an endless device": lambda c: {"path": "/dev/zero"},
        "a file of the repository": lambda c: at(path=str(EXAMPLES / "obama.jpg")),
        "a way out of the folder": lambda c: at(path=f"{c.path}/../../../../etc/passwd"),
        "a relative path": lambda c: at(path="../x.png"),
        "the folder of uploads itself": lambda c: at(path=c.folder),
        "a guessed upload of somebody else": lambda c: at(path=f"{c.folder}/{'0' * 64}/a.jpg"),
        "a path with NUL": lambda c: at(path=f"{c.path}\0.png"),
        "half a character": lambda c: at(path="\ud800"),
        "an endless path": lambda c: at(path="/a" * 100_000),
        "http": lambda c: at(path="http://127.0.0.1:1/a.png"),
        "HTTPS in capitals": lambda c: at(path="HTTPS://example.com/a.png"),
        "a share on the network": lambda c: at(path="//169.254.169.254/x"),
        "ftp": lambda c: at(path="ftp://example.com/a.png"),
        "a file address": lambda c: at(path="file:///etc/passwd"),
        "cloud metadata as path": lambda c: at(path="http://169.254.169.254/latest/meta-data"),
        "cloud metadata as address": lambda c: at(url="http://169.254.169.254/latest/meta-data"),
        "a broken data URL": lambda c: at(url="data:image/png;base64,###"),
        "an empty data URL": lambda c: at(url="data:"),
        "a web page": lambda c: data_url(b"<html><script>alert(1)</script>", "text/html"),
        "an SVG": lambda c: data_url(b"<svg onload='alert(1)'/>", "image/svg+xml"),
        "a pickle": lambda c: data_url(pickle.dumps({"a": print}), "application/x-pickle"),
        "a compressed bomb": lambda c: data_url(zlib.compress(bytes(10**7)), "image/png"),
        "a photo of 50 MB": lambda c: data_url(b"\xff\xd8\xff" + bytes(50_000_000), "image/jpeg"),
    }
    return {name: lambda c, made=made: c.verify(made(c)) for name, made in instead.items()}


def names() -> dict[str, Ask]:
    """Models, rules, methods and details that do not exist, or are no names."""
    return {
        "an unknown model": lambda c: c.verify(c.photo, "nobody"),
        "a model as list": lambda c: c.verify(c.photo, ["sface"]),
        "a model as number": lambda c: c.verify(c.photo, 5),
        "a model as path": lambda c: c.verify(c.photo, "../../weights"),
        "a name of a million letters": lambda c: c.verify(c.photo, "x" * 10**6),
        "markup and control characters": lambda c: c.verify(c.photo, "\x1b[31m\n<script>\0"),
        "an unknown rule": lambda c: c.verify(c.photo, "sface", "always"),
        "no rule": lambda c: c.verify(c.photo, "sface", None),
        "an unknown method": lambda c: c.explain("magic", "", "balanced", "fast"),
        "a baseline as method": lambda c: c.explain("random", "", "balanced", "fast"),
        "a dictionary as method": lambda c: c.explain({"a": 1}, "", "balanced", "fast"),
        "a model that the method cannot explain": lambda c: c.explain(
            "patches", "sface", "balanced", "fast"
        ),
        "an unknown detail": lambda c: c.explain("occlusion", "", "balanced", "endless"),
        "a detail that the page does not offer": lambda c: c.explain(
            "occlusion", "", "balanced", "full"
        ),
        "a list as detail": lambda c: c.explain("occlusion", "", "balanced", [1]),
    }


def numbered(threshold: Any = None, prior: Any = None) -> Ask:
    """A proper call but for a number."""
    return lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", 1, 1, threshold, prior)


def bodies() -> dict[str, Ask]:
    """What is no proper call at all."""
    verify = "call/verify"
    return {
        "both photos missing": lambda c: c.call("verify", None, None, "", "balanced"),
        "too few values": lambda c: c.call("verify", c.photo),
        "no values": lambda c: c.call("verify"),
        "a third photo": lambda c: c.call("verify", *[c.photo] * 3, "sface", "balanced"),
        "a value too many": lambda c: c.call(
            "verify", *[c.photo] * 2, "", "balanced", 1, 1, 0, 0.5, 1
        ),
        "face 0": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", 0),
        "face 2 of one": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", 1, 2),
        "half a face": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", 1.5),
        "a face as text": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", "1"),
        "no number of a face": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", None),
        **{f"a threshold of {x!r}": numbered(threshold=x) for x in (1.5, NAN, -INF, "0.4", [0.4])},
        **{f"a prior of {x!r}": numbered(prior=x) for x in (0, 1, NAN, INF, "0.5", {})},
        "not a number": lambda c: c.sent("verify", b'{"data": [NaN, -Infinity, NaN, NaN]}'),
        "1e400": lambda c: c.sent("verify", b'{"data": [1e400, null, "", "balanced"]}'),
        "nothing": lambda c: c.send(verify, b""),
        "no JSON": lambda c: c.send(verify, b"Dear Sir or Madam"),
        "JSON of another type": lambda c: c.send(verify, b'{"data": []}', {"content-type": "a/b"}),
        "values that are no list": lambda c: c.send(verify, b'{"data": {"a": 1}}'),
        "no UTF-8": lambda c: c.send(verify, b'{"data": ["\xff\xfe"]}'),
        "10,000 lists in each other": lambda c: c.send(
            verify, b'{"data": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
        ),
        "800 lists in each other": lambda c: c.sent(
            "verify", b'{"data": [' + b"[" * 800 + b"]" * 800 + b', null, "", "balanced"]}'
        ),
        "60 MB of text": lambda c: c.send(verify, b'{"data": ["' + b"x" * 60_000_000 + b'"]}'),
        "60 MB without saying so": lambda c: c.http.post(
            "gradio_api/call/verify", content=(bytes(10**6) for _ in range(60)), headers=JSON
        ),
        "names that no endpoint has": lambda c: c.send("call/v2/verify", b'{"a": 1}'),
        "a search endpoint (1:N)": lambda c: c.call("search", c.photo),
        "the page's callback by the new way": lambda c: c.send("call/v2/compare", b"{}"),
        "past the queue": lambda c: c.send("run/verify", b'{"data": []}'),
        "past the queue, the old way": lambda c: c.send("api/verify", b'{"data": []}'),
    }


def callbacks() -> dict[str, Ask]:
    """The page's own callbacks with what no widget sends."""

    def face(sent: Any) -> Ask:
        return lambda c: c.event("chosen_face", c.photo, None, event_data={"index": sent})

    return {
        "a callback that does not exist": lambda c: c.event(10**6),
        "a callback before the first": lambda c: c.event(-1),
        "a callback without number": lambda c: c.event(None),
        "a callback by a text": lambda c: c.event("x"),
        "a callback of the browser": lambda c: c.event("js_fn", 5),
        "a callback that cancels": lambda c: c.event("unnamed", "somebody"),
        "a session that is a list": lambda c: c.event("models", session=[1]),
        "a session named at length": lambda c: c.event("models", session="x" * 10**6),
        "no session": lambda c: c.send("queue/join", b'{"data": [], "fn_index": 2}'),
        "an address that cannot be answered": lambda c: c.event(
            "models", headers={"x-forwarded-host": "[::1"}
        ),
        "face -1": face(-1),
        "face x": face("x"),
        "no face": face(None),
        "face 2.5": face(2.5),
        "face 10^30": face(10**30),
        "a click without data": lambda c: c.event("chosen_face", c.photo, None, event_data=None),
        "a click that is a number": lambda c: c.event("chosen_face", c.photo, None, event_data=7),
        "example 99": lambda c: c.select("example", {"index": 99, "value": ""}),
        "example -1": lambda c: c.select("example", {"index": -1, "value": ""}),
        "page x of the pairs": lambda c: c.select("turned_to", {"page": "x"}),
        "page -1 of the pairs": lambda c: c.select("turned_to", {"page": -1}),
        "no page": lambda c: c.select("turned_to", {}),
        "pair -5": lambda c: c.select("picked", {"row": -5}),
        "a system file beside a photo": lambda c: c.compare(at(path="/etc/passwd")),
        "a model the page does not offer": lambda c: c.compare(c.photo, model="nobody"),
        "two models at once": lambda c: c.compare(c.photo, model=["sface", "ecnet"]),
        "no model chosen": lambda c: c.compare(c.photo, model=None),
        "a rule as dictionary": lambda c: c.compare(c.photo, rule={}),
        "an occluder that is true": lambda c: c.event(
            "explain_1", *c.of_pair("explain_1", c.photo, occlusion_mode=True)
        ),
        "a detail of the page that takes minutes": lambda c: c.event(
            "explain_1", *c.of_pair("explain_1", c.photo, occlusion_preset="full")
        ),
        "a view that does not exist": lambda c: c.event(
            "explain_1", *c.of_pair("explain_1", c.photo, patches_view="everything")
        ),
        "colours of 900 %": lambda c: c.event("save", None, 900, "Face"),
        "colours of x %": lambda c: c.event("save", None, "x", "Face"),
        "every method of nobody": lambda c: c.select("chosen_method", {"method": "nobody"}),
        "a method that is no name": lambda c: c.select("chosen_method", {"method": [1]}),
        "a report about nobody": lambda c: c.event("report", *c.filled("report")),
        "a reference photo of the system": lambda c: c.event(
            "live_reference", at(path="/etc/passwd")
        ),
        "a gallery as path": lambda c: c.event("choose_source", "/etc"),
        "a gallery of the Hub that was not offered": lambda c: c.event("choose_source", "a/b"),
        "no gallery": lambda c: c.event("choose_source", None),
        "pairs of no gallery": lambda c: c.pairs(source=None),
        "pairs of an unknown model": lambda c: c.pairs(model="../x"),
        "pairs in no order": lambda c: c.pairs(order=None),
        "pairs of an unknown outcome": lambda c: c.pairs(outcome="<b>"),
        "pairs sure from -1 %": lambda c: c.pairs(low=-1),
        "pairs sure from [] %": lambda c: c.pairs(low=[]),
    }  # fmt: skip


def cameras() -> dict[str, Ask]:
    """The live camera's function, and what else could be called in its place."""
    picture = "data:image/jpeg;base64,"
    return {
        "a frame without its secret": lambda c: c.frame(["guessed", f"{picture}AAAA"]),
        "a frame of the wrong shape": lambda c: c.frame([1, 2]),
        "no frame": lambda c: c.frame(None),
        "a frame of 5 MB": lambda c: c.frame(["guessed", picture + "A" * 5_000_000]),
        "a method of a widget": lambda c: c.frame([], fn_name="preprocess"),
        "a private method": lambda c: c.frame([], fn_name="__init__"),
        "a widget that does not exist": lambda c: c.frame([], component_id=10**6),
        "a widget named by a text": lambda c: c.frame([], component_id="x"),
        "a session as number": lambda c: c.frame([], session_hash=5),
        "a camera without anything": lambda c: c.http.post("gradio_api/component_server", json=[]),
        "a camera's form without fields": lambda c: c.http.post(
            "gradio_api/component_server", files=[("x", ("a", b"b"))]
        ),
    }


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
