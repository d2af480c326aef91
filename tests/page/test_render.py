"""What the page says: nothing unescaped, no percentage that was not measured."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from page.html.answer import answer, axis, problem
from page.html.charts import reliability
from page.html.legend import legend
from page.html.maps import curves, waiting
from page.html.models import models
from page.html.words import limits
from xfv_core import Verdict
from xfv_core.confidence import Calibration
from xfv_core.confidence.scores import ReliabilityBin
from xfv_core.explain.fidelity import Fidelity
from xfv_core.models.atlas import Atlas, Channel
from xfv_core.weights.figures import Figures
from xfv_core.weights.manifest import (
    Manifest,
    ModelCard,
    PinnedFile,
    PublishedThreshold,
    load_manifest,
)

VERDICT = Verdict(
    similarity=0.61,
    distance=0.39,
    threshold=0.35,
    same=True,
    probability_same=0.9996,
    confidence=0.9996,
    operating_point="balanced",
    model="sface",
    calibrated=True,
    faces=(0, 0),
    notes=(),
)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return load_manifest().card("sface")


@pytest.fixture(scope="module")
def calibration(card: ModelCard) -> Calibration:
    assert card.calibration is not None
    return card.calibration


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)


@given(st.text())
def test_no_message_becomes_markup(text: str) -> None:
    plain = Tags(problem("x")).seen
    assert Tags(problem(text)).seen == plain
    assert Tags(waiting(text)).seen == Tags(waiting("x")).seen


def test_a_note_is_escaped(card: ModelCard, calibration: Calibration) -> None:
    html = answer(replace(VERDICT, notes=("<img src=x>",)), card, calibration)
    assert "img" not in Tags(html).seen


def test_the_answer_names_its_data_set_its_size_and_its_odds(
    card: ModelCard, calibration: Calibration
) -> None:
    html = answer(VERDICT, card, calibration)
    assert "Same person" in html and "99.96 % sure" in html
    assert "at equal odds" in html
    assert calibration.dataset in html
    assert f"{calibration.n_genuine + calibration.n_impostor:,} pairs" in html


def test_without_calibration_there_is_no_percentage_but_a_source(card: ModelCard) -> None:
    bare = replace(VERDICT, probability_same=None, confidence=None, calibrated=False)
    other = replace(
        card, indicative_threshold=PublishedThreshold("cosine distance", 0.3, "deepface")
    )
    html = answer(bare, other, None)
    assert "%" not in html.replace("100%", "")
    assert "not calibrated" in html and "deepface" in html


def test_a_verdict_the_probability_does_not_support_is_not_called_sure(
    card: ModelCard, calibration: Calibration
) -> None:
    torn = replace(VERDICT, probability_same=0.4, confidence=None)
    html = answer(torn, card, calibration)
    assert "% sure" not in html
    assert "40 %" in html


@settings(deadline=None)
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_the_marker_stays_on_the_axis(similarity: float, threshold: float) -> None:
    stored = load_manifest().card("sface").calibration
    assert stored is not None
    verdict = replace(VERDICT, similarity=similarity, threshold=threshold)
    html = axis(verdict, stored)
    marker = float(html.split('class="here" x="')[1].split('"')[0])
    assert 0 <= marker <= 560


def test_the_curves_run_from_nothing_to_everything_hidden() -> None:
    falling = np.linspace(0.8, 0.0, 11)
    fidelity = Fidelity(
        kind="similar", empty=False, deletion_gain=0.2, deletion_beaten=1.0, insertion_gain=0.1,
        insertion_beaten=1.0, sd=0.05, deletion=falling, insertion=falling[::-1],
        chance=np.linspace(0.8, 0.0, 11), n_random=20, passes=1,
    )  # fmt: skip
    points = curves(fidelity).split('points="')[1].split('"')[0].split()
    assert points[0] == "0.0,0.0"
    assert points[-1] == "400.0,150.0"


def test_every_model_stands_with_licence_result_and_reliability(calibration: Calibration) -> None:
    manifest = load_manifest()
    page = models(manifest, {})
    assert Tags(page).seen.count("summary") == len(manifest.models)
    for card in manifest.models.values():
        assert escape(card.title) in page and escape(card.license) in page
    assert page.index(escape(manifest.card(manifest.default).title)) < page.index("</summary>")
    circles = Tags(reliability(calibration.reliability)).seen.count("circle")
    assert circles == len(calibration.reliability)


def test_bins_near_certainty_keep_apart_in_the_reliability_diagram() -> None:
    near = [ReliabilityBin(500, p, p) for p in (0.0005, 0.005, 0.995, 0.9995)]
    places = re.findall(r'circle cx="([\d.]+)" cy="([\d.]+)"', reliability(near))
    x = [float(at) for at, _ in places]
    assert min(b - a for a, b in pairwise(x)) > 20  # px of 200
    for across, down in places:
        assert float(across) + float(down) == pytest.approx(200, abs=0.11)  # on the diagonal


def test_what_was_not_measured_is_not_claimed(card: ModelCard) -> None:
    bare = replace(card, calibration=None, figures=Figures())
    page = models(Manifest("sface", {"sface": bare}), {})
    assert "accuracy not measured here" in page
    assert "svg" not in Tags(page).seen and "table" not in Tags(page).seen


def test_the_legend_is_well_formed_and_says_what_its_ends_mean() -> None:
    html = legend(0.0213, "change in cosine similarity")
    root = ElementTree.fromstring(html)
    words = " ".join(" ".join(root.itertext()).split())
    assert words.startswith("−0.021 less alike than at the bar 0 more alike than at the bar +0.021")
    assert words.endswith("change in cosine similarity")
    assert "from −0.021, less alike than at the bar, through 0" in root[0].attrib["aria-label"]
    assert "url(" not in html


def test_the_legend_of_raw_values_says_that_zero_is_no_effect() -> None:
    words = " ".join(ElementTree.fromstring(legend(0.02, "", "raw")).itertext())
    assert "makes them different" in words and "at the bar" not in words


def test_a_unit_cannot_smuggle_markup_into_the_page() -> None:
    html = legend(1.0, '"><script>alert(1)</script>')
    assert "<script" not in html
    ElementTree.fromstring(html)


def test_a_channel_has_a_tile_at_its_place_in_the_sheet(card: ModelCard, tmp_path: Path) -> None:
    interval = {"purity_interval": (0.8, 0.95), "share_interval": (0.7, 0.9)}
    metrics = {"n": 70, "purity": 0.9, "constant_purity": 0.5, "single": 1.0, **interval}
    sets = {"LFW, <aligned>": {"metrics": metrics, "causes": {"share": 0.8, **interval}}}
    mouth = Channel("mouth", True, 0.9, 0.97, 0.1, 1.0, (56.0, 90.0), 1.0)
    silent = replace(mouth, part="background", live=False, purity=0.0)
    data = Atlas((*[mouth] * 13, silent), {}).to_json()
    (tmp_path / "net.parts.json").write_bytes(data)
    pin = PinnedFile("net.parts.json", hashlib.sha256(data).hexdigest(), len(data))
    found = replace(card, parts=pin, figures=Figures(parts={"sets": sets}))
    page = models(Manifest("sface", {"sface": found}, tmp_path), {"sface": b"PNG"})
    assert page.count('class="atlas"') == 1 and page.count("--column:") == 14
    assert '--column:0;--row:1"></i><span>12 mouth</span> <b>97 %</b>' in page
    assert "13 silent" in page and "LFW, &lt;aligned&gt;" in page


def test_the_limits_name_the_groups_that_fare_best_and_worst(card: ModelCard) -> None:
    cells = [
        {"name": name, "photos": 400, "fmr": {"balanced": rate}, "interval": {"balanced": (0, 1)}}
        for name, rate in (("adults, mixed", 0.08), ("<a>", 0.031), ("b", 0.2), ("c", 0.4444))
    ]
    groups = {"protocol": "all pairs of a cell", "cells": cells}
    said = limits(replace(card, figures=Figures(groups=groups)))
    assert (
        f"{card.title} takes 8.0 % of strangers" in said
        and "from 3.1 % (&lt;a&gt;) to 44.4 % (c)" in said
    )
    assert "has not been measured here" in limits(replace(card, figures=Figures()))
    page = models(Manifest("sface", {"sface": replace(card, figures=Figures(groups=groups))}), {})
    assert "&lt;a&gt;" in page and "20.0 % (0.0 % to 100.0 %)" in page
