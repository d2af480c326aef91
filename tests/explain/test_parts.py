"""Parts that speak for and against, on a network whose channels are colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from page.html.parts import example
from tests.models.test_ecnet import TOY
from xfv_core.explain import Maps, MethodError, make_method
from xfv_core.explain.parts import OTHER, PartLine, PartsFound
from xfv_core.models.atlas import Atlas, Channel
from xfv_core.models.ecnet import ECNet, PartNet

EYE, MOUTH = (3, 4), (10, 7)  # cells (row, column)


class Colours(PartNet):
    """Maps are red, green and blue in 14x14 cells; the embedding is their peaks."""

    def __init__(self) -> None:
        super().__init__(replace(TOY, channels=3), name="colours")
        channels = [
            Channel(part, True, 1.0, purity, 0.1, 1.0, (0.0, 0.0), 1.0)
            for part, purity in (("left eye", 0.9), ("mouth", 0.95), ("chin", 0.3))
        ]
        self.measured = Atlas(tuple(channels), {"left eye": 0.2, "mouth": 0.2})

    def maps(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, 8)

    def embed_maps(self, maps: Tensor) -> Tensor:
        return functional.normalize(maps.flatten(2).amax(2), dim=1)


def photo(eye: float, mouth: float, chin: float = 0.0) -> Tensor:
    x = torch.zeros(3, 112, 112)
    for channel, (row, column), value in ((0, EYE, eye), (1, MOUTH, mouth), (2, (13, 7), chin)):
        x[channel, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = value
    return x


def explained(a: Tensor, b: Tensor, model: ECNet | None = None, view: str = "raw") -> Maps:
    (maps,) = make_method("parts", view=view)(model or Colours(), a, b, threshold=0.3)
    return maps


def found(a: Tensor, b: Tensor) -> PartsFound:
    return explained(a, b).details["parts"]


def test_a_part_adds_what_the_similarity_loses_without_it() -> None:
    pair = found(photo(0.6, 0.8), photo(0.8, 0.6))
    assert pair.similarity == pytest.approx(0.96)
    # without the eye both embeddings are all mouth, so the cosine rises to 1
    adds = {line.part: line.adds for line in pair.lines}
    assert adds["left eye"] == pytest.approx(0.96 - 1, abs=1e-5)
    assert adds["mouth"] == pytest.approx(0.96 - 1, abs=1e-5)
    unlike = found(photo(0.6, 0.8, 0.5), photo(0.6, 0.8, 0.0))
    e = np.array([0.6, 0.8, 0.5])
    s = e[:2] @ e[:2] / np.linalg.norm(e)
    assert unlike.similarity == pytest.approx(s)
    assert {x.part: x.adds for x in unlike.lines}[OTHER] == pytest.approx(s - 1)


def test_channels_without_a_part_are_counted_as_such() -> None:
    lines = {line.part: line for line in found(photo(0.6, 0.8, 0.5), photo(0.8, 0.6, 0.5)).lines}
    assert set(lines) == {"left eye", "mouth", OTHER}
    assert lines[OTHER].channels == (2,)


def test_a_part_that_does_not_show_is_hidden_and_leaves_the_map() -> None:
    whole, masked = photo(0.6, 0.8, 0.5), photo(0.6, 0.0, 0.5)
    maps = explained(whole, masked)
    lines = maps.details["parts"].lines
    assert lines[-1].part == "mouth" and lines[-1].hidden == (False, True)
    assert not any(any(line.hidden) for line in lines[:-1])
    assert not maps.a[80:88, 56:64].any()  # where the mouth fires in the whole photo
    assert maps.a[24:32, 32:40].any()
    said = maps.details["parts"].words("")
    assert "\nNot found in the second photo, so not counted: the mouth.\n" in said
    nameless = said.splitlines()[-1]  # the toy has an eye, a mouth, and a chin that is none
    assert nameless.startswith(
        "No channel of this network finds the eye on the right of the picture,"
    )
    assert nameless.endswith("and the chin alone.") and "mouth" not in nameless
    assert "the mouth (" not in said


def test_the_map_lies_where_the_channels_fire_and_sums_to_what_they_add() -> None:
    maps = explained(photo(0.6, 0.8, 0.5), photo(0.8, 0.6, 0.2))
    single = maps.details["parts"].single
    assert maps.a.shape == (112, 112)
    assert maps.a.sum() == pytest.approx(single.sum(), abs=1e-5)
    eye = maps.a[16:40, 24:48]
    assert eye.sum() == pytest.approx(single[0], rel=0.05)
    assert not maps.a[:, 90:].any()


def test_swapping_the_photos_swaps_the_maps_and_keeps_the_parts() -> None:
    a, b = photo(0.6, 0.8, 0.5), photo(0.8, 0.6, 0.2)
    there, back = explained(a, b), explained(b, a)
    np.testing.assert_allclose(there.a, back.b, atol=1e-6)
    np.testing.assert_allclose(there.b, back.a, atol=1e-6)
    for one, other in zip(there.details["parts"].lines, back.details["parts"].lines, strict=True):
        assert one.adds == pytest.approx(other.adds, abs=1e-6)


def test_identical_photos_have_nothing_against() -> None:
    maps = explained(photo(0.6, 0.8, 0.5), photo(0.6, 0.8, 0.5))
    pair = maps.details["parts"]
    assert pair.similarity == pytest.approx(1)
    assert all(line.adds == 0 for line in pair.lines) and not maps.a.any()  # not even rounding


def test_as_evidence_the_parts_that_were_found_add_up_to_what_the_threshold_leaves() -> None:
    for b in (photo(0.8, 0.6, 0.2), photo(0.6, 0.0, 0.5)):
        maps = explained(photo(0.6, 0.8, 0.5), b, view="evidence")
        pair = maps.details["parts"]
        assert sum(line.value for line in pair.lines) == pytest.approx(pair.similarity - 0.3)
        assert all(line.value == 0 for line in pair.lines if any(line.hidden))
    assert maps.view == "evidence" and maps.a[24:32, 32:40].any()


def test_identical_photos_have_evidence_for_them_alone() -> None:
    maps = explained(photo(0.6, 0.8, 0.5), photo(0.6, 0.8, 0.5), view="evidence")
    assert all(line.value > 0 for line in maps.details["parts"].lines)
    assert maps.a.min() >= 0 and maps.a.sum() == pytest.approx(0.7, abs=1e-4)


def test_features_of_no_part_are_not_said_to_be_nothing() -> None:
    line = PartLine(OTHER, 0.12, (False, False), (2,), 0.12)
    pair = PartsFound((line,), np.zeros(3, np.float32), np.zeros((2, 3, 4, 4), np.float32), 0.5,
                      Colours().atlas())  # fmt: skip
    assert pair.words("").startswith("For: features tied to no one part (+0.12).")


def test_a_network_whose_channels_are_not_known_is_refused() -> None:
    model = ECNet(replace(TOY, channels=3), name="colours")  # nobody has measured its channels
    with pytest.raises(MethodError, match="colours find no parts"):
        explained(photo(1, 1), photo(1, 1), model)


def test_plain_data_has_a_row_per_part() -> None:
    data = found(photo(0.6, 0.8, 0.5), photo(0.8, 0.6)).to_dict()
    assert {row["part"] for row in data["parts"]} == {"left eye", "mouth", OTHER}
    silent = found(photo(0.6, 0.8), photo(0.8, 0.6)).to_dict()
    assert {row["part"] for row in silent["parts"]} == {"left eye", "mouth"}
    assert data["parts"][0]["hidden"] == (False, False)


def test_the_channel_that_is_shown_fires_in_both_photos_if_one_does() -> None:
    line = PartLine("mouth", 0.1, (False, False), (2, 0, 1), 0.1)
    maps = np.zeros((2, 3, 4, 4), np.float32)
    maps[:, 1, 0, 0], maps[0, 2, 0, 0] = 0.5, 1.0
    pair = PartsFound((line,), np.zeros(3, np.float32), maps, 0.5, Colours().atlas())
    assert example(pair, line) == 1
    assert example(replace(pair, maps=maps * 0.1), line) == 2
