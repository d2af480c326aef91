"""Our MTCNN is facenet-pytorch's, without torchvision."""

from __future__ import annotations

from pathlib import Path

import facenet_pytorch
import numpy as np
import pytest
import torch
from facenet_pytorch.models.utils.detect_face import detect_face
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchvision.ops import nms

from xfv_core.faces.images import load_photo
from xfv_core.faces.mtcnn import MTCNN, PYRAMID, SURE, DetectorError, _loaded, _suppressed, rnet


@pytest.fixture(scope="module")
def detector() -> MTCNN:
    return MTCNN()


def theirs(
    pixels: NDArray[np.uint8], smallest: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    nets = facenet_pytorch.MTCNN()
    with torch.inference_mode():
        boxes, points = detect_face(
            pixels, smallest, nets.pnet, nets.rnet, nets.onet, list(SURE), PYRAMID, "cpu"
        )
    return np.asarray(boxes[0], np.float32), np.asarray(points[0], np.float32)


@pytest.mark.parametrize("name", ["obama", "biden", "astronaut", "obama2"])
@pytest.mark.parametrize(("step", "smallest"), [(1, 48), (2, 20)])
def test_faces_are_those_of_facenet_pytorch(
    name: str, step: int, smallest: float, examples: Path, detector: MTCNN
) -> None:
    pixels = np.ascontiguousarray(load_photo(examples / f"{name}.jpg").pixels[::step, ::step])
    boxes, points = detector.detect(pixels, smallest)
    expected_boxes, expected_points = theirs(pixels, smallest)
    assert len(boxes)
    np.testing.assert_allclose(boxes, expected_boxes, atol=2e-3)
    np.testing.assert_allclose(points, expected_points, atol=2e-3)


def test_several_faces_are_those_of_facenet_pytorch(examples: Path, detector: MTCNN) -> None:
    photos = [load_photo(examples / f"{name}.jpg").pixels for name in ("obama", "biden")]
    height = min(len(photo) for photo in photos)
    group = np.hstack([photo[:height] for photo in photos])
    boxes, points = detector.detect(group, 48)
    expected_boxes, expected_points = theirs(group, 48)
    assert len(boxes) >= 2
    np.testing.assert_allclose(boxes, expected_boxes, atol=2e-3)
    np.testing.assert_allclose(points, expected_points, atol=2e-3)


def test_a_plain_picture_has_no_face(detector: MTCNN) -> None:
    boxes, points = detector.detect(np.full((120, 160, 3), 127, np.uint8), 20)
    assert boxes.shape == (0, 5) and points.shape == (0, 5, 2)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_suppression_of_overlaps_is_that_of_torchvision(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 60, (n, 2))
    boxes = np.hstack([low, low + rng.uniform(5, 40, (n, 2)), rng.permutation(n)[:, None] / n])
    found = _suppressed(torch.from_numpy(boxes), 0.5)
    expected = nms(torch.from_numpy(boxes[:, :4]), torch.from_numpy(boxes[:, 4]), 0.5)
    assert found.tolist() == expected.tolist()


def test_a_face_beyond_the_edge_is_cut_like_any_other(examples: Path, detector: MTCNN) -> None:
    pixels = np.ascontiguousarray(load_photo(examples / "obama.jpg").pixels[150:, 200:])
    boxes, points = detector.detect(pixels, 20)
    expected_boxes, expected_points = theirs(pixels, 20)
    np.testing.assert_allclose(boxes, expected_boxes, atol=2e-3)
    np.testing.assert_allclose(points, expected_points, atol=2e-3)


def test_changed_detector_weights_are_refused_before_they_are_loaded(tmp_path: Path) -> None:
    data = (Path(facenet_pytorch.__file__).parent / "data" / "rnet.pt").read_bytes()
    copy = tmp_path / "rnet.pt"
    copy.write_bytes(data)
    assert not _loaded(rnet(), copy).training
    copy.write_bytes(data + b"\0")
    with pytest.raises(DetectorError, match=r"rnet\.pt .* reinstall"):
        _loaded(rnet(), copy)
