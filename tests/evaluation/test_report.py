"""RESULTS.md says what was measured, what was not, and what was found elsewhere apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.evaluation.noise import noise_pairs
from tests.explain.toys import OneCell
from xfv_core.evaluation.maps import fidelity, patch_lfw, sanity
from xfv_core.evaluation.maps.study import Study
from xfv_core.evaluation.report import calibrations, report
from xfv_core.evaluation.report.plots import draw, pictures
from xfv_core.evaluation.report.results import ResultError, read_results
from xfv_core.evaluation.report.tables import Figure, column, table
from xfv_core.weights.manifest import load_manifest

Measure = Callable[..., None]
MEASUREMENTS: dict[str, tuple[Measure, Callable[[Path], dict[str, Any]]]] = {
    "fidelity": (fidelity.measure_fidelity, fidelity.summarise),
    "patch-lfw": (patch_lfw.measure_patches, patch_lfw.summarise),
    "sanity": (sanity.measure_sanity, sanity.summarise),
}
PEERS = {
    "measurement": "peers", "command": "peers", "protocol": "in turn", "n": 4, "seed": 0,
    "settings": {"model": "sface", "weights": "w", "versions": {"xfv": "0"}},
    "machine": "toy", "threads": 2, "agreement": {"ours and theirs": 0.5},
    "peak_mib": {"fggb": 700.4},
    "races": [{"what": "a race", "rival": "they", "ours": 1.0, "theirs": 2.5, "ratio": 2.5}],
}  # fmt: skip
METHODS = ["xssab", "occlusion:fast,mode=3", "random"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one result of every kind, on noise, and a JSON that is none."""
    root = tmp_path_factory.mktemp("photos")
    folder = tmp_path_factory.mktemp("results")
    study = Study(
        OneCell(), noise_pairs(root), root, METHODS, threshold=0.3, decide_at=0.5, n=4, weights="w"
    )
    for name, (measure, summarise) in MEASUREMENTS.items():
        out = folder / "runs" / name
        measure(study, out)
        (folder / f"{name}_one.json").write_text(json.dumps(summarise(out)))
    (folder / "peers_one.json").write_text(json.dumps(PEERS))
    (folder / "other.json").write_text("{}")
    return folder


def test_the_report_in_the_repository_is_that_of_the_results_beside_it() -> None:
    text = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    assert text == report(read_results(ROOT / "results"), load_manifest())
    shown = re.findall(r"!\[.*\]\((.*)\)", text)
    assert shown and all((ROOT / picture).exists() for picture in shown)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mood": "good"}, r"peers\.json: unknown key 'mood'"),
        ({"races": None}, r"peers\.json: races must be a list"),
        ({"n": "4"}, "n must be a whole number, not '4'"),
    ],
)
def test_a_result_that_no_measurement_writes_is_refused(
    change: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "peers.json").write_text(json.dumps({**PEERS, **change}))
    with pytest.raises(ResultError, match=sentence):
        read_results(tmp_path)


def test_every_method_has_a_row_in_every_table_and_chance_stands_beside(results: Path) -> None:
    text = report(read_results(results), load_manifest())
    for heading in ("## Fidelity", "## Patch-LFW", "## Sanity", "## Cost", "## Agreement"):
        section = text.split(heading)[1].split("\n## ")[0]
        assert all(method in section for method in METHODS), heading
    assert "| random fields |" in text and "| random pixels |" in text


def test_every_result_gives_protocol_command_and_seed(results: Path) -> None:
    found = read_results(results)
    text = report(found, load_manifest())
    assert len(found) == 4
    for result in found.values():
        assert result["protocol"] in text and result["command"] in text
        assert result["seed"] == 0 and result["n"] == 4


def test_a_method_that_marks_nothing_gets_no_figure(results: Path) -> None:
    found = read_results(results)
    table = found["fidelity_one.json"]["methods"]["xssab"]
    assert "| xssab | – |" not in report(found, load_manifest()).split("## Agreement")[0]
    table["n_empty"] = table["n_pairs"]
    fidelity_section = report(found, load_manifest()).split("## Fidelity")[1].split("\n## ")[0]
    assert "| xssab | – | – | – | – | – | – | 4 |" in fidelity_section


def test_a_gain_has_the_interval_of_its_mean(results: Path) -> None:
    found = read_results(results)
    table = found["fidelity_one.json"]["methods"]["xssab"]
    table |= {"deletion_gain": 0.1, "deletion_gain_interval": [0.0804, 0.1196]}
    assert "0.100 (0.080 to 0.120)" in report(found, load_manifest())


def test_a_race_says_who_was_how_fast(results: Path) -> None:
    text = report(read_results(results), load_manifest())
    assert "| a race | they | 1.000 | 2.500 | 2.50 |" in text
    assert "| ours and theirs | 0.5000 |" in text and "| fggb | 700 |" in text


def test_two_results_of_one_kind_have_a_picture_each_and_the_larger_gives_the_cost(
    results: Path,
) -> None:
    found = read_results(results)
    small = json.loads(json.dumps(found["fidelity_one.json"]))
    small["n"] = 2
    small["methods"]["xssab"]["passes_per_pair"] = 999
    both = {**found, "presets.json": small}
    assert {"fidelity_one", "presets"} <= set(pictures(both, {}))
    assert "| 999 |" not in report(both, load_manifest())


def test_a_method_added_on_another_machine_says_so_and_gives_no_seconds(results: Path) -> None:
    found = read_results(results)
    one = found["fidelity_one.json"]
    one["methods"]["xssab"]["seconds_per_pair"] = 7.25
    assert "| 7.25 |" in report(found, load_manifest())
    one["added"] = [{"methods": ["xssab"], "versions": {"torch": "9.9"}, "gpu": "A card"}]
    text = report(found, load_manifest())
    assert "| 7.25 |" not in text and "; xssab with torch 9.9, A card" in text


def test_the_size_of_other_cells_stands_in_the_heading(results: Path) -> None:
    found = read_results(results)
    found["fidelity_one.json"]["settings"]["cells"] = 16
    assert "pairs of both kinds, 16 x 16 cells" in report(found, load_manifest())


def test_a_changed_figure_changes_the_report(results: Path) -> None:
    found, manifest = read_results(results), load_manifest()
    text = report(found, manifest)
    assert text == report(read_results(results), manifest)
    found["fidelity_one.json"]["random"]["deletion"] += 1
    assert text != report(found, manifest)


def test_what_was_not_measured_is_listed_for_every_model(results: Path) -> None:
    text = report(read_results(results), load_manifest())
    missing = text.split("## Missing")[1].split("\n## ")[0]
    assert "- sface: evaluate, fidelity similar" in missing
    assert re.search(r"- facenet: .*calibrate", missing)


def test_a_measurement_of_other_weights_counts_as_missing(results: Path) -> None:
    found, manifest = read_results(results), load_manifest()
    line = "- sface: evaluate, fidelity similar, fidelity dissimilar, patch-lfw, sanity"
    assert line in report(found, manifest)
    found["sanity_one.json"]["settings"]["weights"] = manifest.card("sface").sha256
    assert line.removesuffix(", sanity") + "\n" in report(found, manifest)


def test_published_figures_stand_in_a_table_of_their_own() -> None:
    text = report({}, load_manifest())
    published = text.split("## Published elsewhere")[1].split("\n## ")[0]
    assert published.count("24.18") == text.count("24.18") == 1
    assert "other networks and protocol" in published


def test_the_best_and_what_lies_within_its_interval_is_bold() -> None:
    figures = [Figure(10, (8, 12)), Figure(11.5, (9, 14)), Figure(13, (12, 14)), None]
    assert [cell.startswith("**") for cell in column(figures, lowest=True)] == [
        True,
        True,
        False,
        False,
    ]
    assert [cell.startswith("**") for cell in column(figures, lowest=False)] == [
        False,
        False,
        True,
        False,
    ]


def test_a_figure_is_written_with_its_interval() -> None:
    assert Figure(0.123, (0.1, 0.2)).written(1, 100) == "12.3 (10.0 to 20.0)"
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_there_is_a_picture_for_every_link_and_drawing_again_changes_nothing(
    results: Path, tmp_path: Path
) -> None:
    found, manifest = read_results(results), load_manifest()
    panels = pictures(found, calibrations(manifest))
    for folder in ("one", "two"):
        draw(panels, tmp_path / folder)
    linked = re.findall(r"\(plots/(.*\.svg)\)", report(found, manifest, "plots"))
    plotted = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert sorted(linked) == sorted(plotted)
    assert plotted == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
