"""Of two questions for maps by one visitor only the newer one is answered on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from page.server.lanes import Wait
from page.tabs import pair
from page.tabs.pair import Pair
from xfv_core.memory import Recent


def asked(key: str, session: str) -> tuple[dict[str, Any], Any]:
    return {"key": key, "asked": (1, 1), "method": "m"}, SimpleNamespace(session_hash=session)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Pair:
    async def endless(ask: Any) -> AsyncIterator[Wait]:
        while True:
            yield Wait(1, 1.0)

    monkeypatch.setattr(pair, "reasons_in_turn", endless)
    monkeypatch.setattr(pair, "admit_maps", lambda *_: None)
    monkeypatch.setattr(pair, "newest", Recent(10, 60))
    controls: Any = SimpleNamespace(
        key="key", method="method", uploads=lambda values: ("a", "b"),
        of_method=lambda values, method: SimpleNamespace(explainer=lambda: None),
    )  # fmt: skip
    state: Any = "asked"
    return Pair(controls, state, state)


@pytest.mark.parametrize(
    ("other", "goes_on"),
    [(("1.2", "one"), False), (("1.1", "one"), True), (("1.2", "two"), True)],
    ids=["newer", "the same again", "another visitor"],
)
def test_an_older_question_ends_when_a_newer_one_of_its_visitor_begins(
    page: Pair, other: tuple[str, str], goes_on: bool
) -> None:
    async def both() -> bool:
        first: Any = page.explain(*asked("1.1", "one"))
        second: Any = page.explain(*asked(*other))
        assert await anext(first) and await anext(second)
        more = await anext(first, None)
        assert await anext(second)
        return more is not None

    with ThreadPoolExecutor(1) as pool:  # Playwright keeps a loop running in that of the tests
        assert pool.submit(asyncio.run, both()).result() is goes_on
