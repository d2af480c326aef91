"""What the bundled part network promises, on its real weights and real faces."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from xfv_core import Verifier
from xfv_core.explain.parts import PartsFound
from xfv_core.faces.regions import REGIONS
from xfv_core.models.atlas import Atlas
from xfv_core.training.export import BYTE_LIMIT
from xfv_core.weights.hub import ROOT, read_pinned
from xfv_core.weights.manifest import load_manifest

pytestmark = pytest.mark.slow

NAME = "ecnet"


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier()


def parts_of(verifier: Verifier, a: object, b: object) -> PartsFound:
    return verifier.explained(a, b, method="parts").maps.details["parts"]


def masked(verifier: Verifier, photo: Path) -> bytes:
    """The photo with a light blue mask from under the nose to under the chin."""
    found, (face, *_) = verifier.faces(photo)
    left_eye, right_eye, nose, left, right = face.landmarks.astype(float)
    across, down = (right_eye - left_eye), ((left + right) - (left_eye + right_eye)) / 2
    top = nose + 0.25 * down
    corners = [top - across, top + across, nose + 0.9 * across + 1.1 * down,
               nose + 1.5 * down, nose - 0.9 * across + 1.1 * down]  # fmt: skip
    picture = Image.fromarray(found.pixels)
    ImageDraw.Draw(picture).polygon([tuple(c) for c in corners], fill=(150, 185, 215))
    memory = io.BytesIO()
    picture.save(memory, "PNG")
    return memory.getvalue()


def test_the_part_network_is_bundled_calibrated_small_and_known(verifier: Verifier) -> None:
    card = load_manifest().card(NAME)
    assert verifier.models_for("parts") == [NAME]
    assert card.bundled and (ROOT / card.bundled).stat().st_size <= BYTE_LIMIT
    assert card.calibration and card.figures.training and card.figures.results and card.parts
    assert (ROOT / "page" / "html" / f"atlas_{NAME}.png").exists()
    atlas = Atlas.from_json(read_pinned(card.parts, ROOT))
    assert len(atlas.channels) == card.config["channels"]


def test_every_part_of_a_whole_face_has_its_line(verifier: Verifier, examples: Path) -> None:
    found = parts_of(verifier, examples / "obama.jpg", examples / "obama2.jpg")
    nameless = found.atlas.nameless(REGIONS[1:])
    assert set(REGIONS[1:]) - set(nameless) <= {line.part for line in found.lines}
    assert nameless == ["chin"]  # a known lack of these weights: every other part has channels
    assert "No channel of this network finds the chin alone." in found.words("")
    assert not any(any(line.hidden) for line in found.lines)


def test_a_mask_hides_the_mouth_and_leaves_the_eyes(verifier: Verifier, examples: Path) -> None:
    whole = parts_of(verifier, examples / "obama.jpg", examples / "obama2.jpg")
    covered = parts_of(verifier, examples / "obama.jpg", masked(verifier, examples / "obama2.jpg"))
    lines = {line.part: line for line in covered.lines}
    before = {line.part: line for line in whole.lines}
    assert lines["mouth"].hidden == (False, True)
    for eye in ("left eye", "right eye"):
        assert lines[eye].hidden == (False, False)
        assert lines[eye].channels and set(lines[eye].channels) == set(before[eye].channels)


def test_the_channels_of_a_part_fire_on_it_in_both_photos(
    verifier: Verifier, examples: Path
) -> None:
    pair = [examples / "obama.jpg", examples / "obama3.jpg"]
    found = parts_of(verifier, *pair)
    eyes = {line.part: line.channels for line in found.lines}
    for side, photo in enumerate(pair):
        marks = verifier.portrait(photo, NAME).crop.landmarks / 8 - 0.5  # (5,2) in cells
        for part, mark in (("left eye", marks[0]), ("right eye", marks[1])):
            peaks = [
                np.unravel_index(int(found.maps[side, i].argmax()), found.maps.shape[2:])[::-1]
                for i in eyes[part]
                if found.maps[side, i].any()  # a silent one has no peak
            ]
            assert peaks
            assert all(np.linalg.norm(peak - mark) < 2 for peak in np.array(peaks))  # cells of 8 px
