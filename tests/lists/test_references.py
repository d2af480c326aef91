"""Several photos of one person against another photo: one answer, and what each says alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from typer.testing import CliRunner

from tests.lists.colours import NAME, Colours
from xfv_core import Verifier, explain_references, verify_references
from xfv_core.cli import app
from xfv_core.explain import make_method
from xfv_core.references import MOST, ReferencesError


def test_the_answer_is_the_similarity_to_the_mean_of_the_embeddings(
    verifier: Verifier, photos: Path
) -> None:
    a, b, c = (photos / f"{name}.png" for name in ("obama", "obama2", "biden"))
    found = verify_references(verifier, [a, b], c, model=NAME)
    network = verifier.model(NAME)
    rows = [network.embed(verifier.portrait(p, NAME).tensor()[None])[0].numpy() for p in (a, b, c)]
    mean = (rows[0] + rows[1]) / 2
    assert found.fused.similarity == pytest.approx(mean @ rows[2] / np.linalg.norm(mean), abs=1e-5)
    alone = [verifier.verify(p, c, model=NAME).similarity for p in (a, b)]
    assert [v.similarity for v in found.each] == pytest.approx(alone, abs=1e-6)


def test_one_reference_says_what_verify_says(verifier: Verifier, photos: Path) -> None:
    pair = photos / "obama.png", photos / "biden.png"
    found = verify_references(verifier, pair[:1], pair[1], model=NAME)
    assert found.fused.similarity == pytest.approx(
        verifier.verify(*pair, model=NAME).similarity, abs=1e-6
    )
    assert found.each == (found.fused,) and found.notes == ()


@pytest.mark.parametrize("count", [0, MOST + 1, 100])
def test_it_is_no_search_another_number_of_photos_is_refused(
    verifier: Verifier, photos: Path, count: int
) -> None:
    photo = photos / "obama.png"
    with pytest.raises(ReferencesError, match=f"One to 5 photos .* not {count}"):
        verify_references(verifier, [photo] * count, photo, model=NAME)


def test_references_of_two_people_are_noted(verifier: Verifier, photos: Path) -> None:
    pair = [photos / "obama.png", photos / "biden.png"]
    similarity = verifier.verify(*pair, model=NAME).similarity
    found = verify_references(verifier, pair, pair[0], model=NAME, threshold=similarity + 0.01)
    assert found.notes == (
        "References 1 and 2 do not look like one person; the answer means little.",
    )
    alike = verify_references(verifier, pair, pair[0], model=NAME, threshold=similarity - 0.01)
    assert alike.notes == ()


def test_a_reference_that_cannot_be_used_is_named(verifier: Verifier, photos: Path) -> None:
    good = photos / "obama.png"
    with pytest.raises(ReferencesError, match=r"^Reference 2: No face was found"):
        verify_references(verifier, [good, photos / "grey.png"], good, model=NAME)
    with pytest.raises(ReferencesError, match=r"^The other photo: This file is not a photo"):
        verify_references(verifier, [good], photos / "letter.png", model=NAME)


class Fused(Colours):
    """As if all references were one black photo, which no cover changes."""

    def __init__(self, template: torch.Tensor) -> None:
        super().__init__()
        self.template = template

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        black = x.flatten(1).amax(1) == 0
        return torch.where(black[:, None], self.template, super().embed(x))


def test_the_map_against_the_fusion_is_what_covering_does_to_the_fused_similarity(
    verifier: Verifier, photos: Path
) -> None:
    files = [photos / f"{name}.png" for name in ("obama", "obama2", "biden")]
    found = explain_references(verifier, files[:2], files[2], model=NAME, mode=2)
    a, b, other = (verifier.portrait(file, NAME).tensor() for file in files)
    template = functional.normalize(Colours().embed(torch.stack([a, b])).sum(0), dim=0)
    occlusion = make_method("occlusion", preset="fast", mode=2)
    *_, direct = occlusion(Fused(template), torch.zeros_like(other), other, threshold=0.5)
    assert np.abs(direct.b).max() > 0.01
    assert np.allclose(found.fused[2], direct.b, atol=1e-6)


def test_the_map_of_a_photo_given_twice_is_that_of_the_photo(
    verifier: Verifier, photos: Path
) -> None:
    pair = photos / "obama.png", photos / "biden.png"
    found = explain_references(verifier, [pair[0], pair[0]], pair[1], model=NAME)
    alone = verifier.explained(*pair, model=NAME, preset="fast").maps
    assert np.allclose(found.fused[0], alone.a / 2, atol=1e-6)
    assert np.allclose(found.fused[0], found.fused[1])
    assert np.allclose(found.fused[2], alone.b, atol=1e-6)


def test_the_best_reference_is_the_most_similar_and_has_judged_maps(
    verifier: Verifier, photos: Path
) -> None:
    files = [photos / f"{name}.png" for name in ("biden", "obama", "obama2")]
    found = explain_references(verifier, files[:2], files[2], model=NAME)
    each = verify_references(verifier, files[:2], files[2], model=NAME).each
    assert found.best == int(each[1].similarity > each[0].similarity)
    assert found.against_best.fidelity is not None
    assert len(found.fused) == len(found.portraits) == 3


def test_maps_without_a_unit_are_not_added(verifier: Verifier, photos: Path) -> None:
    with pytest.raises(ReferencesError, match="no unit"):
        explain_references(
            verifier, [photos / "obama.png"], photos / "biden.png", model=NAME, preset="paper"
        )


@pytest.mark.slow
def test_the_command_says_each_photos_own_similarity(examples: Path) -> None:
    command = ["verify", "--a", str(examples / "obama.jpg"), "--a", str(examples / "obama2.jpg"),
               "--b", str(examples / "obama3.jpg")]  # fmt: skip
    found = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert found["fused"]["same"] and len(found["each"]) == 2
    assert found["fused"]["similarity"] > min(each["similarity"] for each in found["each"])
    lines = CliRunner().invoke(app, command).stdout.splitlines()
    assert lines[0].startswith("Same person, ") and lines[1].startswith("obama.jpg alone: Same")


@pytest.mark.parametrize("words", [["a.jpg", "--b", "b.jpg"], ["--a", "a.jpg"], ["--b", "b.jpg"]])
def test_photos_named_half_are_refused(words: list[str]) -> None:
    result = CliRunner().invoke(app, ["verify", *words])
    assert result.exit_code == 2
    assert "Several photos take --a for each of them, and --b" in result.stderr
