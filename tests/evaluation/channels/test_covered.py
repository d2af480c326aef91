"""Covering a part silences the channel that looks at it, and no other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.channels.test_parts import SPOTS, colours, face
from xfv_core.evaluation.channels.covered import (
    PARTS,
    FaceRow,
    cause_table,
    cover,
    heights_under_cover,
    hidden_table,
    measure_parts,
    summarise,
    under_cover,
)
from xfv_core.evaluation.channels.parts import describe_channels, find_peaks, peaks_of
from xfv_core.evaluation.data.face_sets import jittered, unmoved
from xfv_core.evaluation.kept import read_rows, write_rows
from xfv_core.models.atlas import Atlas

EYE, MOUTH = (PARTS.index(part) for part in SPOTS)


def crops(count: int = 12):
    rng = np.random.default_rng(1)
    return [jittered(face(), 112, rng) for _ in range(count)]


def test_a_cover_takes_the_part_away_and_nothing_else() -> None:
    whole = unmoved(face(), 112)
    without_eye = cover(whole, "left eye").pixels
    assert (without_eye[..., 0] < 128).all()
    assert (without_eye[..., 1] == whole.pixels[..., 1])[80:].all()
    assert not np.array_equal(without_eye, whole.pixels)


def test_channels_that_look_at_their_part_are_told_from_one_that_does_not() -> None:
    found = crops()
    channels = describe_channels(peaks_of(find_peaks(colours, found)), np.arange(len(found)))
    heights = heights_under_cover(under_cover(colours, found))
    assert heights.shape == (9, 12, 3)
    table = cause_table(heights, channels)
    assert (table.n, table.channels) == (12, 3)
    assert table.share == pytest.approx(2 / 3)  # the third fires whatever it sees
    assert table.falls == pytest.approx(2 / 3)
    assert table.stays == 1
    assert table.share_interval[0] < 2 / 3 < table.share_interval[1]


def test_a_part_is_hidden_below_what_whole_faces_show() -> None:
    found = crops(50)
    channels = describe_channels(peaks_of(find_peaks(colours, found)), np.arange(50))
    heights = heights_under_cover(under_cover(colours, found))
    table = hidden_table(heights, channels)
    assert table.found["left eye"] == table.found["mouth"] == 1
    assert all(rate <= 0.02 for rate in table.false_alarms.values())
    strict = hidden_table(heights, channels, dict.fromkeys(PARTS, 2.0))
    assert strict.false_alarms["mouth"] > 0.9


def test_rows_that_were_kept_give_the_same_figures(tmp_path: Path) -> None:
    rows = measure_parts(colours, 112, [face()] * 6, {"others": crops(4)}, n_covered=2)
    write_rows(tmp_path / "rows.parquet", rows, {})
    kept = read_rows(tmp_path / "rows.parquet", FaceRow)
    assert summarise(kept) == summarise(rows)
    assert len(kept) == 6 + 4 + 2 * 9 * 2


def test_everything_is_plain_data_from_which_the_atlas_comes_back() -> None:
    atlas, table = summarise(
        measure_parts(colours, 112, [face()] * 24, {"others": crops()}, n_covered=6)
    )
    assert set(table["sets"]) == {"held-out people, moved at random", "others"}
    assert table["sets"]["others"]["causes"]["n"] == 6
    assert "channels" not in table["sets"]["others"]["metrics"]
    assert Atlas.from_json(atlas.to_json()) == atlas
    assert atlas.named("mouth") == [1]
    levels = np.array([channel.level for channel in atlas.channels])
    assert atlas.visibility("mouth", levels) == pytest.approx(1)
    assert atlas.visibility("mouth", levels * [1, 0.25, 0]) == pytest.approx(0.5)
    assert json.dumps(table)
