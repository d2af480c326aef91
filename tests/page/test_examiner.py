"""The record of a comparison, and the part of a report that an examiner reads."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from page.html.answer import answer
from page.html.report import report
from xfv_core import Explanation, Verifier

NAMES = ("obama.jpg", "biden.jpg")


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier()


@pytest.fixture(scope="module")
def files(examples: Path) -> list[bytes]:
    return [(examples / name).read_bytes() for name in NAMES]


@pytest.fixture(scope="module")
def explanation(verifier: Verifier, files: list[bytes]) -> Explanation:
    return verifier.explained(*files, preset="fast")


def written(verifier: Verifier, found: Explanation, files: list[bytes]) -> str:
    card = verifier.manifest.card("sface")
    return str(report([found], card, card.calibration, datetime.now(timezone.utc), files))


@pytest.fixture(scope="module")
def page(verifier: Verifier, explanation: Explanation, files: list[bytes]) -> str:
    return written(verifier, explanation, files)


@pytest.fixture(scope="module")
def kept(page: str) -> dict[str, Any]:
    """The JSON that lies in the report."""
    found = re.search(r'<script type="application/json" id="record">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def test_the_record_names_both_files_by_hash_and_size(
    kept: dict[str, Any], files: list[bytes]
) -> None:
    for photo, file in zip(kept["photos"], files, strict=True):
        assert photo["sha256"] == hashlib.sha256(file).hexdigest()
        assert photo["bytes"] == len(file)


def test_the_record_holds_the_verdict_with_its_likelihood_ratio(
    kept: dict[str, Any], explanation: Explanation
) -> None:
    verdict = explanation.verdict
    assert kept["verdict"]["similarity"] == verdict.similarity
    assert kept["verdict"]["likelihood_ratio"] == verdict.likelihood_ratio
    assert kept["probability_at_priors"]["0.5"] == pytest.approx(verdict.probability_same)
    assert kept["probability_at_priors"]["0.1"] < verdict.probability_same


def test_a_report_carries_the_readers_prior(
    verifier: Verifier, explanation: Explanation, files: list[bytes]
) -> None:
    card = verifier.manifest.card("sface")
    page = str(
        report([explanation], card, card.calibration, datetime.now(timezone.utc), files, prior=0.03)
    )
    found = re.search(r'<script type="application/json" id="record">(.*?)</script>', page, re.S)
    assert found
    record = json.loads(found[1])
    assert record["prior"] == 0.03
    at_prior = explanation.verdict.at_prior(0.03)
    assert record["probability_at_priors"]["0.03"] == pytest.approx(at_prior)
    assert 'value="3" data-lr' in page and "0.03 the reader" in unescape(page)


def test_ones_own_threshold_stands_under_its_name(verifier: Verifier, files: list[bytes]) -> None:
    verdict = verifier.verify(*files, threshold=-0.5)
    card = verifier.manifest.card("sface")
    html = unescape(str(answer(verdict, card, card.calibration)))
    assert "Rule: A threshold of your own." in html
    assert "How often your own threshold errs was not measured." in html
    assert "Same person" in html and "% sure" not in html


def test_eye_distance_is_that_of_the_landmarks(
    kept: dict[str, Any], explanation: Explanation
) -> None:
    for photo, portrait in zip(kept["photos"], explanation.portraits, strict=True):
        left, right = portrait.faces[0].landmarks[:2]
        expected = ((left - right) ** 2).sum() ** 0.5
        assert photo["eye_distance_px"] == pytest.approx(expected, abs=0.06)


def test_an_examiner_reads_propositions_measures_rates_and_limits(page: str) -> None:
    text = unescape(page)
    for words in (
        "First proposition.", "Second proposition.", "Likelihood ratio", "By the similarity alone",
        "ISO/IEC 29794-5", "false non-matches", "Twins", "add nothing to the likelihood ratio",
    ):  # fmt: skip
        assert words in text


def test_nothing_in_the_record_can_end_its_script(
    verifier: Verifier, explanation: Explanation, files: list[bytes]
) -> None:
    hostile = replace(explanation.verdict, notes=("</script><script>alert(1)</script>",))
    page = written(verifier, replace(explanation, verdict=hostile), files)
    assert "<script>alert" not in page


def test_the_answer_says_what_moved_the_bar_and_how_strong_the_evidence_is(
    verifier: Verifier, explanation: Explanation
) -> None:
    card = verifier.manifest.card("sface")
    html = unescape(str(answer(explanation.verdict, card, card.calibration)))
    assert explanation.verdict.bar_words and explanation.verdict.bar_words in html
    assert ": 1 or more for two people" in html
    assert f'data-lr="{explanation.verdict.likelihood_ratio}"' in html


def test_cannot_tell_is_an_answer_of_its_own(verifier: Verifier, examples: Path) -> None:
    from PIL import Image, ImageFilter

    with Image.open(examples / "obama2.jpg") as photo:
        wide = photo.width
        blurred = photo.convert("RGB").filter(ImageFilter.GaussianBlur(0.04 * wide))
    verdict = verifier.verify(examples / "obama.jpg", blurred)
    card = verifier.manifest.card("sface")
    html = str(answer(verdict, card, card.calibration))
    assert verdict.answer == "cannot tell"
    assert "Cannot tell" in html and "% sure" not in html
