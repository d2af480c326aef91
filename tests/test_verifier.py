"""Photos in, verdicts and explanations out: the whole way, on the example photos."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from xfv_core import Verifier, XfvError
from xfv_core.explain import MethodError
from xfv_core.faces import NoFaceError, decode
from xfv_core.models import FaceModel
from xfv_core.networks import RequestError
from xfv_core.results import percent

pytestmark = pytest.mark.slow


class Mean(FaceModel):
    """A toy: the embedding is the mean colour of the crop's left and right half."""

    name, input_size, embedding_dim = "facenet", 160, 6

    def embed(self, x: Tensor) -> Tensor:
        halves = torch.cat([part.mean((2, 3)) for part in x.chunk(2, dim=3)], dim=1)
        return nn.functional.normalize(halves.float(), dim=1)


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier()


def test_two_photos_of_one_person_are_the_same_and_of_two_are_not(
    verifier: Verifier, examples: Path
) -> None:
    pairs = json.loads((examples / "pairs.json").read_text())["pairs"]
    for pair in pairs:
        verdict = verifier.verify(examples / pair["a"], examples / pair["b"])
        assert verdict.same == pair["genuine"], pair
        assert verdict.confidence is not None and verdict.confidence > 0.5
        assert verdict.distance == pytest.approx(1 - verdict.similarity)


def test_the_order_of_the_photos_does_not_change_the_verdict(
    verifier: Verifier, examples: Path
) -> None:
    a, b = examples / "obama.jpg", examples / "biden.jpg"
    assert verifier.verify(a, b).similarity == pytest.approx(
        verifier.verify(b, a).similarity, abs=1e-6
    )


def test_a_photo_is_identical_to_itself(verifier: Verifier, examples: Path) -> None:
    verdict = verifier.verify(examples / "biden.jpg", examples / "biden.jpg")
    assert verdict.similarity == pytest.approx(1, abs=1e-5)
    assert verdict.confidence is not None and verdict.confidence < 1


def test_another_rule_keeps_the_probability_and_drops_a_confidence_it_does_not_support(
    verifier: Verifier, examples: Path
) -> None:
    a, b = examples / "obama.jpg", examples / "obama2.jpg"
    calibration = verifier.calibration("sface")
    assert calibration is not None
    for point in calibration.operating_points:
        verdict = verifier.verify(a, b, operating_point=point.name)
        p = verdict.probability_same
        assert p is not None
        assert verdict.same == (verdict.similarity >= point.threshold)
        assert (verdict.confidence is None) == (verdict.same != (p >= 0.5))


def test_methods_on_one_crop_say_how_far_they_agree(examples: Path) -> None:
    verifier, pair = Verifier(), (examples / "obama.jpg", examples / "obama2.jpg")
    assert verifier.explained(*pair, method="xssab").agreement == {}
    later = verifier.explained(*pair, method="fggb")
    assert set(later.agreement) == {"xssab"} and -1 <= later.agreement["xssab"] <= 1
    back = verifier.explained(*pair, method="xssab")  # from memory by now
    assert back.agreement == pytest.approx({"fggb": later.agreement["xssab"]})
    assert back.to_dict()["agreement"] == back.agreement
    other = verifier.explained(examples / "obama.jpg", examples / "biden.jpg", method="xssab")
    assert other.agreement == {}


def test_a_problem_names_the_photo_it_is_about(verifier: Verifier, examples: Path) -> None:
    with pytest.raises(XfvError, match=r"^The second photo: "):
        verifier.verify(examples / "obama.jpg", b"no photo")


def test_a_face_or_rule_or_model_or_method_that_is_not_there_is_said_in_words(
    verifier: Verifier, examples: Path
) -> None:
    pair = (examples / "obama.jpg", examples / "obama2.jpg")
    with pytest.raises(RequestError, match="no face 3"):
        verifier.verify(*pair, pick=(2, 0))
    with pytest.raises(XfvError, match="choose"):
        verifier.verify(*pair, operating_point="always")
    with pytest.raises(XfvError, match="no model 'eigenfaces'"):
        verifier.verify(*pair, model="eigenfaces")
    with pytest.raises(MethodError, match="no method 'tea leaves'"):
        verifier.explained(*pair, method="tea leaves")
    with pytest.raises(MethodError, match="no option 'sugar'"):
        verifier.explained(*pair, method="fggb", sugar=2)


def test_of_several_faces_the_largest_is_taken_and_another_can_be_picked(
    verifier: Verifier, examples: Path, tmp_path: Path
) -> None:
    with Image.open(examples / "obama.jpg") as one, Image.open(examples / "astronaut.jpg") as two:
        together = Image.new("RGB", (1000, 600))
        together.paste(ImageOps.contain(one, (500, 600)), (0, 0))
        together.paste(ImageOps.contain(two, (400, 400)), (550, 0))
    together.save(tmp_path / "two.png")
    answers = {
        pick: verifier.verify(tmp_path / "two.png", examples / "obama2.jpg", pick=(pick, 0))
        for pick in (0, 1)
    }
    assert answers[0].same != answers[1].same
    assert any("2 faces found" in note for note in answers[0].notes)


@pytest.mark.parametrize("method", ["occlusion", "fggb", "xssab"])
def test_an_explanation_ends_with_fidelity_words_and_pictures(
    verifier: Verifier, examples: Path, method: str
) -> None:
    options = {"preset": "fast"} if method == "occlusion" else {}
    request = {"method": method, **options}
    steps = list(verifier.explain(examples / "obama.jpg", examples / "obama2.jpg", **request))
    last = steps[-1]
    assert all(step.fidelity is None for step in steps[:-1])
    assert last.fidelity is not None and last.maps.progress == 1
    assert last.sentence.startswith("First photo: ")
    assert last.overlay("a").shape == (336, 336, 3)
    assert last.overlay("b", on="photo").shape == (800, 417, 3)
    assert Image.open(BytesIO(last.figure("png"))).format == "PNG"
    assert json.dumps(last.to_dict())
    again = list(verifier.explain(examples / "obama.jpg", examples / "obama2.jpg", **request))
    assert len(again) == 1 and again[0].maps is last.maps


def test_swapping_the_photos_swaps_the_maps(verifier: Verifier, examples: Path) -> None:
    a, b = examples / "obama.jpg", examples / "biden.jpg"
    there = verifier.explained(a, b, method="fggb").maps
    back = verifier.explained(b, a, method="fggb").maps
    np.testing.assert_allclose(there.a, back.b, atol=1e-6)
    np.testing.assert_allclose(there.b, back.a, atol=1e-6)


def test_an_uncalibrated_model_gives_no_percentage(examples: Path) -> None:
    verifier = Verifier()
    verifier.add(Mean(), replace(verifier.manifest.card("facenet"), calibration=None))
    verdict = verifier.verify(examples / "obama.jpg", examples / "biden.jpg", model="facenet")
    assert verdict.probability_same is None and verdict.confidence is None
    assert not verdict.calibrated
    assert verdict.operating_point == "indicative"
    assert verdict.threshold == pytest.approx(0.7)
    assert "%" not in verdict.sentence


def test_the_shown_photo_and_its_matrix_belong_together(examples: Path) -> None:
    with Image.open(examples / "obama.jpg") as photo:
        large = np.asarray(photo.resize((1920, 2400)))
    verifier = Verifier()
    portrait = verifier.portrait(large, "sface")
    shown, matrix = portrait.shown_photo()
    assert max(shown.shape) == 800
    face = portrait.faces[0]
    there = (face.landmarks + 0.5) / 3 - 0.5
    np.testing.assert_allclose(
        there @ matrix[:, :2].T + matrix[:, 2], portrait.crop.landmarks, atol=0.01
    )


@pytest.mark.parametrize(
    ("p", "said"),
    [(0.97, "97 %"), (0.5, "50 %"), (0.9996669, "99.97 %"), (0.003, "0.3 %"), (0.999, "99.9 %")],
)
def test_a_percentage_never_rounds_to_certainty(p: float, said: str) -> None:
    assert percent(p) == said


def test_a_photo_is_given_as_path_bytes_array_or_pillow_image(
    verifier: Verifier, examples: Path
) -> None:
    path, other = examples / "obama.jpg", examples / "biden.jpg"
    with Image.open(path) as opened:
        sources = [str(path), path.read_bytes(), np.asarray(opened), opened.copy()]
    answers = [verifier.verify(source, other).similarity for source in sources]
    assert np.ptp(answers) < 1e-6
    with pytest.raises(XfvError, match=r"^The second photo: .*float64 of shape \(9, 9, 3\)\.$"):
        verifier.verify(path, np.zeros((9, 9, 3)))


def test_two_arrays_never_share_what_is_remembered(verifier: Verifier, examples: Path) -> None:
    obama, biden = (np.array(Image.open(examples / f"{n}.jpg")) for n in ("obama", "biden"))
    assert verifier.verify(obama, examples / "obama2.jpg").same
    assert not verifier.verify(biden, examples / "obama2.jpg").same
    obama[:] = np.resize(biden, obama.shape)  # the array changed after it was remembered
    with pytest.raises(NoFaceError):
        verifier.verify(obama, examples / "obama2.jpg")


def test_a_file_is_decoded_once_whatever_its_name(
    verifier: Verifier, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (examples / "obama3.jpg").read_bytes() + b"not decoded before"
    (tmp_path / "copy.png").write_bytes(data)
    decoded = []
    truly = decode.decode
    monkeypatch.setattr(
        decode, "decode", lambda f, **how: decoded.append(len(f)) or truly(f, **how)
    )
    for source in (data, tmp_path / "copy.png", bytearray(data)):
        verifier.portrait(source, "sface")
        verifier.face_pictures(source)
    assert decoded == [len(data)]


def test_an_answer_lists_all_faces_with_boxes_in_the_order_of_choice(
    verifier: Verifier, examples: Path
) -> None:
    with Image.open(examples / "obama.jpg") as one, Image.open(examples / "astronaut.jpg") as two:
        together = Image.new("RGB", (1000, 600))
        together.paste(ImageOps.contain(two, (400, 400)), (0, 0))
        together.paste(ImageOps.contain(one, (500, 600)), (450, 0))
    verdict = verifier.verify(together, examples / "obama2.jpg")
    first, second = json.loads(json.dumps(asdict(verdict)))["found"]
    assert len(first) == 2 and len(second) == 1
    assert first[0]["box"][0] > 450 > first[1]["box"][2]
    assert all(len(face["box"]) == 4 and face["probability"] > 0.98 for face in first)


@pytest.mark.parametrize("name", ["obama", "biden", "astronaut", "obama_partial_face"])
def test_an_example_upside_down_is_compared_as_upright(
    verifier: Verifier, examples: Path, name: str
) -> None:
    upright = np.asarray(Image.open(examples / f"{name}.jpg"))
    verdict = verifier.verify(upright, np.rot90(upright, 2))
    assert verdict.similarity > 0.98
    assert any("Second photo: The photo is not upright" in note for note in verdict.notes)
