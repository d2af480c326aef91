"""What must be changed inside Gradio, all of it, and the version it was written for.

No setting of Gradio does these. Another version may name or do things differently: read them again
there before the number below is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from gradio import networking, route_utils
from gradio.route_utils import GradioMultiPartParser, get_root_url
from gradio.state_holder import SessionState, StateHolder

from page.server.sessions import LONGEST_NAME, Answers

WRITTEN_FOR = "6.31.0"
MAX_FILES = 10  # of one upload
WAITING_SESSIONS = 2000  # whose answers are kept until they are fetched

_answers: Callable[[str], bool] = networking.url_ok
_delete_files = route_utils.delete_files_created_by_app
_kept_session: Callable[[StateHolder, str], SessionState] = StateHolder.__getitem__


def patch_gradio() -> None:
    """Change the classes, once or again; RuntimeError in another version than WRITTEN_FOR."""
    check_version(gr.__version__)
    # through setattr, because to a type checker these are no variables
    setattr(route_utils, "GradioMultiPartParser", FewFiles)  # noqa: B010
    setattr(route_utils, "delete_files_created_by_app", _delete_no_folder)  # noqa: B010
    setattr(StateHolder, "__getitem__", _session)  # noqa: B010
    setattr(SessionState, "_update_value_in_config", _keep_nothing)  # noqa: B010
    setattr(networking, "url_ok", _patient)  # noqa: B010


def check_version(installed: str) -> None:
    """RuntimeError unless this file was written for the version that is installed."""
    if installed != WRITTEN_FOR:
        raise RuntimeError(
            f"page/server/gradio_patches.py changes the inside of Gradio {WRITTEN_FOR}; installed "
            f"is {installed}. Install the pinned version, or read the patches again."
        )


class FewFiles(GradioMultiPartParser):
    """The form of an upload; Gradio would take a thousand files, the page sends one."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **{**named, "max_files": MAX_FILES})


def _session(holder: StateHolder, name: str) -> SessionState:
    """Gradio keeps a session under any name, however long."""
    if len(name) > LONGEST_NAME:
        raise ValueError("the name of a session is too long to be kept")
    return _kept_session(holder, name)


def _delete_no_folder(blocks: gr.Blocks, age: int | None) -> None:
    """Gradio would remove a folder that a visitor named like a file, fail, and sweep no more."""
    for files in blocks.temp_file_sets:
        files.difference_update([file for file in tuple(files) if Path(file).is_dir()])
    _delete_files(blocks, age)


def _keep_nothing(*_: Any) -> None:
    """Gradio would keep every value for deep links, photos and maps included; there are none."""


def _patient(url: str) -> bool:
    """Gradio would end a server that does not answer its own first request within 3 seconds, as on
    a busy machine; whoever started it waits as long as they like."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost") or _answers(url)


def patch_queue(blocks: gr.Blocks) -> None:
    """Of a queue that was set up: answers that nobody fetches can be forgotten, and no event waits
    whose answer could not be addressed."""
    push = blocks._queue.push

    async def addressed(body: Any, request: Any, username: str | None) -> Any:
        get_root_url(request, "", None)  # raises where the names of the host make no address
        return await push(body, request, username)

    setattr(blocks._queue, "push", addressed)  # noqa: B010
    blocks._queue.pending_messages_per_session = Answers(WAITING_SESSIONS)
