"""A gallery: built in shards, looked through row by row, never other than what was computed."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from torch import Tensor, nn

from page.html import explorer
from tests.gallery.test_verdicts import columns
from xfv_core import Verifier
from xfv_core.evaluation.data.pairs import PairSet
from xfv_core.evaluation.verdicts import gallery as building
from xfv_core.evaluation.verdicts.gallery import GalleryBuildError, Plan, build_shards, finish
from xfv_core.explain import Cost, Maps, make_method
from xfv_core.explain.base import smooth
from xfv_core.gallery import Gallery, GalleryError
from xfv_core.gallery.files import LEVELS, pack_map, unpack_map
from xfv_core.models import FaceModel
from xfv_core.results import explanation_of

N, MODEL = 7, "sface"


class Mean(FaceModel):
    """A toy: the embedding is the mean colour of the four quarters of the crop."""

    name, input_size, embedding_dim = MODEL, 112, 12

    def embed(self, x: Tensor) -> Tensor:
        quarters = nn.functional.adaptive_avg_pool2d(x, 2) - 0.5
        return nn.functional.normalize(quarters.flatten(1).float(), dim=1)


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    verifier = Verifier()
    verifier.add(Mean(), verifier.manifest.card(MODEL))
    return verifier


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Seven pairs of coloured squares, the even ones genuine, the first photo in every pair."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(N + 1):
        corners = rng.integers(0, 255, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(corners).resize((112, 112)).save(folder / f"{i}.png")
    pairs = PairSet(
        name="squares",
        paths_a=("0.png",) * N,
        paths_b=tuple(f"{i + 1}.png" for i in range(N)),
        labels=np.arange(N) % 2 == 0,
        folds=None,
    )
    return Plan(pairs, folder, True, [MODEL], methods=("random", "patches")[:1], sample=2)


@pytest.fixture(scope="module")
def small_shards() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "SHARD", 3)
        yield


@pytest.fixture(scope="module")
def folder(
    verifier: Verifier, plan: Plan, tmp_path_factory: pytest.TempPathFactory, small_shards: object
) -> Path:
    out = tmp_path_factory.mktemp("gallery")
    build_shards(verifier, plan, out)
    finish(verifier, plan, out)
    return out


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    return Gallery(folder)


def test_two_processes_make_what_one_makes(
    verifier: Verifier, plan: Plan, folder: Path, tmp_path: Path
) -> None:
    for index in (0, 1):
        build_shards(verifier, plan, tmp_path, process=(index, 2))
    finish(verifier, plan, tmp_path)
    for file in sorted(folder.iterdir()):
        if file.suffix == ".parquet":
            columns = [c for c in pq.read_schema(file).names if c != "maps"]  # they hold seconds
            assert pq.read_table(file, columns=columns).equals(
                pq.read_table(tmp_path / file.name, columns=columns)
            )
        else:
            assert file.read_text() == (tmp_path / file.name).read_text()


def test_a_killed_run_goes_on_with_what_is_missing(
    verifier: Verifier, plan: Plan, tmp_path: Path, small_shards: object
) -> None:
    with pytest.raises(GalleryBuildError, match="missing"):
        build_shards(verifier, plan, tmp_path, process=(1, 2))
        finish(verifier, plan, tmp_path)
    reported: list[tuple[int, int]] = []
    build_shards(verifier, plan, tmp_path, steps=lambda *done: reported.append(done))
    assert reported == [(1, 2), (2, 2)]  # of three shards
    assert finish(verifier, plan, tmp_path).n_pairs == N


def test_a_folder_takes_the_shards_of_one_plan_only(
    verifier: Verifier, plan: Plan, tmp_path: Path
) -> None:
    build_shards(verifier, plan, tmp_path, process=(1, 2))
    with pytest.raises(GalleryBuildError, match="another gallery"):
        build_shards(verifier, replace(plan, sample=3), tmp_path)


def test_verdicts_are_those_of_the_verifier(
    verifier: Verifier, plan: Plan, gallery: Gallery
) -> None:
    assert len(gallery.verdicts(MODEL)) == N
    for row in range(N):
        pair = gallery.portraits(MODEL, row)
        verdict, again = (
            gallery.verdict(MODEL, row),
            verifier.verify_portraits(pair, MODEL, "balanced"),
        )
        assert (verdict.same, verdict.calibrated) == (again.same, again.calibrated)
        assert (verdict.answer, verdict.sentence) == (again.answer, again.sentence)
        assert verdict.similarity == pytest.approx(again.similarity, abs=1e-6)
        assert verdict.threshold == pytest.approx(again.threshold, abs=1e-6)
        assert verdict.probability_same == pytest.approx(again.probability_same, abs=1e-6)
        original = Image.open(plan.store / plan.pairs.paths_b[row]).convert("RGB")
        assert np.array_equal(pair[1].crop.pixels, np.asarray(original))


def test_maps_are_stored_for_all_errors_and_a_sample(plan: Plan, gallery: Gallery) -> None:
    verdicts = gallery.verdicts(MODEL)
    stored = [bool(gallery.stored(MODEL, row)) for row in range(N)]
    wrong = verdicts.genuine != verdicts.same
    assert wrong.any() and not wrong.all()
    assert all(np.array(stored)[wrong])
    assert sum(stored) >= plan.sample
    known = ~np.isnan(verdicts.fidelity["random"])
    assert known.tolist() == stored


def test_a_stored_map_keeps_its_values_to_half_a_step_and_its_fidelity_whole(
    verifier: Verifier, gallery: Gallery
) -> None:
    pair, verdict = gallery.portraits(MODEL, 0), gallery.verdict(MODEL, 0)
    noise = np.random.default_rng(0).standard_normal((2, 112, 112)).astype(np.float32)
    maps = Maps(smooth(noise[0]), smooth(noise[1]), "fggb", MODEL, Cost(3, 0.5), unit="cosine")
    *_, judged = verifier.explain_portraits(pair, MODEL, make_method("random"), "balanced")
    stored = unpack_map(
        pack_map(explanation_of(verdict, maps, pair, judged.fidelity)), verdict, pair
    )
    peak = max(np.abs(maps.a).max(), np.abs(maps.b).max())
    assert np.abs(stored.shown.a - maps.a).max() <= 0.501 * peak / LEVELS
    assert np.abs(stored.shown.b - maps.b).max() <= 0.501 * peak / LEVELS
    assert (stored.maps.cost, stored.maps.unit) == (maps.cost, maps.unit)
    assert stored.fidelity is not None and judged.fidelity is not None
    for name, value in vars(judged.fidelity).items():
        assert np.array_equal(getattr(stored.fidelity, name), value)


def test_what_was_not_stored_is_computed(verifier: Verifier, gallery: Gallery) -> None:
    *_, last = gallery.explain(verifier, MODEL, 0, "xssab")
    assert last.maps.method == "xssab" and last.fidelity is not None


def test_other_weights_do_not_explain_the_verdicts_of_these(
    verifier: Verifier, folder: Path, tmp_path: Path
) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    info = json.loads((tmp_path / "gallery.json").read_text())
    info["models"][MODEL]["sha256"] = "0" * 64
    (tmp_path / "gallery.json").write_text(json.dumps(info))
    with pytest.raises(GalleryError, match="other weights"):
        next(Gallery(tmp_path).explain(verifier, MODEL, 0, "xssab"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"models": {}}', '{"models": {"a": {"methods": 1}}}']
)
def test_a_damaged_gallery_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "gallery.json").write_text(text)
    with pytest.raises(GalleryError, match="damaged"):
        _ = Gallery(tmp_path).info


@pytest.mark.parametrize(
    "about", ["", "{}", '{"unit": 1, "cost": {}, "fidelity": {}}', "NAN"], ids=repr
)
def test_a_damaged_map_is_refused_in_a_sentence(gallery: Gallery, about: str) -> None:
    row = next(i for i in range(N) if gallery.stored(MODEL, i))
    ((_, whole),) = gallery.stored(MODEL, row).items()
    packed = pack_map(whole)
    text = packed["about"].replace('"sd": ', '"sd": NaN, "was": ') if about == "NAN" else about
    verdict, pair = gallery.verdict(MODEL, row), gallery.portraits(MODEL, row)
    with pytest.raises(GalleryError, match="damaged"):
        unpack_map({**packed, "about": text}, verdict, pair)
    with pytest.raises(GalleryError, match="damaged"):
        unpack_map({**packed, "a": packed["a"][:-1]}, verdict, pair)


def test_an_older_gallery_is_to_be_built_again(folder: Path, tmp_path: Path) -> None:
    info = {**json.loads((folder / "gallery.json").read_text()), "format": 0, "unknown": 1}
    (tmp_path / "gallery.json").write_text(json.dumps(info))
    with pytest.raises(GalleryError, match="another version"):
        _ = Gallery(tmp_path).info


def test_a_gallery_cannot_name_files_elsewhere(folder: Path, tmp_path: Path) -> None:
    info = json.loads((folder / "gallery.json").read_text())
    info["models"][MODEL]["pairs"] = "../pairs-sface.parquet"
    (tmp_path / "gallery.json").write_text(json.dumps(info))
    with pytest.raises(GalleryError, match="build the gallery again"):
        _ = Gallery(tmp_path).info


def test_a_damaged_table_is_refused_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "gallery.json").write_bytes((folder / "gallery.json").read_bytes())
    (tmp_path / f"pairs-{MODEL}.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(GalleryError, match="damaged"):
        Gallery(tmp_path).verdicts(MODEL)


def test_what_is_not_there_is_refused_in_a_sentence(gallery: Gallery, tmp_path: Path) -> None:
    for ask in (
        lambda: Gallery(tmp_path).info,
        lambda: gallery.verdicts("nobody"),
        lambda: gallery.portraits(MODEL, N),
        lambda: gallery.verdict(MODEL, -1),
        lambda: gallery.image(MODEL, "nobody.png"),
        lambda: gallery.verdicts(MODEL).chosen("odd"),
        lambda: gallery.verdicts(MODEL).chosen(order="by name"),
    ):
        with pytest.raises(GalleryError):
            ask()


def test_the_page_shows_every_chosen_pair_once(gallery: Gallery) -> None:
    rows = gallery.verdicts(MODEL).chosen()
    page = explorer.grid(gallery, MODEL, rows, 99)  # beyond the last
    assert [page.count(f'data-row="{row}"') for row in range(N)] == [1] * N
    assert f"1 to {N} of {N} pairs" in page
    assert "No pair is like that" in explorer.grid(gallery, MODEL, rows[:0], 0)


def test_the_overview_counts_errors(gallery: Gallery) -> None:
    verdicts = gallery.verdicts(MODEL)
    misses = int((verdicts.genuine & ~verdicts.same).sum())
    page = explorer.overview(gallery, MODEL)
    assert f"<dd>{misses} of {int(verdicts.genuine.sum())}</dd>" in page
    assert page.count("<svg") == 3


def test_names_from_a_gallery_are_escaped(gallery: Gallery) -> None:
    evil = columns([(True, False, 0.1, 0.9, 0.1, 0.1)])
    evil = replace(evil, a=("<script>",), b=("<b>",), fidelity={})
    fake = Gallery("/nowhere")
    fake.__dict__["info"] = gallery.info
    fake._verdicts[MODEL] = evil
    page = explorer.opened(fake, MODEL, 0)
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_a_photo_without_a_face_is_left_out_and_named(
    examples: Path, tmp_path: Path, verifier: Verifier
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    memory = BytesIO()
    Image.new("RGB", (200, 200), "white").save(memory, "PNG")
    (photos / "wall.png").write_bytes(memory.getvalue())
    (photos / "biden.jpg").write_bytes((examples / "biden.jpg").read_bytes())
    pairs = PairSet(
        "two", ("biden.jpg", "biden.jpg"), ("wall.png", "biden.jpg"), np.array([False, True]), None
    )
    plan = Plan(pairs, photos, False, [MODEL], methods=("random",), sample=0)
    build_shards(verifier, plan, tmp_path / "out")
    assert finish(verifier, plan, tmp_path / "out").lost == ("wall.png",)
    built = Gallery(tmp_path / "out")
    assert built.verdicts(MODEL).a == ("biden.jpg",)
    assert built.portraits(MODEL, 0)[0].crop.landmarks.shape == (5, 2)
