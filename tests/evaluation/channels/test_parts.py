"""Part metrics on maps and faces whose parts are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from xfv_core.evaluation.channels.parts import (
    EYES,
    Peaks,
    describe_channels,
    find_peaks,
    part_table,
    peak_of,
    peaks_of,
)
from xfv_core.evaluation.data.face_sets import Face, jittered
from xfv_core.faces import TEMPLATE
from xfv_core.faces.regions import REGIONS

SPOTS = {"left eye": (255, 0, 0), "mouth": (0, 255, 0)}
PLACES = {"left eye": TEMPLATE[0], "mouth": TEMPLATE[3:].mean(0)}


def face() -> Face:
    """A black photo with a red spot at the left eye and a green one at the mouth."""
    pixels = np.zeros((160, 160, 3), np.uint8)
    y, x = np.indices(pixels.shape[:2])
    for part, (cx, cy) in PLACES.items():
        pixels[(x - cx - 24) ** 2 + (y - cy - 24) ** 2 < 25] = SPOTS[part]
    return Face(pixels, TEMPLATE + 24, np.array([[1, 0, -24.0], [0, 1, -24.0]]))


def colours(x: Tensor) -> Tensor:
    """(B,3,112,112) -> three channels: red, green, and one that always fires at the same cell."""
    maps = torch.nn.functional.avg_pool2d(x, 8)
    fixed = torch.zeros_like(maps[:, :1])
    fixed[:, :, 0, 0] = 1.0
    return torch.cat([maps[:, :2], fixed], 1)


def crops(count: int = 40):
    rng = np.random.default_rng(0)
    return [jittered(face(), 112, rng) for _ in range(count)]


def test_a_jittered_crop_knows_where_its_landmarks_went() -> None:
    for crop in crops(10):
        red = crop.pixels[..., 0] > 128
        y, x = np.nonzero(red)
        assert np.allclose([x.mean(), y.mean()], crop.landmarks[0], atol=0.8)


def test_a_peak_is_refined_by_its_neighbours_and_knows_its_rivals() -> None:
    maps = torch.zeros(1, 3, 14, 14)
    maps[0, 0, 5, 6], maps[0, 0, 5, 7] = 3.0, 1.0
    maps[0, 1, 2, 2], maps[0, 1, 9, 9] = 3.0, 2.0
    height, place, single = peak_of(maps)
    assert height.tolist() == [[3, 3, 0]]
    assert place[0, 0].tolist() == [6.25, 5]
    assert place[0, 1].tolist() == [2, 2]
    assert single.tolist() == [[True, False, False]]


def test_channels_that_follow_a_part_are_pure_and_a_fixed_one_is_not() -> None:
    peaks = peaks_of(find_peaks(colours, crops()))
    red, green, fixed = describe_channels(peaks, np.arange(40))
    assert (red.part, green.part) == ("left eye", "mouth")
    assert red.live and green.live and fixed.live
    assert red.purity == green.purity == 1
    assert red.place == pytest.approx(tuple(TEMPLATE[0]), abs=1.5)
    assert red.spread < 0.1 < fixed.spread
    assert fixed.purity < 0.9
    assert red.single == 1


def test_the_table_sets_every_channel_against_one_that_does_not_move() -> None:
    table = part_table(peaks_of(find_peaks(colours, crops())))
    assert (table.n, table.live) == (40, 3)
    assert table.covered == ("left eye", "mouth")
    assert table.purity == 1  # of three channels the median
    assert table.constant_purity < 0.9
    assert table.above_constant == pytest.approx(2 / 3)
    assert table.spread < table.constant_spread
    low, high = table.purity_interval
    assert low <= table.purity <= high


def peaks_at(region: list[int], height: list[float]) -> Peaks:
    """One channel on as many faces, all peaks at one place."""
    n = len(region)
    xy = np.zeros((n, 1, 2))
    return Peaks(
        height=np.array(height)[:, None],
        xy=xy,
        single=np.ones((n, 1), bool),
        region=np.array(region, np.int8)[:, None],
        place=xy,
        constant=np.ones((n, 1), np.int8),
        constant_place=xy,
    )


def test_the_background_is_no_part_and_weak_peaks_do_not_count() -> None:
    mouth = REGIONS.index("mouth")
    channel = describe_channels(peaks_at([0] * 6 + [mouth] * 4, [1.0] * 10), np.arange(10))[0]
    assert (channel.part, channel.purity) == ("mouth", 0.4)
    channel = describe_channels(
        peaks_at([0] * 6 + [mouth] * 4, [0.1] * 6 + [1.0] * 4), np.arange(10)
    )[0]
    assert (channel.purity, channel.fires) == (1.0, 0.4)
    channel = describe_channels(peaks_at([mouth] * 10, [0.1] * 9 + [9.0]), np.arange(10))[0]
    assert not channel.live


def test_the_spread_is_in_distances_between_the_eyes() -> None:
    peaks = peaks_at([1, 1], [1.0, 1.0])
    peaks.place[:, 0] = [(0, 0), (2 * EYES, 0)]
    assert describe_channels(peaks, np.arange(2))[0].spread == pytest.approx(1)
