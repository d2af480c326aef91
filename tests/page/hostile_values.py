"""Hostile and broken values in calls of the API and of the page, each a kind of its own."""

from __future__ import annotations

import base64
import pickle
import zlib
from collections.abc import Callable
from typing import Any

import httpx

from tests.page.client import EXAMPLES, JSON, OURS, Client

Ask = Callable[[Client], httpx.Response]


def at(**file: Any) -> dict[str, Any]:
    return {**file, **OURS}


def data_url(content: bytes, kind: str) -> dict[str, Any]:
    return at(url=f"data:{kind};base64,{base64.b64encode(content).decode()}")


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


def bodies() -> dict[str, Ask]:
    """What is no proper call at all."""
    verify = "call/verify"
    return {
        "both photos missing": lambda c: c.call("verify", None, None, "", "balanced"),
        "too few values": lambda c: c.call("verify", c.photo),
        "no values": lambda c: c.call("verify"),
        "a third photo": lambda c: c.call("verify", *[c.photo] * 3, "sface", "balanced"),
        "a value too many": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", 1, 1, "x"),
        "face 0": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", 0),
        "face 2 of one": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", 1, 2),
        "half a face": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", 1.5),
        "a face as text": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", "1"),
        "no number of a face": lambda c: c.call("verify", *[c.photo] * 2, "", "balanced", None),
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
