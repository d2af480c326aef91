"""Measures of photos, and the cohort they are taken with."""

import numpy as np
import pytest

from xfv_core.confidence.cohort import NEAREST, Cohort, nearest
from xfv_core.confidence.curves import CalibrationError
from xfv_core.confidence.measures import (
    MEASURES,
    Measures,
    Table,
    eye_features,
    mouth_features,
    sharpness,
)

FLAT = np.full((112, 112, 3), 120, np.uint8)


def cohort(dim: int = 16) -> Cohort:
    centres = np.eye(dim, dtype=np.float32)
    return Cohort(centres, centres[:12], np.zeros(6, np.float32), np.zeros(7, np.float32))


def test_every_measure_of_a_photo_is_told_in_words():
    assert tuple(MEASURES) == tuple(Measures.__dataclass_fields__)
    assert tuple(MEASURES) == tuple(Table.__dataclass_fields__)


def test_a_flat_crop_has_no_detail_and_a_chequered_one_much():
    chequered = FLAT.copy()
    chequered[::2, ::2] = 255
    flat, sharp = sharpness(np.stack([FLAT, chequered]))
    assert flat == pytest.approx(np.log(1e-3))
    assert sharp > 4


def test_sharpness_is_the_spread_of_the_laplacian():
    dot = np.zeros((112, 112, 3), np.uint8)
    dot[50, 50] = 100
    values = np.zeros((110, 110))
    values[49, 49] = -400
    for y, x in ((48, 49), (50, 49), (49, 48), (49, 50)):
        values[y, x] = 100
    assert sharpness(dot[None])[0] == pytest.approx(np.log(values.std() + 1e-3))


def test_dark_glasses_show_in_the_features_of_the_eyes_alone():
    noise = np.random.default_rng(0).integers(100, 140, FLAT.shape, np.uint8)
    covered = noise.copy()
    covered[44:62, 25:88] = 10
    eyes = eye_features(np.stack([noise, covered]))
    mouth = mouth_features(np.stack([noise, covered]))
    assert eyes[1, 0] < eyes[0, 0] - 1
    assert mouth[1, 0] == pytest.approx(mouth[0, 0], abs=0.1)


def test_typicality_is_the_mean_of_the_nearest_centres():
    unit = np.zeros((1, 16), np.float32)
    unit[0, 0] = 1
    assert nearest(unit, np.eye(16, dtype=np.float32))[0] == pytest.approx(1 / NEAREST)


def test_a_photo_is_measured_by_its_length_and_its_direction():
    raw = np.zeros((2, 16), np.float32)
    raw[:, 0] = 3, 6
    found = cohort().measure(raw, np.stack([FLAT, FLAT]))
    assert found.norm == pytest.approx([3, 6])
    assert found.typicality[0] == found.typicality[1]
    assert found.row(0).eyes_covered == 0.5  # of weights that are all zero


def test_a_cohort_comes_back_from_its_file():
    before = cohort()
    after = Cohort.from_bytes(before.to_bytes())
    for name in ("faces", "degraded", "eyes", "mouth"):
        assert np.array_equal(getattr(before, name), getattr(after, name))


def test_another_file_is_no_cohort():
    with pytest.raises(CalibrationError, match="no cohort"):
        Cohort.from_bytes(b"{}")


def test_a_cohort_of_too_few_centres_is_refused():
    with pytest.raises(CalibrationError, match="centres"):
        Cohort(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32),
               np.zeros(6, np.float32), np.zeros(7, np.float32))  # fmt: skip
