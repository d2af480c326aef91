"""Raw requests to a running server, as a program that means no good would send them."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import httpx

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
GALLERY = str(EXAMPLES / "gallery")
OURS = {"meta": {"_type": "gradio.FileData"}}  # what makes Gradio take a dictionary for a file
JSON = {"content-type": "application/json"}


class Client:
    """One visitor, with two photos uploaded and the numbers of the page's own callbacks."""

    def __init__(self, server: str) -> None:
        self.http = httpx.Client(base_url=server, timeout=60)
        config = self.http.get("config").json()
        self.widgets = {widget["id"]: widget["props"] for widget in config["components"]}
        self.inputs = {fn["id"]: fn["inputs"] for fn in config["dependencies"]}
        self.fns = {fn["api_name"]: fn["id"] for fn in reversed(config["dependencies"])}
        self.camera = next(i for i, props in self.widgets.items() if props.get("server_fns"))
        self.photo = self.uploaded("obama.jpg")
        self.path = self.photo["path"]
        self.folder = self.path.rsplit("/", 2)[0]

    def uploaded(self, name: str) -> dict[str, Any]:
        file = (name, (EXAMPLES / name).read_bytes())
        return {"path": self.upload(files=[("files", file)]).json()[0], **OURS}

    def upload(self, **request: Any) -> httpx.Response:
        return self.http.post("gradio_api/upload", **request)

    def get(self, address: str, **request: Any) -> httpx.Response:
        return self.http.get(address, **request)

    def send(self, route: str, body: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
        return self.http.post(f"gradio_api/{route}", content=body, headers=headers)

    def call(self, endpoint: str, *data: Any) -> httpx.Response:
        """An endpoint of the API, and what it answers in the end."""
        return self.sent(endpoint, json.dumps({"data": data}).encode())

    def sent(self, endpoint: str, body: bytes) -> httpx.Response:
        asked = self.send(f"call/{endpoint}", body)
        if asked.status_code != 200:
            return asked
        return self.get(f"gradio_api/call/{endpoint}/{asked.json()['event_id']}")

    def verify(self, photo: Any, model: Any = "sface", point: Any = "balanced") -> httpx.Response:
        return self.call("verify", photo, self.photo, model, point)

    def explain(self, *names: Any) -> httpx.Response:
        return self.call("explain", self.photo, self.photo, *names)

    def event(
        self, fn: Any, *data: Any, session: Any = None, headers: Any = None, **event: Any
    ) -> httpx.Response:
        """One of the page's own callbacks, by its name or number, as the page's script calls it."""
        session = session or secrets.token_hex(6)
        body = {"data": data, "fn_index": self.fns.get(fn, fn), "session_hash": session, **event}
        asked = self.http.post("gradio_api/queue/join", json=body, headers=headers)
        if asked.status_code != 200:
            return asked
        return self.get("gradio_api/queue/data", params={"session_hash": session})

    def select(self, fn: str, sent: Any) -> httpx.Response:
        return self.event(fn, event_data=sent)

    def filled(self, fn: str, **changed: Any) -> list[Any]:
        """The values of a callback's widgets as the page sends them, some changed, by the widget's
        id with _ for -."""
        found = [self.widgets[i] for i in self.inputs[self.fns[fn]]]
        names = [(props.get("elem_id") or "").replace("-", "_") for props in found]
        assert set(changed) <= set(names), f"{fn} has {names}"
        return [
            changed.get(name, props.get("value")) for name, props in zip(names, found, strict=True)
        ]

    def after(self, picked: tuple[Any, ...], fn: str, *data: Any) -> httpx.Response:
        """A callback in a session whose state another callback made."""
        session = secrets.token_hex(6)
        name, sent, *values = picked
        self.event(name, *values, event_data=sent, session=session)
        return self.event(fn, *data, session=session)

    def compare(self, photo: Any, **changed: Any) -> httpx.Response:
        return self.event("compare", *self.of_pair("compare", photo, **changed))

    def of_pair(self, fn: str, photo: Any, **changed: Any) -> list[Any]:
        """``filled`` with two photos."""
        return self.filled(fn, photo_a=photo, photo_b=self.photo, **changed)

    def pairs(self, **changed: Any) -> httpx.Response:
        chosen = {
            "source": GALLERY, "model": "sface", "outcome": "all", "order": "as listed",
            "low": 0, "high": 100, "method": "occlusion", "page": 0, **changed,
        }  # fmt: skip
        return self.event("pairs", *chosen.values())

    def frame(self, data: Any, **changed: Any) -> httpx.Response:
        body = {
            "data": data, "fn_name": "live_frame", "component_id": self.camera,
            "session_hash": "camera", **changed,
        }  # fmt: skip
        return self.http.post("gradio_api/component_server", json=body)
