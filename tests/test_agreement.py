"""Maps of several methods and networks are compared where they are of the same crop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.test_own_networks import SIZE, Colours
from xfv_core import Verifier
from xfv_core.models import (
    own_card,
)


@pytest.fixture
def pair(examples: Path) -> tuple[Path, Path]:
    return examples / "obama.jpg", examples / "obama2.jpg"


@pytest.mark.slow
def test_networks_that_saw_the_same_crop_are_compared_by_name(pair: tuple[Path, Path]) -> None:
    verifier = Verifier(device="cpu")
    for name, title in (("colours", "Colours"), ("mirror", "Mirror")):
        verifier.add(Colours(), own_card(name, size=SIZE, threshold=0.8, title=title))
    first = verifier.explained(*pair, model="colours", method="xssab")
    assert first.agreement == {}
    same_method = verifier.explained(*pair, model="mirror", method="xssab")
    assert same_method.agreement == pytest.approx({"xssab (Colours)": 1.0})
    other = verifier.explained(*pair, model="mirror", method="fggb")
    assert set(other.agreement) == {"xssab", "xssab (Colours)"}
    assert other.agreement["xssab"] == pytest.approx(other.agreement["xssab (Colours)"])


@pytest.mark.slow
def test_a_network_that_saw_another_crop_is_not_compared(pair: tuple[Path, Path]) -> None:
    verifier = Verifier(device="cpu")
    card = own_card("colours", size=SIZE, threshold=0.8)
    boxed = own_card("boxed", size=SIZE, threshold=0.8, crop="box", margin=14)
    verifier.add(Colours(), card)
    verifier.add(Colours(), boxed)
    verifier.explained(*pair, model="colours", method="xssab")
    assert verifier.explained(*pair, model="boxed", method="xssab").agreement == {}


@pytest.mark.slow
def test_the_wording_of_a_normalisation_does_not_keep_maps_apart(
    pair: tuple[Path, Path],
) -> None:
    verifier = Verifier(device="cpu")
    for name, said in (("one", "x"), ("other", "x * 4 - 2")):
        card = own_card(name, size=SIZE, threshold=0.8)
        verifier.add(Colours(), replace(card, input=replace(card.input, normalisation=said)))
    verifier.explained(*pair, model="one", method="xssab")
    assert set(verifier.explained(*pair, model="other", method="xssab").agreement) == {
        "xssab (one)"
    }


# ---------------------------------------------------------------------------------- one thing asked
