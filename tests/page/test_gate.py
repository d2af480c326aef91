"""The gate, the folder and the memory of the server: bounded, counted, emptied."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from page.server import folder, gate, limits
from page.server.folder import FullError, check_space, sweep, written
from page.server.gate import Gate
from page.server.inputs import InputError, Page, fits, whole_number
from page.server.sessions import Answers
from page.tabs import pair


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """In a thread, because browser tests leave a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(autouse=True)
def fresh() -> None:
    limits.limiter.storage.reset()


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of uploads for one test."""
    for module in (folder, gate):
        monkeypatch.setattr(module, "FOLDER", SimpleNamespace(name=str(tmp_path)))
    return tmp_path


class Request:
    """A request as the server below gives it to the gate, and what was answered."""

    def __init__(self, path: str, *chunks: bytes, ends: bool = True, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.scope = {
            "type": "http", "method": "POST", "path": path, "query_string": b"",
            "client": ("1.2.3.4", 5),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }  # fmt: skip
        self.messages = [{"type": "http.request", "body": c, "more_body": True} for c in chunks]
        if ends:
            self.messages.append({"type": "http.request", "body": b"", "more_body": False})
        self.answers: list[Any] = []

    async def receive(self) -> Any:
        if not self.messages:
            await asyncio.sleep(3600)
        return self.messages.pop(0)

    async def send(self, message: Any) -> None:
        self.answers.append(message)

    def at(self, there: Gate) -> int:
        """The status that the gate or what is behind it answers."""
        run(there(self.scope, self.receive, self.send))
        return self.answers[0]["status"]

    @property
    def said(self) -> str:
        return json.loads(self.answers[1]["body"])["detail"]


async def reading(scope: Any, receive: Any, send: Any) -> None:
    """Something behind the gate that wants the whole body."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


CALL, UPLOAD = "/gradio_api/call/verify", "/gradio_api/upload"


def test_a_small_request_comes_in() -> None:
    assert Request(CALL, b"x").at(Gate(reading)) == 200


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/new_in_gradio_7", "/gradio_api/callx", "/gradio_api", "/x/gradio_api/run/a"],
)
def test_what_is_not_known_is_closed(path: str) -> None:
    async def never(*_: Any) -> None:
        raise AssertionError("it came in")

    assert Request(path).at(Gate(never)) == 404


def test_a_body_that_does_not_say_its_length_is_bounded() -> None:
    request = Request(CALL, *[bytes(1_000_000)] * 57)
    assert request.at(Gate(reading)) == 413
    assert "40 MB" in request.said


def test_a_body_that_stops_arriving_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "KEEP_SECONDS", 0.01)
    assert Request(CALL, b"x", ends=False).at(Gate(reading)) == 408


def test_all_that_arrives_at_once_is_bounded_and_forgotten_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = Gate(reading)
    monkeypatch.setattr(gate, "MAX_HELD", 10)
    assert Request(CALL, bytes(11)).at(there) == 503
    assert there.held == 0
    assert Request(CALL, bytes(10)).at(there) == 200


def test_a_visitor_uploads_so_often_and_no_more_while_others_may() -> None:
    there, often = Gate(reading), limits.ALLOWED["uploads"].amount
    assert {Request(UPLOAD).at(there) for _ in range(often)} == {200}
    too_many = Request(UPLOAD)
    assert too_many.at(there) == 429 and "wait a little" in too_many.said
    somebody = Request(UPLOAD)
    somebody.scope["client"] = ("1.2.3.5", 5)
    assert somebody.at(there) == 200


def test_a_visitor_uploads_so_many_megabytes_and_no_more() -> None:
    there, photo = Gate(reading), [bytes(1_000_000)] * 40
    assert {Request(UPLOAD, *photo).at(there) for _ in range(4)} == {200}
    assert Request(UPLOAD, *photo).at(there) == 429


def test_results_lie_together_and_a_server_that_ends_says_so(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = written({"a.png": b"1", "b.html": b"2"})
    assert [file.name for file in files] == ["a.png", "b.html"]
    assert files[0].parent == files[1].parent and files[1].read_bytes() == b"2"
    monkeypatch.setattr(folder, "FOLDER", SimpleNamespace(name=str(ours / "gone")))
    with pytest.raises(FullError, match="about to stop"):
        written({"a.png": b"1"})


def test_a_full_folder_takes_no_upload_and_no_result(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MAX_BYTES", 10)
    (ours / "photo").write_bytes(bytes(10))
    check_space()
    (ours / "other").write_bytes(b"x")
    with pytest.raises(FullError):
        written({"map.png": b"x"})
    request = Request(UPLOAD)
    assert request.at(Gate(reading)) == 429 and "too many photos" in request.said
    monkeypatch.setattr(folder, "MAX_BYTES", 10**9)
    monkeypatch.setattr(folder, "MAX_FILES", 1)
    with pytest.raises(FullError):
        check_space()


def test_what_is_raised_behind_the_door_is_one_sentence_and_one_line_without_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def raising(*_: Any) -> None:
        raise KeyError("a visitor's secret")

    with caplog.at_level(logging.WARNING):
        assert Request(CALL).at(Gate(raising)) == 400
    assert [r.getMessage().startswith("KeyError in test_gate.py:") for r in caplog.records] == [
        True
    ]
    assert "secret" not in caplog.text


def test_an_answer_that_has_begun_is_ended() -> None:
    async def breaking(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError

    request = Request(CALL)
    assert request.at(Gate(breaking)) == 200
    assert request.answers[1:] == [{"type": "http.response.body"}]


def test_what_is_old_is_swept_with_its_folders_but_not_what_was_there_first(ours: Path) -> None:
    for name in ("first", "upload"):
        (ours / name).mkdir()
        (ours / name / "file").write_bytes(b"x")
    first = {ours / "first", ours / "first" / "file"}
    sweep(first, seconds=3600)
    assert len(list(ours.rglob("*"))) == 4
    for _ in range(2):  # a folder is changed by what goes out of it
        sweep(first, seconds=-1)
    assert set(ours.rglob("*")) == first


def test_a_link_in_the_folder_is_swept_and_what_it_points_at_stays(
    ours: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_bytes(b"x")
    (ours / "link").symlink_to(outside.parent)
    sweep((), seconds=-1)
    assert outside.exists() and not list(ours.iterdir())


def test_answers_that_nobody_fetches_are_forgotten_and_others_stay() -> None:
    async def two_sweeps() -> set[str]:
        answers = Answers(10)
        for name in ("gone", "reading"):
            answers[name] = asyncio.Queue()
            answers[name].put_nowait(object())
            answers[name].put_nowait(object())
        seen = answers.first()
        answers["reading"].get_nowait()
        answers.forget(seen)
        return set(answers)

    assert run(two_sweeps()) == {"reading"}


def test_an_answer_to_a_forgotten_session_goes_nowhere() -> None:
    async def answered() -> Answers:
        answers = Answers(10)
        answers["nobody"].put_nowait("maps")
        return answers

    assert not run(answered())


def echo() -> Page:
    with Page() as page:
        text = gr.Textbox()
        text.change(lambda said: said, text, gr.HTML())
    return page


def processed(page: Page, state: SessionState, *values: Any) -> Any:
    return run(page.process_api(page.fns[0], list(values), state=state))


@pytest.mark.parametrize("values", [(), ("a", "b"), ("x" * 101,), (5,), ({},)])
def test_values_that_do_not_fit_are_said_in_words_without_a_trace(values: tuple[Any, ...]) -> None:
    page = echo()
    with pytest.raises(gr.Error, match="not what is expected") as said:
        processed(page, SessionState(page), *values)
    assert not said.value.print_exception


@pytest.mark.parametrize(
    ("widget", "good", "bad"),
    [
        (lambda: gr.Dropdown([("A", "a")]), "a", (None, ["a"], {}, 1.0, True)),
        (lambda: gr.Radio([("One", 1)]), 1, (None, True, 1.0, [1])),
        (lambda: gr.Slider(0, 1), 0.5, (None, "1", [], True)),
        (lambda: gr.Textbox(), "a", (5, [], "x" * 101)),
    ],
)
def test_a_widget_takes_the_kind_of_value_it_sends(
    widget: Callable[[], gr.components.Component], good: Any, bad: tuple[Any, ...]
) -> None:
    assert fits(widget(), good)
    assert not [value for value in bad if fits(widget(), value)]


@pytest.mark.parametrize("sent", [None, 5, [], {}, *({"row": n} for n in (-1, 1.0, "1", 10**9))])
def test_an_event_brings_a_whole_number_or_nothing(sent: Any) -> None:
    assert whole_number(gr.EventData(None, {"row": 7}), "row") == 7
    with pytest.raises(InputError):
        whole_number(gr.EventData(None, sent), "row")


def test_finished_maps_are_few_because_whole_photos_hang_on_them() -> None:
    for i in range(30):
        pair.finished.put(i, i)
    assert len(pair.finished) == 24
