"""Pair lists and the photos they name, from folders and tars."""

from __future__ import annotations

import io
import sys
import tarfile

import numpy as np
import pytest

from xfv_core.evaluation.data.pairs import (
    PairsError,
    PairSet,
    PhotoStore,
    fetch_lfw,
    read_csv_pairs,
    read_lfw_pairs,
    read_pairs,
)
from xfv_core.lists import ListError

LFW = "2\t1\nAda_Lovelace\t1\t2\nAda_Lovelace\t1\tAlan_Turing\t12\nBo\t3\t4\nBo\t1\tCy\t1\n"


def tar_of(path, photos: dict[str, bytes]):
    with tarfile.open(path, "w") as tar:
        for name, data in photos.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def lfw(tmp_path) -> PairSet:
    (tmp_path / "pairs.txt").write_text(LFW)
    return read_lfw_pairs(tmp_path / "pairs.txt", tmp_path)


def test_lfw_rows_become_names_labels_and_folds(lfw):
    assert lfw.paths_a[0] == "Ada_Lovelace/Ada_Lovelace_0001.jpg"
    assert lfw.paths_b == (
        "Ada_Lovelace/Ada_Lovelace_0002.jpg",
        "Alan_Turing/Alan_Turing_0012.jpg",
        "Bo/Bo_0004.jpg",
        "Cy/Cy_0001.jpg",
    )
    assert lfw.labels.tolist() == [True, False, True, False]
    assert lfw.folds is not None
    assert lfw.folds.tolist() == [0, 0, 1, 1]


def test_a_list_that_counts_only_its_pairs_has_no_folds(tmp_path):
    (tmp_path / "dev.txt").write_text("1\nBo\t3\t4\nBo\t1\tCy\t1\n")
    pairs = read_pairs(tmp_path / "dev.txt")
    assert pairs.folds is None
    assert len(pairs) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        ("hello\n", "format of LFW"),
        ("1\t1\nAda\tone\ttwo\nAda\t1\tBo\t1\n", "format of LFW"),
        ("1\t1\nAda\t1\n", "format of LFW"),
        (LFW.rsplit("\n", 2)[0], "announces 4 pairs but lists 3"),
    ],
)
def test_a_broken_lfw_list_is_refused_in_words(tmp_path, text, sentence):
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(PairsError, match=sentence):
        read_lfw_pairs(tmp_path / "pairs.txt")


def test_a_list_that_is_not_there_is_refused_in_words(tmp_path):
    with pytest.raises(PairsError, match="cannot be read"):
        read_lfw_pairs(tmp_path / "none.txt")


def test_csv_paths_are_relative_to_the_csv(tmp_path):
    (tmp_path / "mine.csv").write_text("path_a,path_b,label\na.jpg,sub/b.jpg,1\na.jpg,c.jpg,0\n")
    pairs = read_pairs(tmp_path / "mine.csv")
    assert pairs.root == tmp_path
    assert pairs.photos == ("a.jpg", "c.jpg", "sub/b.jpg")
    assert pairs.labels.tolist() == [True, False]
    assert pairs.folds is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\nx,y\n", "header path_a,path_b,label"),
        ("path_a,path_b,label\n", "at least one pair"),
        ("path_a,path_b,label\na,b,1\na,b,maybe\n", "line 3"),
        ("path_a,path_b,label\na,,1\n", "line 2"),
        ("path_a,path_b,label\na,b\n", "line 2"),
    ],
)
def test_a_broken_csv_is_refused_in_words(tmp_path, text, sentence):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises((PairsError, ListError), match=sentence):
        read_csv_pairs(tmp_path / "mine.csv")


def test_rows_point_back_at_the_photos(lfw):
    a, b = lfw.rows(lfw.photos)
    assert tuple(lfw.photos[i] for i in a) == lfw.paths_a
    assert tuple(lfw.photos[i] for i in b) == lfw.paths_b


def test_folder_and_tar_give_the_same_bytes(tmp_path):
    photos = {"Bo/Bo_0003.jpg": b"three", "Bo/Bo_0004.jpg": b"four"}
    for name, data in photos.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    tar = tar_of(tmp_path / "photos.tar", {f"./{name}": data for name, data in photos.items()})
    for root in (tmp_path / "folder", tar):
        with PhotoStore(root) as store:
            assert {name: store.read(name) for name in photos} == photos
            assert "Bo/Bo_0001.jpg" not in store
            with pytest.raises(PairsError, match=r"no photo Bo/Bo_0001\.jpg"):
                store.read("Bo/Bo_0001.jpg")


def test_a_root_that_is_no_folder_and_no_tar_is_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK")
    for root in (tmp_path / "x.zip", tmp_path / "nowhere"):
        with pytest.raises(PairsError, match="neither a folder, a tar nor"):
            PhotoStore(root)


def test_having_keeps_the_pairs_whose_two_photos_are_there(tmp_path, lfw):
    tar = tar_of(tmp_path / "some.tar", {"Bo/Bo_0003.jpg": b"", "Bo/Bo_0004.jpg": b"", "Cy/x": b""})
    with PhotoStore(tar) as store:
        some = lfw.having(store)
    assert (some.paths_a, some.paths_b) == (("Bo/Bo_0003.jpg",), ("Bo/Bo_0004.jpg",))
    assert some.labels.tolist() == [True]
    assert some.folds is not None
    assert some.folds.tolist() == [1]


def test_fetching_lfw_without_scikit_learn_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(PairsError, match="pip install scikit-learn"):
        fetch_lfw()


def test_fetching_lfw_reads_what_scikit_learn_has_downloaded(monkeypatch, tmp_path):
    datasets = pytest.importorskip("sklearn.datasets")

    def download(*, subset, data_home, resize):
        (tmp_path / "lfw_home").mkdir()
        (tmp_path / "lfw_home" / "pairs.txt").write_text(LFW)

    monkeypatch.setattr(datasets, "fetch_lfw_pairs", download)
    pairs = fetch_lfw(tmp_path)
    assert len(pairs) == 4
    assert pairs.root == tmp_path / "lfw_home" / "lfw_funneled"


def test_a_failed_download_is_one_sentence(monkeypatch, tmp_path):
    datasets = pytest.importorskip("sklearn.datasets")

    def refuse(**_):
        raise OSError("no route to host")

    monkeypatch.setattr(datasets, "fetch_lfw_pairs", refuse)
    with pytest.raises(PairsError, match="could not be downloaded: no route to host"):
        fetch_lfw(tmp_path)


@pytest.mark.data
def test_the_standard_lfw_list_fits_the_photos_here(research_data):
    pairs = read_lfw_pairs(research_data / "lfw_pairs.txt")
    assert (len(pairs), int(pairs.labels.sum()), len(pairs.photos)) == (6000, 3000, 7701)
    assert pairs.folds is not None
    assert np.bincount(pairs.folds).tolist() == [600] * 10
    with PhotoStore(research_data / "lfw112.tar") as crops:
        assert len(pairs.having(crops)) == 6000
    with PhotoStore(research_data / "lfw250_folds1-3.tar") as photos:
        some = pairs.having(photos)
    assert some.folds is not None
    assert np.bincount(some.folds).tolist() == [600] * 3
