"""Lists of pairs: a row each whatever happens, once per photo, gone on with after a stop."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from tests.launch import run_processes
from tests.lists.colours import NAME, colours_verifier, write_list
from xfv_core import Verifier, verify_many
from xfv_core.faces import FaceDetector
from xfv_core.lists import ListError, Run, finish, read_list, work_through

pytestmark = pytest.mark.slow
ROWS = [
    ("1", "obama.png", "obama2.png"),
    ("2", "obama.png", "biden.png"),
    ("3, of a book", "obama2.png", "letter.png"),
    ("4", "grey.png", "absent.png"),
    ("5", "biden.png", "biden.png"),
]


class StoppedError(Exception):
    """As if the process had been killed."""


@pytest.fixture
def run(photos: Path, tmp_path: Path) -> Run:
    pairs = read_list(write_list(tmp_path / "in.csv", ROWS), photos)
    return Run(pairs, tmp_path / "out.csv", model=NAME)


@pytest.fixture
def whole(verifier: Verifier, photos: Path, tmp_path: Path) -> bytes:
    """The result of a run that nobody stopped."""
    pairs = read_list(write_list(tmp_path / "in.csv", ROWS), photos)
    done = Run(pairs, tmp_path / "whole.csv", model=NAME)
    work_through(verifier, done)
    finish(done)
    return done.out.read_bytes()


def stop_after(rows: int, verifier: Verifier, run: Run) -> None:
    def steps(done: int, todo: int) -> None:
        if done == rows:
            raise StoppedError

    with pytest.raises(StoppedError):
        work_through(verifier, run, steps=steps)


def found(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_says_what_verify_says_and_keeps_its_own_columns(
    verifier: Verifier, run: Run, photos: Path
) -> None:
    work_through(verifier, run)
    finish(run)
    for row, (number, a, b) in zip(found(run.out), ROWS[:2], strict=False):
        verdict = verifier.verify(photos / a, photos / b, model=NAME)
        assert (row["id"], row["path_a"], row["path_b"]) == (number, a, b)
        assert float(row["similarity"]) == pytest.approx(verdict.similarity, abs=1e-6)
        assert (row["same"], row["threshold"]) == (str(verdict.same).lower(), "0.5")
        box = [float(edge) for edge in row["box_b"].split()]
        assert box == pytest.approx(verdict.found[1][0].box, abs=0.05)
        assert (row["faces_a"], row["model"], row["probability_same"]) == ("1", NAME, "")


def test_a_pair_without_an_answer_has_a_row_with_the_reason(verifier: Verifier, run: Run) -> None:
    work_through(verifier, run)
    finish(run)
    rows = found(run.out)
    assert [row["id"] for row in rows] == [number for number, *_ in ROWS]
    assert "The second photo: This file is not a photo" in rows[2]["error"]
    assert rows[2]["box_a"] and not rows[2]["similarity"]
    assert "The first photo: No face was found" in rows[3]["error"]
    assert "The second photo: There is no photo file" in rows[3]["error"]
    assert not rows[4]["error"] and float(rows[4]["similarity"]) == pytest.approx(1)


def test_a_photo_that_occurs_again_is_looked_at_once(
    verifier: Verifier, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    detect = FaceDetector.detect
    monkeypatch.setattr(
        FaceDetector, "detect", lambda self, pixels, **k: looks.append(0) or detect(self, pixels)
    )
    fresh = colours_verifier()
    names = [photos / f"{name}.png" for name in ("obama", "obama2", "biden")]
    pairs = [(a, b) for a in names for b in names]
    assert sum(bool(each.verdict) for each in verify_many(fresh, pairs, model=NAME)) == 9
    assert len(looks) == 3


def test_arrays_are_photos_too(verifier: Verifier, photos: Path) -> None:
    array = verifier.photo(photos / "obama.png").pixels
    (one,) = verify_many(verifier, [(array, photos / "obama.png")], model=NAME)
    assert one.verdict and one.verdict.similarity == pytest.approx(1)
    (wrong,) = verify_many(verifier, [(array[..., 0], array)], model=NAME)
    assert wrong.verdict is None and "An array is a photo if" in wrong.error


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_stopped_and_gone_on_with_the_file_is_the_same_to_the_byte(
    verifier: Verifier, run: Run, whole: bytes, rows: int
) -> None:
    stop_after(rows, verifier, run)
    work_through(verifier, run)
    finish(run)
    assert run.out.read_bytes() == whole
    assert not run.folder.exists()


@pytest.mark.parametrize("cut", [1, 30, 400])
def test_a_row_that_was_cut_off_is_done_again(
    verifier: Verifier, run: Run, whole: bytes, cut: int
) -> None:
    stop_after(4, verifier, run)
    part = run.part(0)
    part.write_bytes(part.read_bytes()[:-cut])
    work_through(verifier, run)
    finish(run)
    assert run.out.read_bytes() == whole


def test_rows_that_are_there_are_not_done_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(2, colours_verifier(), run)
    looks = []
    detect = FaceDetector.detect
    monkeypatch.setattr(
        FaceDetector, "detect", lambda self, pixels, **k: looks.append(0) or detect(self, pixels)
    )
    work_through(colours_verifier(), run)
    assert len(looks) == 3  # obama2, grey, biden


def test_rows_made_otherwise_are_not_gone_on_with(verifier: Verifier, run: Run) -> None:
    stop_after(1, verifier, run)
    other = Run(run.pairs, run.out, model=NAME, threshold=0.9)
    with pytest.raises(ListError, match="begun with another threshold; go on as before"):
        work_through(verifier, other)


def test_a_result_that_is_there_is_not_written_over(verifier: Verifier, run: Run) -> None:
    run.out.write_text("mine")
    with pytest.raises(ListError, match=r"out\.csv is there already"):
        work_through(verifier, run)
    assert run.out.read_text() == "mine"


def test_two_at_once_do_not_write_to_one_file(verifier: Verifier, run: Run) -> None:
    def again(done: int, todo: int) -> None:
        with pytest.raises(ListError, match="Another process is writing"):
            work_through(verifier, run)
        raise StoppedError

    with pytest.raises(StoppedError):
        work_through(verifier, run, steps=again)


def test_a_column_that_the_result_has_too_is_refused(
    verifier: Verifier, photos: Path, tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    path.write_text("path_a,path_b,notes\nobama.png,biden.png,x\n")
    run = Run(read_list(path, photos), tmp_path / "out.csv", model=NAME)
    with pytest.raises(ListError, match="has a column 'notes', and so will the result"):
        work_through(verifier, run)


def test_parquet_comes_back_with_its_types(
    verifier: Verifier, photos: Path, tmp_path: Path
) -> None:
    ids, a, b = [1, 2, 3], ["obama.png", "obama.png", "grey.png"], ["obama2.png"] * 3
    parquet.write_table(pa.table({"id": ids, "path_a": a, "path_b": b}), tmp_path / "in.parquet")
    run = Run(read_list(tmp_path / "in.parquet", photos), tmp_path / "out.parquet", model=NAME)
    work_through(verifier, run)
    finish(run)
    rows = parquet.read_table(run.out).to_pylist()
    assert [row["id"] for row in rows] == ids
    verdict = verifier.verify(photos / "obama.png", photos / "obama2.png", model=NAME)
    assert rows[0]["similarity"] == pytest.approx(verdict.similarity, abs=1e-6)
    assert rows[0]["same"] is verdict.same and rows[0]["faces_b"] == 1
    assert rows[2]["same"] is None and "No face" in rows[2]["error"]


@pytest.mark.parametrize("ending", ["bmp", "tiff", "ppm", "pgm", "gif"])
def test_the_formats_of_old_data_sets_are_read(
    verifier: Verifier, photos: Path, tmp_path: Path, ending: str
) -> None:
    with Image.open(photos / "obama.png") as photo:
        mode = {"pgm": "L", "gif": "P"}.get(ending, "RGB")
        photo.convert(mode).save(tmp_path / f"old.{ending}")
    pair = (tmp_path / f"old.{ending}", photos / "obama.png")
    (found,) = verify_many(verifier, [pair], model=NAME, dated=True)
    assert found.verdict and found.verdict.similarity > 0.9 - 0.5 * (ending == "pgm")
    (refused,) = verify_many(verifier, [pair], model=NAME)
    assert "files are not read here" in refused.error


def test_maps_are_drawn_for_pairs_that_have_an_answer(
    verifier: Verifier, run: Run, tmp_path: Path
) -> None:
    drawn = Run(run.pairs, run.out, model=NAME, maps=tmp_path / "maps", method="fggb")
    work_through(verifier, drawn)
    finish(drawn)
    files = [row["map"] for row in found(run.out)]
    assert files == ["000001.png", "000002.png", "", "", "000005.png"]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == sorted(
        filter(None, files)
    )


def test_a_method_that_does_not_fit_is_refused_before_the_work(
    verifier: Verifier, run: Run, tmp_path: Path
) -> None:
    drawn = Run(run.pairs, run.out, model=NAME, maps=tmp_path / "maps", method="patches")
    with pytest.raises(ListError, match="colours is not explained by 'patches'; choose from occl"):
        work_through(verifier, drawn)
    assert not run.folder.exists()


def test_two_processes_write_what_one_writes(photos: Path, tmp_path: Path) -> None:
    pairs = write_list(tmp_path / "in.csv", ROWS)
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for count, out in enumerate(files, start=1):
        program = ["-m", "xfv_core", "verify", "--pairs", str(pairs), "--images", str(photos),
                   "--out", str(out)]  # fmt: skip
        assert run_processes(count, program) == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_process_that_is_killed_leaves_what_the_same_command_goes_on_with(
    photos: Path, tmp_path: Path
) -> None:
    pairs = write_list(tmp_path / "in.csv", ROWS * 1000)

    def command(out: Path) -> list[str]:
        return [sys.executable, "-m", "xfv_core", "verify", "--pairs", str(pairs), "--images",
                str(photos), "--out", str(out), "--model", "ecnet"]  # fmt: skip

    whole, killed = tmp_path / "whole.csv", tmp_path / "killed.csv"
    subprocess.run(command(whole), check=True, capture_output=True)
    part = Run(read_list(pairs, photos), killed, model="ecnet").part(0)
    with subprocess.Popen(
        command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not (part.exists() and part.stat().st_size > 300):  # some rows
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.001)
        process.kill()
    assert part.exists() and not killed.exists()
    subprocess.run(command(killed), check=True, capture_output=True)
    assert killed.read_bytes() == whole.read_bytes()
