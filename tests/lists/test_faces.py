"""The table of labelled photos is read typed, and a wrong row is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from xfv_core.lists.faces import TABLE, FaceRow, read_faces
from xfv_core.lists.reading import ListError

HEADER = "index,shard,file,set,identity,label,age,gender,group\n"


def test_rows_come_by_index_with_nothing_where_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text(
        HEADER + "1,0,b.png,utkface,,,7.5,female,asian\n0,2,a.png,,x,3,,,\n"
    )
    assert read_faces(tmp_path) == [
        FaceRow(0, 2, "a.png", label=3),
        FaceRow(1, 0, "b.png", "utkface", None, 7.5, "female", "asian"),
    ]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("0,zero,a.png,,,,,,", "row 3, shard: .*integer"),
        ("0,1,,,,,,,", "row 3, file: Field required"),
        ("0,1,a.png,,,,nan,,", "row 3, age: .*finite"),
        ("0,1,a.png", "line 3: 3 values under 9 columns"),
    ],
)
def test_a_row_that_is_wrong_is_named(row: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text(f"{HEADER}5,0,b.png,,,,,,\n{row}\n")
    with pytest.raises(ListError, match=sentence):
        read_faces(tmp_path)
