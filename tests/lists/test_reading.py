"""What is wrong with a list is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from xfv_core.cli import app
from xfv_core.lists import ListError, read_list

HEADER = b"path_a,path_b,who\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\nx,y\n", "has no column 'path_a'; its header has to name path_a and path_b"),
        (b"path_a;path_b\nx;y\n", "has no column 'path_a'"),
        (b"path_a,path_b,path_a\nx,y,z\n", "two columns named 'path_a'"),
        (HEADER, "has no rows, only a header"),
        (b"", "is empty"),
        (HEADER + b"x,y\n", "line 2: 2 values under 3 columns"),
        (HEADER + b'x,"y,z\n', "line 2: unexpected end of data"),
        (HEADER + "x,y,Zoë\n".encode("latin-1"), r"is not UTF-8 \(line 2\); save it as CSV in UTF"),
        ((HEADER + b"x,y,z\n").decode().encode("utf-16"), "is UTF-16; save it as CSV in UTF-8"),
    ],
)
def test_a_wrong_list_is_refused_in_a_sentence(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "in.csv").write_bytes(data)
    with pytest.raises(ListError, match=said):
        read_list(tmp_path / "in.csv")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ListError, match="is a folder; name the CSV or Parquet file in it"):
        read_list(tmp_path)
    with pytest.raises(ListError, match="cannot be read: No such file"):
        read_list(tmp_path / "absent.csv")
    (tmp_path / "text.parquet").write_text("path_a,path_b\n")
    with pytest.raises(ListError, match="is no Parquet file that can be read"):
        read_list(tmp_path / "text.parquet")


def test_a_list_as_excel_saves_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER + 'x,"y, z",Zoë\r\n\r\n'.encode())
    found = read_list(path)
    assert found.columns == ("path_a", "path_b", "who")
    assert found.rows == (("x", "y, z", "Zoë"),)
    assert found.photos(0) == (tmp_path / "x", tmp_path / "y, z")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pairs", "in.csv"], "--pairs with --out"),
        (["a.jpg", "b.jpg", "--pairs", "in.csv", "--out", "out.csv"], "no photos beside it"),
        (["a.jpg"], "Name two photos"),
        (["--pairs", "absent.csv", "--out", "out.csv"], "absent.csv cannot be read"),
        (["--pairs", "in.csv", "--out", "out.txt"], "has to end in .csv or .parquet"),
    ],
)
def test_the_command_refuses_with_a_sentence_and_exit_code_2(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["verify", *options])
    assert result.exit_code == 2
    assert said in result.stderr and result.stderr.count("\n") == 1
