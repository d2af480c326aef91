"""By region: shares of what a map shows, signed, of each photo by its own landmarks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.overlay.test_words import painted
from xfv_core.explain.base import Cost, Maps
from xfv_core.faces.crops import TEMPLATE
from xfv_core.overlay.regions import GROUPS, by_region


def regions_of(a: np.ndarray, b: np.ndarray, shift: int = 0) -> dict[str, tuple[float, float]]:
    maps = Maps(a, b, "toy", "toy", Cost(0, 0.0))
    return by_region(maps, TEMPLATE, np.add(TEMPLATE, (shift, 0)))


def test_shares_are_signed_and_of_the_whole_map() -> None:
    values = painted(nose=1.0, mouth=-1.0)
    whole = np.abs(values).sum()
    found = regions_of(values, values)
    assert found["nose"][0] == pytest.approx(values[values > 0].sum() / whole)
    assert found["mouth"][0] == pytest.approx(values[values < 0].sum() / whole)
    assert found["chin"] == (0, 0)
    assert list(found) == list(GROUPS)


def test_left_and_right_are_one_region_and_what_cancels_counts_as_nothing() -> None:
    both = regions_of(painted(left_eye=1.0, right_eye=1.0), painted(left_eye=-1.0))
    assert both["eyes"] == (pytest.approx(1), pytest.approx(-1))


def test_each_photo_is_told_by_its_own_landmarks() -> None:
    nose = painted(nose=1.0)
    assert regions_of(nose, np.roll(nose, 20, axis=1), shift=20)["nose"][1] > 0.97


def test_a_map_of_zeros_has_no_share_anywhere() -> None:
    nothing = np.zeros((112, 112), np.float32)
    assert set(regions_of(nothing, nothing).values()) == {(0.0, 0.0)}
