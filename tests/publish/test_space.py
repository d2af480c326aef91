"""The page on its way to a Space: exactly what it needs, and that is enough."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import huggingface_hub as hf
import pytest

from page.widgets import listed_models
from tests.page.browser import serving
from tests.weights.hub_server import HubServer
from xfv_core.publish import PublishError, publish_space
from xfv_core.publish.space import space_files
from xfv_core.weights.hub import ROOT
from xfv_core.weights.manifest import load_manifest


@pytest.fixture(scope="module")
def card() -> hf.SpaceCard:
    return hf.SpaceCard.load(ROOT / "README.md")


def test_research_and_tests_stay_at_home() -> None:
    files = space_files()
    folders = {path.split("/")[0] for path in files}
    assert folders == {
        "CHANGELOG.md", "CITATION.cff", "DATA.md", "LICENSE", "README.md", "RESULTS.md",
        "SECURITY.md", "app.py", "docs", "examples", "page", "requirements.txt", "results",
        "weights.json", "xfv_core",
    }  # fmt: skip
    assert not [path for path in files if re.search("training|evaluation|__pycache__", path)]


@pytest.mark.parametrize("document", ["README.md", "SECURITY.md", "DATA.md", "RESULTS.md"])
def test_what_a_document_links_to_is_sent_with_it(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert not set(linked) - set(space_files())


def test_the_thumbnail_is_a_picture_that_is_sent_and_named_by_its_address(
    card: hf.SpaceCard,
) -> None:
    picture = card.data.to_dict()["thumbnail"]
    sent = publish_space("you/xfv", dry_run=True).files
    assert picture in sent
    address = f"https://huggingface.co/spaces/you/xfv/resolve/main/{picture}"
    assert f"thumbnail: {address}\n" in sent["README.md"].decode()


@pytest.mark.slow
def test_a_fresh_folder_with_only_those_files_serves_the_page(tmp_path: Path) -> None:
    for name, data in publish_space("you/xfv", dry_run=True).files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with serving(folder=tmp_path) as app:
        page = httpx.get(app.url, timeout=60)
        assert page.status_code == 200 and "face verification" in page.text


def test_one_commit_to_a_space_holds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    with HubServer() as hub:
        sent = publish_space("mine/xfv", endpoint=hub.endpoint)
        assert hub.written.files == {"spaces/mine/xfv": dict(sent.files)}
        assert hub.written.commits == 1


def test_a_wrong_name_or_half_a_copy_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="OWNER/NAME"):
        publish_space("a/b/c", dry_run=True)
    (tmp_path / "weights.json").write_bytes((ROOT / "weights.json").read_bytes())
    with pytest.raises(PublishError, match="whole copy"):
        space_files(tmp_path)


def test_the_space_preloads_what_its_page_offers_and_does_not_bring(
    card: hf.SpaceCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "onnxruntime" not in (ROOT / "requirements.txt").read_text()
    monkeypatch.setattr("page.widgets.find_spec", lambda name: None)
    models = load_manifest().models
    pinned = [
        f"{hub.repo_id} {hub.filename} {hub.revision}"
        for name in listed_models()
        if (hub := models[name].hub)
    ]
    data = card.data.to_dict()
    assert data["preload_from_hub"] == pinned
    assert data["models"] == [line.split()[0] for line in pinned]


def test_the_space_runs_the_gradio_that_is_pinned(card: hf.SpaceCard) -> None:
    pins = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().split())
    assert card.data.to_dict()["sdk_version"] == pins["gradio"]
    assert (ROOT / card.data.to_dict()["app_file"]).is_file()
