"""The atlas shows a channel where its part lies on the template."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.channels.test_parts import PLACES, colours, crops
from xfv_core.evaluation.channels.atlas import COLUMNS, SIDE, mean_maps, sheet


def test_moved_faces_are_brought_to_the_template_before_the_mean() -> None:
    maps = mean_maps(colours, crops(30))
    assert maps.shape == (3, SIDE, SIDE)
    for tile, place in zip(maps, PLACES.values(), strict=False):
        row, column = np.unravel_index(int(tile.argmax()), tile.shape)
        assert np.allclose((np.array([column, row]) + 0.5) * 4, place, atol=5)
    fixed = maps[2]
    assert fixed.max() < 0.9 * 1.0  # a channel that does not follow the face is smeared


def test_the_sheet_has_a_tile_per_channel_in_reading_order() -> None:
    maps = np.zeros((COLUMNS + 2, SIDE, SIDE), np.float32)
    maps[1, 0, 0], maps[COLUMNS, 5, 6] = 0.5, 3.0
    pixels = np.asarray(Image.open(io.BytesIO(sheet(maps))))
    assert pixels.shape == (2 * SIDE, COLUMNS * SIDE)
    assert np.argwhere(pixels == 255).tolist() == [[0, SIDE], [SIDE + 5, 6]]


def test_no_faces_give_no_atlas() -> None:
    with pytest.raises(ValueError, match="at least one"):
        mean_maps(colours, [])
