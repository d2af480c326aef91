"""The bench of networks that others bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lists.colours import NAME, colours_verifier
from xfv_core.evaluation.speed.bench import EXAMPLES, results_of
from xfv_core.evaluation.speed.foreign import bench


@pytest.mark.slow
def test_a_network_of_ones_own_is_raced_in_verdict_occlusion_and_gradients(examples: Path) -> None:
    pytest.importorskip("captum")
    assert EXAMPLES.resolve() == examples.resolve()
    files = examples / "obama.jpg", examples / "obama2.jpg"
    turns = bench(colours_verifier(), NAME, files, ["fast"], rounds=1)
    results = results_of(turns)
    assert [result.what.split(", ")[1].split()[0] for result in results] == [
        "occlusion", "occlusion", "FGGB",
    ]  # fmt: skip
    assert all(result.ours > 0 and result.theirs > 0 for result in results)
