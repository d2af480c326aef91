"""The model card says what the manifest entry says, every figure with what it was measured on."""

from __future__ import annotations

from dataclasses import replace

import huggingface_hub as hf
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.weights.hub.case import DATA, card_for
from xfv_core.confidence import fit
from xfv_core.publish import model_card
from xfv_core.weights.figures import Figures
from xfv_core.weights.manifest import InputSpec, load_manifest

CARD = card_for(DATA)


def test_the_card_of_a_calibrated_model_holds_its_figures() -> None:
    card = load_manifest().card("sface")
    read = hf.ModelCard(str(model_card(card)))
    assert read.data.license == "apache-2.0"
    assert "face-verification" in read.data.tags
    figures = {result.metric_type: result.metric_value for result in read.data.eval_results}
    assert card.calibration is not None
    calibration, scores = card.calibration, card.calibration.scores
    assert figures["ece"] == scores.ece
    for result in read.data.eval_results:
        assert result.dataset_name == calibration.dataset
        assert result.dataset_args == {"protocol": calibration.protocol}
        pairs = (scores.n, calibration.n_genuine, calibration.n_impostor)
        assert result.metric_args["n"] in pairs
    for text in (card.source, card.trained_on, card.paper, calibration.protocol):
        assert text in read.text
    low, high = scores.ece_band
    assert f"| {scores.n:,} | {scores.ece:.4f} ({low:.4f} to {high:.4f}) |" in read.text
    balanced = calibration.point("balanced")
    low, high = (100 * bound for bound in balanced.fmr_interval)
    rate = f"{100 * balanced.fmr:.2f} % ({low:.2f} to {high:.2f})"
    assert f"| balanced | {balanced.threshold:.3f} | {rate} |" in read.text


def test_every_rule_and_score_of_a_calibration_has_its_row() -> None:
    rng = np.random.default_rng(0)
    similarities = np.concatenate([rng.normal(0.6, 0.1, 60), rng.normal(0.1, 0.1, 60)])
    toy = fit(similarities, np.arange(120) < 60, dataset="Toy", protocol="ten folds")
    worse = replace(toy.scores, nll=9.5)
    toy = replace(toy, degraded={"fog": worse})
    text = model_card(replace(CARD, calibration=toy)).text
    assert "Data set: Toy, 60 pairs of the same person and 60 of two people" in text
    assert all(f"\n| {point.name} " in text for point in toy.operating_points)
    assert "| degraded: fog | 120 |" in text and "| 9.5000 |" in text


def test_the_card_says_how_the_bar_of_a_pair_was_fitted_and_how_often_its_rules_are_wrong() -> None:
    card = load_manifest().card("sface")
    assert card.calibration and card.cohort
    curve = card.calibration.conditional
    assert curve
    text = model_card(card).text
    for said in (
        curve.protocol,
        card.cohort.sha256,
        "people held out",
        "Twins, look-alikes",
        "κ (s",
    ):
        assert said.lower() in text.lower()
    rates = curve.rates("balanced")["people held out"]
    assert f"| balanced | people held out | {100 * rates.fmr:.2f} % (" in text


def test_what_evaluate_kept_of_the_probability_stands_before_and_after() -> None:
    card = load_manifest().card("sface")
    sure = {"share": 0.7, "right": 0.996, "right_interval": (0.99, 0.998)}
    judged = {"ece": 0.01, "ece_band": (0.002, 0.008), "cllr": 0.15, "above_99": sure}
    row = {
        "path": "aligned", "n": 4000, "folds": 0,
        "accuracy": {"mean": 0.96, "low": 0.95, "high": 1},
        "eer": 0.04, "eer_interval": (0.03, 0.05), "measures": True, "probability": judged,
        "alone": {"probability": {**judged, "ece": 0.043, "cllr": 0.274}},
    }  # fmt: skip
    text = model_card(replace(card, figures=Figures(results={"strangers": row}))).text
    expected = (
        "0.0100 (0.0020 to 0.0080) [0.0430] | 0.150 [0.274] | 70.0%, 99.60 % (99.00 to 99.80)"
    )
    assert f"| strangers (4,000 pairs) | {expected} |" in text


def test_a_network_whose_length_nobody_told_is_known_by_its_hash() -> None:
    text = model_card(replace(CARD, bytes=None)).text
    assert f"`model.safetensors`, sha256 `{CARD.sha256}`" in text and "None" not in text


def test_the_card_of_an_uncalibrated_model_says_so() -> None:
    card = load_manifest().card("facenet")
    read = hf.ModelCard(str(model_card(replace(card, calibration=None))))
    assert read.data.eval_results is None
    assert "Not calibrated" in read.text
    assert "not measured here: cosine distance 0.3 (deepface" in read.text


def test_a_licence_that_is_more_than_an_id_is_named_and_written_out() -> None:
    card = replace(CARD, license="MIT for code; research only")
    read = model_card(card)
    assert (read.data.license, read.data.license_name) == ("other", "mit-for-code-research-only")
    assert "- Licence: MIT for code; research only\n" in read.text


def test_stored_results_and_training_are_on_the_card() -> None:
    row = {
        "path": "aligned",
        "n": 6000,
        "accuracy": {"mean": 0.991, "low": 0.988, "high": 0.993},
        "eer": 0.01,
        "eer_interval": [0.008, 0.012],
        "folds": 10,
    }
    training = {"command": "python -m xfv_core train", "seed": 0}
    text = model_card(replace(CARD, figures=Figures(training, {"LFW": row}))).text
    assert "- Training: command: python -m xfv_core train; seed: 0\n" in text
    assert (
        "| LFW, aligned crops | 6,000 | 10 folds, threshold of the others "
        "| 99.10 % (98.80 to 99.30) | 1.00 % (0.80 to 1.20) |" in text
    )


def test_a_box_crop_is_described_with_its_margin() -> None:
    spec = InputSpec(size=160, crop="box", normalisation="x", margin=14)
    assert "160 x 160 px RGB, the detector's box with a margin of 14 px" in (
        model_card(replace(CARD, input=spec)).text
    )


WORDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)


@given(title=WORDS, license=WORDS, notes=WORDS)
def test_any_text_of_an_entry_leaves_the_card_readable(**texts: str) -> None:
    read = hf.ModelCard(str(model_card(replace(CARD, **texts))))
    assert read.data.license
    assert f"# {texts['title']}\n" in read.text and f"- Notes: {texts['notes']}\n" in read.text


def test_the_card_of_a_part_network_says_what_its_channels_find() -> None:
    card = load_manifest().card("ecnet")
    text = model_card(card).text
    for name, found in card.figures.parts["sets"].items():
        low, high = (100 * bound for bound in found["metrics"]["purity_interval"])
        purity = f"{100 * found['metrics']['purity']:.2f} % ({low:.2f} to {high:.2f})"
        assert f"| {name} | {found['metrics']['n']:,} | {purity} |" in text
    assert "**Channels**" not in model_card(replace(card, figures=Figures())).text


def test_the_card_says_whom_a_model_confuses_or_that_nobody_measured_it() -> None:
    card = load_manifest().card("sface")
    text = model_card(card).text
    worst = max(card.figures.groups["cells"], key=lambda cell: cell["fmr"]["balanced"])
    assert f"up to {100 * worst['fmr']['balanced']:.0f} % of strangers ({worst['name']})" in text
    for cell in card.figures.groups["cells"]:
        assert f"| {cell['name']} | {cell['photos']} | " in text
    assert "per group of people have not been measured" in model_card(CARD).text
