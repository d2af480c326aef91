"""A gallery on its way to a data set on the Hub and back, on loopback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import huggingface_hub as hf
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants

from tests.weights.hub_server import HubServer
from xfv_core.gallery import Gallery, GalleryError, Info, ModelResults
from xfv_core.publish import PublishError, push_gallery

REPO = "mine/pairs"
FOUND = ModelResults("photos-aligned.parquet", "pairs-net.parquet", (), "balanced", "0" * 64)
INFO = Info("squares", "aligned", 2, 0, 0, "1.0", {"net": FOUND}, lost=("wall.png",))


@pytest.fixture
def hub(hub: HubServer, client: None, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """The one that everything is asked of."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    return hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "gallery"
    folder.mkdir()
    (folder / "gallery.json").write_text(INFO.to_json())
    for file in (FOUND.pairs, FOUND.photos):
        pq.write_table(pa.table({"name": ["a"]}), folder / file)
    (folder / "private.txt").write_text("not part of it")
    return folder


def test_exactly_the_files_of_the_gallery_are_sent_and_privately(
    hub: HubServer, folder: Path
) -> None:
    sent = push_gallery(folder, REPO, endpoint=hub.endpoint)
    there = f"datasets/{REPO}"
    assert hub.written.files == {there: dict(sent.files)}
    assert set(sent.files) == {"README.md", "gallery.json", FOUND.pairs, FOUND.photos}
    assert there in hub.written.private


def test_a_public_data_set_has_to_be_asked_for(hub: HubServer, folder: Path) -> None:
    push_gallery(folder, REPO, public=True, endpoint=hub.endpoint)
    assert not hub.written.private


def test_the_card_names_each_table_for_the_viewer_and_what_was_used(folder: Path) -> None:
    sent = push_gallery(folder, REPO, dry_run=True)
    card = hf.DatasetCard(sent.files["README.md"].decode())
    assert [c["data_files"] for c in card.data.to_dict()["configs"]] == [FOUND.pairs, FOUND.photos]
    assert FOUND.sha256 in card.text and "left out: 1" in card.text


def test_a_dry_run_asks_nobody(
    hub: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert "gallery.json" in push_gallery(folder, REPO, dry_run=True).listing
    assert hub.count() == 0


def test_a_folder_without_a_gallery_or_a_wrong_name_is_one_sentence(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(GalleryError, match="no gallery"):
        push_gallery(tmp_path, REPO, dry_run=True)
    with pytest.raises(PublishError, match="OWNER/NAME"):
        push_gallery(folder, "a/b/c", dry_run=True)


def test_what_was_pushed_is_read_from_one_commit(hub: HubServer, folder: Path) -> None:
    push_gallery(folder, REPO, endpoint=hub.endpoint)
    revision = hub.written.head(f"datasets/{REPO}")
    gallery = Gallery(f"{REPO}@{revision}")
    assert gallery.info == INFO
    (folder / "gallery.json").write_text(replace(INFO, name="newer").to_json())
    push_gallery(folder, REPO, endpoint=hub.endpoint)
    assert gallery._file(FOUND.pairs).parent.name == revision


def test_a_hub_without_it_is_one_sentence(hub: HubServer) -> None:
    with pytest.raises(GalleryError, match="nor a gallery on the Hub") as caught:
        _ = Gallery("nobody/nothing").info
    assert "\n" not in str(caught.value)
