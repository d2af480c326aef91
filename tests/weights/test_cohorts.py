"""The conditional calibrations and cohorts that are shipped."""

import pytest

from xfv_core import Verifier
from xfv_core.confidence.measures import Table
from xfv_core.weights.manifest import load_manifest

MANIFEST = load_manifest()
CALIBRATED = [
    name
    for name, card in MANIFEST.models.items()
    if card.calibration and card.calibration.conditional
]


def test_every_bundled_network_has_one():
    assert {name for name, card in MANIFEST.models.items() if card.bundled} == set(CALIBRATED)


@pytest.mark.parametrize("name", CALIBRATED)
def test_a_cohort_fits_its_network_and_two_megabytes(name):
    verifier, card = Verifier(), MANIFEST.card(name)
    cohort = verifier.cohort(name)
    assert cohort is not None and card.cohort is not None
    assert cohort.faces.shape[1] == verifier.model(name).embedding_dim
    assert card.cohort.bytes <= 2_000_000


def test_all_cohorts_together_weigh_less_than_ten_megabytes():
    assert sum(MANIFEST.card(name).cohort.bytes for name in CALIBRATED) <= 10_000_000


@pytest.mark.parametrize("name", CALIBRATED)
def test_the_balanced_rule_asks_for_no_evidence_beyond_the_bar(name):
    curve = MANIFEST.card(name).calibration.conditional
    assert curve.rule("balanced").evidence == 0
    assert curve.rule("fmr_1e-3").evidence > 0
    assert {term.measure for term in curve.terms} <= set(Table.__dataclass_fields__)


@pytest.mark.parametrize("name", CALIBRATED)
def test_each_rule_says_on_whom_it_was_measured(name):
    for rule in MANIFEST.card(name).calibration.conditional.rules:
        assert rule.rates
        for rates in rule.rates.values():
            low, high = rates.fmr_interval
            assert low <= rates.fmr <= high and rates.n_impostor > 0
