"""Verdicts that take measures of both photos, on the example photos and the default network."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from xfv_core import Verifier, XfvError
from xfv_core.weights.manifest import load_manifest

EXAMPLES = Path(__file__).parents[1] / "examples"
FACE = 170  # px; the width of the face in obama2.jpg


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier()


def blurred(share: float, folder: Path) -> Path:
    photo = Image.open(EXAMPLES / "obama2.jpg").convert("RGB")
    file = folder / f"blur{share}.png"
    photo.filter(ImageFilter.GaussianBlur(share * FACE)).save(file)
    return file


@pytest.fixture(scope="module")
def verdict(verifier):
    return verifier.verify(EXAMPLES / "obama.jpg", EXAMPLES / "obama2.jpg")


def test_a_good_pair_gets_a_sure_answer_and_says_what_moved_its_bar(verdict):
    assert verdict.answer == "same" and verdict.confidence > 0.99
    assert verdict.measures is not None and verdict.usual_threshold is not None
    moved = sum(move.by for move in verdict.moved)
    assert verdict.threshold - verdict.usual_threshold == pytest.approx(moved, abs=0.02)
    assert verdict.bar_words.startswith("The bar is")


def test_the_likelihood_ratio_stays_within_its_bound(verdict):
    assert 1 < verdict.likelihood_ratio <= verdict.lr_bound
    assert 10**verdict.log10_lr == pytest.approx(verdict.likelihood_ratio)


def test_a_prior_moves_the_probability_and_even_odds_do_not(verdict):
    assert verdict.at_prior(0.5) == pytest.approx(verdict.probability_same)
    assert verdict.at_prior(0.001) < verdict.probability_same


@pytest.mark.parametrize("prior", [0, 1, -0.1, float("nan"), float("inf")])
def test_a_prior_that_is_none_is_refused_in_words(verdict, prior):
    with pytest.raises(XfvError, match="A prior lies between 0 and 1"):
        verdict.at_prior(prior)


@pytest.mark.parametrize("threshold", [1.01, -2, float("nan"), float("inf"), float("-inf")])
def test_a_threshold_that_no_similarity_can_be_is_refused_in_words(verifier, threshold):
    photos = EXAMPLES / "obama.jpg", EXAMPLES / "obama2.jpg"
    with pytest.raises(XfvError, match="A threshold is a similarity from -1 to 1"):
        verifier.verify(*photos, threshold=threshold)


@pytest.mark.parametrize("share", [0.04, 0.06, 0.08, 0.1])
def test_an_ever_more_blurred_photo_never_gets_a_sure_wrong_answer(verifier, tmp_path, share):
    found = verifier.verify(EXAMPLES / "obama.jpg", blurred(share, tmp_path))
    assert found.answer != "different"
    if share >= 0.1:
        assert found.answer == "cannot tell"
        assert found.words == "Cannot tell"


def test_ones_own_threshold_decides_instead(verifier):
    a, b = EXAMPLES / "obama.jpg", EXAMPLES / "obama2.jpg"
    found = verifier.verify(a, b, threshold=0.99)
    assert (found.same, found.answer, found.operating_point) == (False, "different", "own")
    assert found.threshold == 0.99


@pytest.mark.parametrize(("threshold", "answer"), [(0.99, "Different people"), (-0.5, "Same")])
def test_a_verdict_against_the_number_names_the_threshold_as_ones_own(verifier, threshold, answer):
    second = "obama2.jpg" if threshold > 0 else "biden.jpg"
    found = verifier.verify(EXAMPLES / "obama.jpg", EXAMPLES / second, threshold=threshold)
    assert found.words.startswith(answer) and found.confidence is None
    assert f"by your own threshold of {threshold:.2f}, though P(same person) is" in found.certainty
    assert f"your own threshold {threshold:.3f}" in found.sentence
    assert "sure" not in found.sentence
    assert found.bar_words.startswith("Your own threshold stays where it is")


def test_without_a_cohort_a_network_judges_by_the_similarity_alone():
    manifest = load_manifest()
    card = manifest.card("sface")
    plain = replace(card.calibration, conditional=None)
    alone = Verifier(manifest=manifest.changed("sface", calibration=plain, cohort=None))
    found = alone.verify(EXAMPLES / "obama.jpg", EXAMPLES / "obama2.jpg")
    assert found.measures is None and found.moved == () and found.bar_words == ""
    assert found.threshold == plain.point("balanced").threshold
    assert found.probability_same == plain.probability(found.similarity)
