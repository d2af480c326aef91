"""A patch dragged over a face of a real pair: the verdict follows, and pairs are forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from xfv_core import Ask, Verifier, XfvError
from xfv_core.explain.occluder import Patch
from xfv_core.models.base import embed_all
from xfv_core.occluder import HELD, Occluders

pytestmark = pytest.mark.slow
EYES = Patch(0, 0.3, 0.2, 0.6)


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier()


@pytest.fixture
def ask(examples: Path) -> Ask:
    return Ask((examples / "obama.jpg", examples / "obama2.jpg"))


def test_the_verdict_is_that_of_the_covered_crop(verifier: Verifier, ask: Ask) -> None:
    occluders = Occluders(verifier)
    covered = occluders.cover(occluders.open(ask), EYES)
    a, b = (verifier.portrait(photo, "sface").tensor() for photo in ask.photos)
    (top, left), (bottom, right) = EYES.window(112).tolist()
    a[:, top:bottom, left:right] = 0
    x, y = embed_all(verifier.model("sface"), torch.stack([a, b]), fast=False)
    assert covered.verdict.similarity == pytest.approx(float(x @ y), abs=1e-4)
    assert covered.before == pytest.approx(verifier.answer(ask).similarity, abs=1e-4)
    assert covered.verdict.similarity < covered.before


@pytest.mark.parametrize(
    ("patch", "region"),
    [
        (Patch(1, 0.75, 0.4, 0.15), "the mouth"),
        (Patch(0, 0.55, 0.43, 0.1), "the nose"),
        (Patch(0, 0, 0, 0.05), "the area outside the face"),
    ],
)
def test_the_place_is_said_in_words(
    verifier: Verifier, ask: Ask, patch: Patch, region: str
) -> None:
    occluders = Occluders(verifier)
    assert occluders.cover(occluders.open(ask), patch).region == region


def test_a_photo_that_is_refused_is_named(verifier: Verifier, ask: Ask) -> None:
    with pytest.raises(XfvError, match=r"^The second photo: "):
        Occluders(verifier).open(Ask((ask.photos[0], b"no photo")))


def test_few_pairs_are_held_and_the_oldest_go(verifier: Verifier, ask: Ask) -> None:
    occluders = Occluders(verifier)
    first, *_, last = (occluders.open(ask) for _ in range(HELD + 1))
    with pytest.raises(XfvError, match="not held any more"):
        occluders.cover(first, EYES)
    assert occluders.cover(last, EYES)
