"""What a conditional calibration looks at: crops on the template, or what networks are served."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.evaluation.verdicts.test_evaluate import Colours
from xfv_core.confidence.cohort import Cohort
from xfv_core.evaluation.data.pairs import PairSet, read_pairs
from xfv_core.evaluation.verdicts.conditional import aligned_crops, served_crops
from xfv_core.evaluation.verdicts.photos import SIDE, measure_photos
from xfv_core.faces import NoFaceError

COHORT = Cohort(
    *[np.eye(12, 3, dtype=np.float32)] * 2, np.zeros(6, np.float32), np.zeros(7, np.float32)
)


@pytest.fixture
def pairs(tmp_path: Path) -> PairSet:
    """Four photos of a grey each, in three pairs; one of the photos shows no face."""
    for grey in (50, 100, 150, 200):
        Image.new("RGB", (SIDE, SIDE), (grey,) * 3).save(tmp_path / f"{grey}.png")
    (tmp_path / "pairs.csv").write_text(
        "path_a,path_b,label\n50.png,100.png,1\n100.png,150.png,0\n50.png,200.png,0\n"
    )
    return read_pairs(tmp_path / "pairs.csv")


def look(photo: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What a network is served is grey 7 whatever the photo; 150 shows no face."""
    from xfv_core.evaluation.verdicts.calibration import decode

    grey = decode(photo)[0, 0, 0]
    if grey == 150:
        raise NoFaceError("none")
    return np.full((SIDE, SIDE, 3), 7, np.uint8), np.full((SIDE + 8, SIDE, 3), grey, np.uint8)


def test_of_whole_photos_pairs_without_a_face_are_left_out(pairs: PairSet) -> None:
    assert pairs.root
    found = served_crops(pairs, pairs.root, look)
    assert found.pairs.labels.tolist() == [True, False]
    assert found.crops.shape == (3, SIDE + 8, SIDE, 3)
    greys = found.crops[:, 0, 0, 0]
    a, b = greys[found.pairs.a].tolist(), greys[found.pairs.b].tolist()
    assert (a, b) == ([50, 50], [100, 200])
    assert found.seen is not None and (found.seen == 7).all()


def test_aligned_crops_are_all_there_is_to_see(pairs: PairSet) -> None:
    assert pairs.root
    found = aligned_crops(pairs, pairs.root)
    assert len(found.pairs.labels) == 3 and found.seen is None
    assert found.crops.shape == (4, SIDE, SIDE, 3)


def test_a_network_sees_what_it_is_served_and_measures_are_of_the_template() -> None:
    long = np.zeros((1, SIDE + 8, SIDE, 3), np.uint8)
    long[:, SIDE:] = (255, 0, 0)  # below the template
    long[:, :8] = np.random.default_rng(0).integers(0, 255, (8, SIDE, 3))  # above the square
    below = measure_photos(Colours(), COHORT, long, [None])
    served = measure_photos(Colours(), COHORT, long, [None], seen=long[:, :SIDE])
    assert not np.allclose(below.unit, served.unit)
    assert below.table.sharpness == served.table.sharpness
    flat = measure_photos(Colours(), COHORT, long[:, 8:SIDE], [None])
    assert below.table.sharpness > flat.table.sharpness
