"""The commands that measure: figures do not depend on the number of processes, and are kept."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.launch import run_processes
from xfv_core import Verifier
from xfv_core.cli import app
from xfv_core.evaluation.channels import covered
from xfv_core.evaluation.channels import parts as part_tables
from xfv_core.evaluation.kept import read_rows
from xfv_core.evaluation.verdicts.evaluate import PairRow, summarise
from xfv_core.faces import TEMPLATE, cut, similarity
from xfv_core.weights.manifest import MANIFEST_PATH, load_manifest, save_manifest

pytestmark = pytest.mark.slow
runner = CliRunner()


@pytest.mark.parametrize("measurement", ["fidelity", "patch-lfw"])
def test_two_processes_find_the_figures_of_one(
    measurement: str, examples: Path, tmp_path: Path
) -> None:
    verifier = Verifier()
    for name in ("obama", "obama2", "biden"):
        (face,) = verifier.face_pictures(examples / f"{name}.jpg")
        (tmp_path / name[:5]).mkdir(exist_ok=True)
        Image.fromarray(face).save(tmp_path / name[:5] / f"{name}.png")
    first, second, other = "obama/obama.png", "obama/obama2.png", "biden/biden.png"
    rows = [f"{first},{second},1", f"{other},{second},0"]  # one for each of two processes
    (tmp_path / "pairs.csv").write_text("\n".join(["path_a,path_b,label", *rows]))
    command = [measurement, "--images", str(tmp_path), "--pairs", str(tmp_path / "pairs.csv")]
    command += ["--on", "both", "--model", "full112"]  # the smallest network
    command += ["--method", "xssab", "--method", "gradcam", "--out"]
    found = []
    for count in (1, 2):  # each with one thread: the number of threads moves the last digits
        out, kept = tmp_path / str(count), tmp_path / f"kept-{count}.json"
        program = ["-m", "xfv_core", *command, str(out), "--result", str(kept)]
        assert run_processes(count, program) == 0
        assert all((out / f"rows-{i}.jsonl").read_text().split() for i in range(count))
        found.append(json.loads(kept.read_text()))
    one, two = found
    assert figures(one) == figures(two)
    assert one["n"] == 2 and one["command"].startswith(f"python -m xfv_core {measurement} --model")


def figures(summary: Any) -> Any:
    """Everything but the seconds and the name of the file of rows, to six digits."""
    if isinstance(summary, dict):
        own = ("seconds_per_pair", "rows")
        return {k: figures(v) for k, v in summary.items() if k not in own}
    if isinstance(summary, list):
        return [figures(item) for item in summary]
    return round(summary, 6) if isinstance(summary, float) else summary


def test_parts_are_measured_and_kept_in_the_manifest_that_is_named(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_tables, "RESAMPLES", 10)
    names = ("obama.jpg", "biden.jpg", "astronaut.jpg")
    (tmp_path / "photos").mkdir()
    for name in names:
        shutil.copy(examples / name, tmp_path / "photos")
    mine = tmp_path / "weights.json"
    save_manifest(load_manifest(), mine)
    weights = load_manifest().card("ecnet").bundled or ""
    (tmp_path / weights).parent.mkdir(parents=True)
    shutil.copy(MANIFEST_PATH.parent / weights, tmp_path / weights)
    shutil.copy(
        (MANIFEST_PATH.parent / weights).with_suffix(".parts.json"), (tmp_path / weights).parent
    )
    before = MANIFEST_PATH.read_bytes()
    data = training_folder(tmp_path, [examples / name for name in names])
    command = ["parts", "--data", str(data), "--people", "2", "--store", "--manifest", str(mine)]
    command += ["--photos", str(tmp_path / "photos"), "--atlas", str(tmp_path / "atlas.png")]
    found = json.loads(runner.invoke(app, command).stdout)
    assert found["LFW, aligned"]["metrics"]["n"] == len(names)
    card = load_manifest(mine).card("ecnet")
    assert card.figures.parts is not None and card.figures.parts["sets"] == found
    rows = read_rows(tmp_path / "results" / card.figures.parts["rows"], covered.FaceRow)
    assert json.loads(json.dumps(covered.summarise(rows)[1]["sets"])) == found
    assert card.parts is not None and card.parts != load_manifest().card("ecnet").parts
    assert MANIFEST_PATH.read_bytes() == before
    with Image.open(tmp_path / "atlas.png") as picture:
        assert picture.width == 12 * 28


def training_folder(folder: Path, photos: list[Path]) -> Path:
    """The faces of these photos as a training folder keeps them, all of person 1."""
    verifier = Verifier()
    rows = ["index,shard,file,label"]
    with tarfile.open(folder / "faces_train-000.tar", "w") as tar:
        for i, path in enumerate(photos):
            photo, (face, *_) = verifier.faces(path)
            matrix = similarity(face.landmarks.astype(float), TEMPLATE + 12)
            pixels = cut(photo.pixels, matrix, face.landmarks, 136).pixels
            Image.fromarray(pixels).save(folder / f"{i}.png")
            tar.add(folder / f"{i}.png", f"{i}.png")
            rows.append(f"{i},0,{i}.png,1")
    (folder / "faces_train.csv").write_text("\n".join(rows))
    return folder


def test_parts_of_a_network_without_channels_are_refused(tmp_path: Path) -> None:
    command = ["parts", "--data", str(tmp_path), "--photos", str(tmp_path), "--model", "sface"]
    assert "no channels" in runner.invoke(app, command).stderr


def test_evaluate_judges_a_csv_at_the_calibrated_threshold(examples: Path, tmp_path: Path) -> None:
    rows = ["obama.jpg,obama2.jpg,1", "obama2.jpg,obama3.jpg,1", "obama.jpg,biden.jpg,0"]
    rows = [
        ",".join(str(examples / part) if ".jpg" in part else part for part in row.split(","))
        for row in rows
    ]
    (tmp_path / "pairs.csv").write_text("\n".join(["path_a,path_b,label", *rows]))
    command = ["evaluate", "--pairs", str(tmp_path / "pairs.csv"), "--json"]
    command += ["--result", str(tmp_path / "kept.json")]
    table = json.loads(runner.invoke(app, command).stdout)
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert table.items() <= kept.items() and {"protocol", "command", "seed"} <= set(kept)
    rows = read_rows(tmp_path / kept["rows"], PairRow)
    told = json.loads(json.dumps(summarise(rows)))
    assert told.items() <= table.items() and "fmr" in told
    assert [row.pair for row in rows] == [0, 1, 2] and "jpg" not in str(rows)
    assert table["n"] == 3
    assert table["accuracy"]["mean"] == 1
    assert 0 < table["accuracy"]["low"] < 1


def test_a_foreign_network_gets_a_probability_from_ones_own_pairs(
    examples: Path, tmp_path: Path
) -> None:
    shutil.copy(MANIFEST_PATH.parent / "xfv_core" / "weights" / "sface.safetensors", tmp_path)
    entry = json.loads(MANIFEST_PATH.read_text())["models"]["sface"]
    entry = {**entry, "bundled": "sface.safetensors", "calibration": None, "cohort": None}
    mine = {"default": "mine", "models": {"mine": entry}}
    manifest = tmp_path / "mine.json"
    manifest.write_text(json.dumps(mine))
    people = ["obama.jpg", "obama2.jpg", "obama3.jpg"], ["biden.jpg", "astronaut.jpg"]
    genuine = [f"{a},{b},1" for a in people[0] for b in people[0] if a != b]
    impostor = [f"{a},{b},0" for a in people[0] for b in people[1]]
    (tmp_path / "my.csv").write_text("\n".join(["path_a,path_b,label", *4 * (genuine + impostor)]))
    named = ["--manifest", str(manifest), "--model", "mine"]
    pair = [str(examples / name) for name in people[0][:2]]

    def verdict() -> dict[str, Any]:
        return dict(json.loads(runner.invoke(app, ["verify", *pair, *named, "--json"]).stdout))

    assert runner.invoke(app, ["verify", *pair, *named]).exit_code == 2  # nobody knows its bar
    command = ["calibrate", *named, "--pairs", str(tmp_path / "my.csv"), "--photos", str(examples)]
    assert runner.invoke(app, command).exit_code == 0
    assert verdict()["same"] and 0.5 < verdict()["probability_same"] < 1


def test_evaluate_says_that_aligned_crops_need_their_folder(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("1\t1\nA\t1\t2\nA\t1\tB\t1\n")  # names no files
    result = runner.invoke(app, ["evaluate", "--pairs", str(tmp_path / "pairs.txt"), "--aligned"])
    assert result.exit_code == 2
    assert result.stderr.startswith("--aligned needs --images")
