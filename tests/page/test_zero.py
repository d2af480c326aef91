"""On ZeroGPU another process computes maps; a stand-in lends nothing but pickles as it does."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from page.server import zero
from xfv_core import Verifier
from xfv_core.weights.manifest import Manifest, load_manifest

METHODS = ({"method": "occlusion", "preset": "fast"}, {"method": "patches"}, {"method": "parts"})


@pytest.fixture
def loans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the networks that GPUs were lent for."""
    asked: list[str] = []

    def lend(duration: float) -> Callable[..., Any]:
        def lent(task: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
            def there(*values: Any, **named: Any) -> Iterator[Any]:
                asked.append(values[1])
                values, named = pickle.loads(pickle.dumps((values, named)))
                for found in task(*values, **named):
                    yield pickle.loads(pickle.dumps(found))

            return there

        assert duration < 60  # what a visitor has a day is minutes
        return lent

    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=lend))
    monkeypatch.setattr(zero, "GPU", "cpu")
    monkeypatch.setattr(zero, "_networks", {})
    return asked


@pytest.mark.parametrize("asked", METHODS, ids=lambda asked: asked["method"])
def test_maps_come_back_from_there_as_they_would_be_made_here(
    loans: list[str], examples: Path, asked: dict[str, str]
) -> None:
    pair = examples / "obama.jpg", examples / "obama2.jpg"
    lent = zero.make_verifier().explained(*pair, **asked)
    here = Verifier().explained(*pair, **asked)
    assert loans == [here.verdict.model]
    assert np.allclose(lent.maps.a, here.maps.a, atol=1e-5)
    assert lent.sentence == here.sentence
    assert lent.fidelity is not None and here.fidelity is not None
    assert np.allclose(lent.fidelity.deletion, here.fidelity.deletion, atol=1e-4)


def test_a_verdict_and_maps_that_are_known_take_no_loan(loans: list[str], examples: Path) -> None:
    verifier, pair = zero.make_verifier(), (examples / "obama.jpg", examples / "biden.jpg")
    verifier.verify(*pair)
    assert loans == []
    for _ in range(2):
        verifier.explained(*pair, method="occlusion", preset="fast")
    assert loans == ["sface"]


def test_the_network_there_is_that_of_the_manifest_that_is_served(
    loans: list[str], examples: Path
) -> None:
    known = load_manifest()
    mine = replace(known.card("sface"), name="mine", title="Mine")
    verifier = zero.make_verifier()
    verifier.use(Manifest("mine", {"mine": mine}, known.folder))
    pair = examples / "obama.jpg", examples / "obama2.jpg"
    found = verifier.explained(*pair, method="occlusion", preset="fast")
    assert loans == ["mine"] and found.maps.model == "mine"


def test_elsewhere_nothing_is_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    monkeypatch.setitem(sys.modules, "spaces", None)  # an import would raise
    assert type(zero.make_verifier()) is Verifier
