"""What the page's patch is told where a request is none of its own."""

from __future__ import annotations

from typing import Any

import pytest

from page.tabs.occluder import cover


@pytest.mark.parametrize(
    "request_",
    [None, [], "x", ["guessed", "0", 0, 0, 0.2], ["guessed", 0, None, 0, 0.2], [1, 0, 0, 0, 0.2]],
    ids=["nothing", "empty", "text", "side as text", "no place", "a number for a secret"],
)
def test_what_is_no_patch_is_said_in_words(request_: Any) -> None:
    assert cover(request_) == {"gone": "This is no patch on a face."}


def test_a_guessed_secret_opens_nothing() -> None:
    assert "not held any more" in cover(["guessed", 0, 0.1, 0.1, 0.2])["gone"]
