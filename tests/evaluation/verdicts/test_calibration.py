"""The calibration run: which pairs shape the curve, which only score it, and the driver itself."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from xfv_core.confidence import Calibration, CalibrationError
from xfv_core.errors import XfvError
from xfv_core.evaluation.data.pairs import PairsError, PairSet
from xfv_core.evaluation.verdicts.calibration import (
    DEGRADATIONS,
    Similarities,
    calibrate,
    decode,
    measure,
    middle_square,
)
from xfv_core.evaluation.verdicts.evaluate import evaluate_model
from xfv_core.evaluation.verdicts.verification import verify
from xfv_core.models.base import FaceModel


def toy(n=600, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(2 * n) % 2 == 0
    return rng.normal(np.where(y, 0.6, 0.1), 0.15).clip(-1, 1), y


class MeanColour(FaceModel):
    """An 8 px network whose embedding is the direction of the mean colour from mid-grey."""

    name, input_size, embedding_dim = "mean-colour", 8, 3

    def __init__(self) -> None:
        super().__init__()
        self.grey = nn.Parameter(torch.tensor(0.5), requires_grad=False)

    def embed(self, x):
        return nn.functional.normalize(x.mean((2, 3)) - self.grey, dim=1)


def png(colour, size=8) -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", (size, size), tuple(colour)).save(memory, "PNG")
    return memory.getvalue()


class NoFaceError(XfvError):
    pass


@pytest.fixture
def coloured(tmp_path) -> PairSet:
    """People are hues: 60 genuine pairs of near colours, 60 impostor pairs of random ones."""
    rng = np.random.default_rng(1)
    hues = rng.integers(0, 256, (60, 3))
    near = np.clip(hues + rng.integers(-60, 61, (60, 3)), 0, 255)
    for i, (a, b) in enumerate(zip(hues, near, strict=True)):
        (tmp_path / f"{i}a.png").write_bytes(png(a))
        (tmp_path / f"{i}b.png").write_bytes(png(b))
    others = [(i + 7) % 60 for i in range(60)]
    return PairSet(
        name="hues",
        paths_a=tuple(f"{i}a.png" for i in [*range(60), *range(60)]),
        paths_b=tuple(f"{i}b.png" for i in [*range(60), *others]),
        labels=np.repeat([True, False], 60),
        folds=None,
        root=tmp_path,
    )


def test_the_curve_of_the_first_path_is_scored_on_every_other():
    s, y = toy()
    noisy = np.clip(s + np.random.default_rng(1).normal(0, 0.2, len(s)), -1, 1)
    result = calibrate(Similarities({"aligned": s}, {"noise": noisy}), y, dataset="toy")
    assert result.fitted_on == "aligned"
    assert result.paths["aligned"] == result.scores
    assert result.degraded["noise"].nll > result.scores.nll
    assert Calibration.from_dict(result.to_dict()) == result


def test_a_served_path_that_behaves_alike_leaves_the_curve_alone():
    (s, y), (served, _) = toy(seed=0), toy(seed=1)
    served = np.where(np.arange(len(y)) < 400, served, np.nan)
    result = calibrate(Similarities({"aligned": s, "served": served}, {}), y, dataset="toy")
    assert (result.fitted_on, result.n_genuine) == ("aligned", 600)
    assert result.paths["served"].n == 400


def test_a_served_path_that_drifts_is_what_the_curve_is_fitted_on():
    s, y = toy()
    drifted = np.where(np.arange(len(y)) < 800, s - 0.2, np.nan)
    result = calibrate(Similarities({"aligned": s, "served": drifted}, {}), y, dataset="toy")
    assert (result.fitted_on, result.n_genuine) == ("served", 400)
    assert result.point("balanced").threshold == pytest.approx(0.15, abs=0.03)
    assert result.paths["served"].ece < result.paths["aligned"].ece


def test_the_given_folds_are_the_ones_held_out():
    s, y = toy()
    folds = np.arange(len(y)) // 400
    assert "3 folds" in calibrate(Similarities({"aligned": s}, {}), y, folds, dataset="").protocol


def test_a_second_path_of_a_handful_of_pairs_is_refused():
    s, y = toy()
    few = np.where(np.arange(len(y)) < 30, s, np.nan)
    with pytest.raises(CalibrationError, match="15 genuine and 15 impostor pairs are too few"):
        calibrate(Similarities({"aligned": s, "served": few}, {}), y, dataset="")


def test_photos_of_a_single_fold_are_cut_into_folds_of_their_own():
    s, y = toy()
    folds = np.arange(len(y)) // 400
    served = np.where(folds == 1, s - 0.2, np.nan)
    paths = {"aligned": s, "served": served}
    result = calibrate(Similarities(paths, {}), y, folds, dataset="")
    assert (result.fitted_on, result.n_genuine) == ("served", 200)
    assert "10 folds" in result.protocol


def calibrated(pairs: PairSet) -> Calibration:
    similarities = measure(MeanColour(), pairs, images=pairs.root)
    return calibrate(similarities, pairs.labels, dataset=pairs.name)


def test_the_driver_embeds_photos_and_every_degraded_copy(coloured):
    result = calibrate(
        measure(MeanColour(), coloured, images=coloured.root),
        coloured.labels,
        dataset=coloured.name,
    )
    assert result.dataset == "hues"
    assert set(result.degraded) == set(DEGRADATIONS)
    assert result.n_genuine == result.n_impostor == 60
    assert result.point("balanced").fnmr < 0.5


def test_similarities_are_the_cosines_of_the_pairs(coloured):
    measured = measure(MeanColour(), coloured, images=coloured.root).paths["aligned"]
    pixels = [
        np.array(Image.open(coloured.root / p[7]))[0, 0]
        for p in (coloured.paths_a, coloured.paths_b)
    ]
    a, b = (p / 255 - 0.5 for p in pixels)
    assert measured[7] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)


def test_flat_colours_survive_degradation(coloured):
    measured = measure(MeanColour(), coloured, images=coloured.root)
    for similarities in measured.degraded.values():
        assert np.corrcoef(similarities, measured.paths["aligned"])[0, 1] > 0.99


def test_photos_without_a_face_are_lost_and_counted(coloured):
    unlucky = (coloured.root / coloured.paths_a[5]).read_bytes()

    def crop(photo: bytes):
        if photo == unlucky:
            raise NoFaceError("no face")
        return decode(photo)

    measured = measure(MeanColour(), coloured, photos=coloured.root, crop_photo=crop)
    assert list(measured.paths) == ["served"]
    assert measured.lost == (coloured.paths_a[5],)
    assert np.flatnonzero(np.isnan(measured.paths["served"])).tolist() == [5, 65]
    result = calibrate(measured, coloured.labels, dataset="hues")
    assert (result.fitted_on, result.n_genuine, result.n_impostor) == ("served", 59, 59)
    assert "photos without a face: 1" in result.protocol


def test_an_absent_photo_is_refused_unless_parts_are_allowed(coloured):
    (coloured.root / coloured.paths_b[3]).unlink()
    with pytest.raises(PairsError, match=r"no photo 3b\.png"):
        measure(MeanColour(), coloured, images=coloured.root)
    measured = measure(MeanColour(), coloured, images=coloured.root, partial=True)
    assert np.isnan(measured.paths["aligned"]).sum() == 2


def test_crops_of_the_wrong_size_and_files_that_are_no_pictures_are_refused(coloured):
    victim = coloured.root / coloured.paths_a[0]
    victim.write_bytes(png((1, 2, 3), size=9))
    with pytest.raises(PairsError, match="9x9 px, but this model takes 8x8"):
        measure(MeanColour(), coloured, images=coloured.root)
    victim.write_bytes(b"not a picture")
    with pytest.raises(PairsError, match="not a picture"):
        measure(MeanColour(), coloured, images=coloured.root)


def test_evaluating_without_folds_uses_the_calibrated_threshold_and_names_lost_photos(coloured):
    calibration = calibrate(
        measure(MeanColour(), coloured, images=coloured.root),
        coloured.labels,
        dataset=coloured.name,
    )
    unlucky = (coloured.root / coloured.paths_a[5]).read_bytes()

    def crop(photo: bytes):
        if photo == unlucky:
            raise NoFaceError("no face")
        return decode(photo)

    _, table = evaluate_model(
        MeanColour(), coloured, coloured.root, crop_photo=crop, calibration=calibration
    )
    assert json.loads(json.dumps(table))["lost"] == [coloured.paths_a[5]]
    assert table["threshold"] == calibration.point("balanced").threshold
    assert (table["path"], table["n_genuine"], table["n_impostor"]) == ("served", 59, 59)


def test_evaluating_aligned_crops_by_folds_needs_no_calibration(coloured):
    folded = replace(coloured, folds=np.arange(120) % 3)
    _, table = evaluate_model(MeanColour(), folded, coloured.root)
    assert (table["path"], table["threshold"], len(table["fold_accuracies"])) == (
        "aligned",
        None,
        3,
    )


def test_evaluating_without_folds_or_calibration_says_what_to_do(coloured):
    with pytest.raises(PairsError, match="run the calibrate command first"):
        evaluate_model(MeanColour(), coloured, coloured.root)


def test_a_run_without_photos_is_refused(coloured):
    with pytest.raises(PairsError, match="needs aligned images"):
        measure(MeanColour(), coloured, photos=coloured.root)


@pytest.fixture(scope="module")
def lfw_teacher(research_data):
    """Mirrored SFace embeddings that come with the photos, as similarities of the 6,000 pairs."""
    from xfv_core.evaluation.data.pairs import read_lfw_pairs

    stored = np.load(research_data / "lfw112_teacher.npz")
    pairs = read_lfw_pairs(research_data / "lfw_pairs.txt")
    a, b = pairs.rows(stored["files"].tolist())
    rows = stored["sface"].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows[a] * rows[b]).sum(1), pairs


@pytest.mark.data
def test_on_lfw_the_number_is_calibrated_and_beats_both_references(lfw_teacher):
    s, pairs = lfw_teacher
    result = calibrate(Similarities({"aligned": s}, {}), pairs.labels, pairs.folds, dataset="LFW")
    scores, others = result.scores, result.comparison
    assert scores.ece <= 0.005
    assert scores.ece_uncertain is not None
    assert scores.ece_uncertain_band is not None
    assert scores.ece_uncertain <= scores.ece_uncertain_band[1]
    for reference in ("raw_xface", "hard_labels"):
        assert scores.nll < others[reference].nll
        assert scores.brier < others[reference].brier
    assert scores.nll <= others["platt"].nll
    assert scores.brier <= others["platt"].brier


@pytest.mark.data
def test_on_lfw_the_ten_folds_give_the_accuracy_known_for_these_embeddings(lfw_teacher):
    s, pairs = lfw_teacher
    result = verify(s, pairs.labels, folds=pairs.folds)
    assert result.accuracy == pytest.approx(0.9953, abs=0.001)
    assert len(result.fold_accuracies) == 10


def test_the_middle_square_is_cut_where_it_lies_and_resized() -> None:
    pixels = np.zeros((100, 120, 3), np.uint8)
    pixels[40:60, 50:70] = 200
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, "PNG")
    larger = middle_square(memory.getvalue(), 20, 40)
    assert larger.shape == (40, 40, 3) and (larger[4:-4, 4:-4] == 200).all()
    framed = middle_square(memory.getvalue(), 40, 40)
    assert (framed[10:30, 10:30] == 200).all() and framed.sum() == 3 * 400 * 200
    with pytest.raises(PairsError, match="no square of 101 px"):
        middle_square(memory.getvalue(), 101, 40)
