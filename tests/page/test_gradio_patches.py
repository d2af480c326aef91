"""What is changed inside Gradio, and that it is the Gradio it was written for."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio import networking, route_utils
from gradio.state_holder import SessionState, StateHolder

from page.server import gradio_patches
from page.server.gradio_patches import WRITTEN_FOR, check_version, patch_gradio, patch_queue
from page.server.inputs import Page
from page.server.sessions import LONGEST_NAME, Answers


@pytest.fixture(autouse=True)
def patched() -> None:
    patch_gradio()


@pytest.fixture
def echo() -> Page:
    with Page() as page:
        text = gr.Textbox()
        text.change(lambda said: said, text, gr.HTML())
    page.queue()
    return page


def run(work: Any) -> Any:
    """In a thread, because browser tests leave a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def test_the_patches_were_written_for_the_version_that_is_installed_and_pinned() -> None:
    pins = (Path(__file__).resolve().parents[2] / "requirements.txt").read_text().split()
    assert version("gradio") == WRITTEN_FOR
    assert any(pin.startswith("gradio") and pin.endswith(f"=={WRITTEN_FOR}") for pin in pins)


def test_another_version_is_refused_in_words() -> None:
    with pytest.raises(RuntimeError, match=r"installed is 7\.0\.0"):
        check_version("7.0.0")


def test_an_upload_has_few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    inherited = gradio_patches.FewFiles.__bases__[0]
    monkeypatch.setattr(inherited, "__init__", lambda self, *_, **named: asked.update(named))
    route_utils.GradioMultiPartParser(None, None, max_files=1000)  # type: ignore[arg-type]
    assert asked["max_files"] == gradio_patches.MAX_FILES


def test_a_session_cannot_be_named_at_length(echo: Page) -> None:
    holder = StateHolder()
    holder.set_blocks(echo)
    assert holder["a" * 11]
    with pytest.raises(ValueError, match="too long"):
        holder["a" * (LONGEST_NAME + 1)]
    assert len(holder.session_data) == 1


def test_a_folder_among_the_files_of_visitors_does_not_end_their_removal(
    echo: Page, tmp_path: Path
) -> None:
    (upload := tmp_path / "upload").write_bytes(b"x")
    echo.temp_file_sets[:] = [{str(tmp_path), str(upload)}]
    route_utils.delete_files_created_by_app(echo, None)
    assert not upload.exists() and tmp_path.exists()
    assert echo.temp_file_sets == [set()]


def test_gradio_keeps_no_value_of_a_session(echo: Page) -> None:
    state = SessionState(echo)
    answer = run(echo.process_api(echo.fns[0], ["secret"], state=state))
    assert answer["data"] == ["secret"]
    assert "secret" not in str(list(state.components))


def test_an_event_whose_answer_cannot_be_addressed_does_not_wait(echo: Page) -> None:
    patch_queue(echo)
    request = SimpleNamespace(
        url="http://[::1", headers={}, base_url="http://[::1", scope={}, query_params={}
    )
    with pytest.raises(httpx.InvalidURL):
        run(echo._queue.push(None, request, None))  # type: ignore[arg-type]


def test_a_server_that_is_slow_to_answer_itself_does_not_end() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        assert networking.url_ok(f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_answers_are_kept_where_they_can_be_forgotten(echo: Page) -> None:
    patch_queue(echo)
    assert isinstance(echo._queue.pending_messages_per_session, Answers)
