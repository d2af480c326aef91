"""Publishing to a Hub on loopback: what arrives, what is noted, and every way to be refused."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.publish.conftest import TOKEN
from tests.weights.hub.case import DATA, FILE, card_for, is_right
from tests.weights.hub_server import HubServer
from xfv_core.publish import PublishError, publish_model
from xfv_core.weights.hub import ROOT, WeightsError, load_tensors
from xfv_core.weights.manifest import Manifest, PinnedFile, load_manifest, save_manifest

REPO = "mine/net"
PATHS = ["README.md", "config.json", "model.safetensors"]
CARD = replace(card_for(DATA), hub=None, bundled="weights/net.safetensors")
MANIFEST = Manifest("net", {"net": CARD})

pytestmark = pytest.mark.usefixtures("client")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "net.safetensors").write_bytes(DATA)
    return tmp_path


@pytest.fixture
def publish(hub: HubServer, root: Path) -> Any:
    return partial(publish_model, MANIFEST, "net", REPO, root=root, endpoint=hub.endpoint)


# --- what arrives -------------------------------------------------------------------------------


def test_a_fresh_install_loads_what_was_published(
    hub: HubServer, publish: Any, tmp_path: Path
) -> None:
    noted = tmp_path / "noted.json"
    save_manifest(MANIFEST.changed("net", hub=publish().hub, bundled=None), noted)
    assert is_right(load_tensors(load_manifest(noted).card("net"), endpoint=hub.endpoint))


def test_one_commit_holds_card_config_and_weights(hub: HubServer, publish: Any) -> None:
    sent = publish()
    assert hub.written.files == {REPO: dict(sent.files)}
    assert sorted(sent.files) == PATHS
    assert sent.files["model.safetensors"] == DATA
    assert hub.written.commits == 1
    assert (sent.hub.repo_id, sent.hub.revision) == (REPO, hub.written.head(REPO))
    assert json.loads(sent.files["config.json"]) == {
        "name": "net",
        "arch": "net",
        "config": {},
        "input": {"size": 8, "crop": "template", "normalisation": "x", "margin": 0},
        "version": "0.1.0",
    }


def test_the_cohort_and_the_curve_that_takes_measures_are_sent_with_it(
    hub: HubServer, root: Path
) -> None:
    faces = b"mean embeddings of three or more faces"
    (root / "weights" / "net.cohort.safetensors").write_bytes(faces)
    sha256 = hashlib.sha256(faces).hexdigest()
    pin = PinnedFile("weights/net.cohort.safetensors", sha256, len(faces))
    calibration = load_manifest().card("sface").calibration
    measured = MANIFEST.changed("net", cohort=pin, calibration=calibration)
    sent = publish_model(measured, "net", REPO, root=root, endpoint=hub.endpoint)
    assert hub.written.files[REPO]["cohort.safetensors"] == faces
    config = json.loads(sent.files["config.json"])
    assert config["cohort"] == {"file": "cohort.safetensors", "sha256": sha256, "bytes": len(faces)}
    assert config["conditional"]["bar"] == calibration.conditional.bar
    assert sha256 in sent.files["README.md"].decode()


def test_another_cohort_than_the_pinned_one_is_not_sent(hub: HubServer, root: Path) -> None:
    (root / "weights" / "net.cohort.safetensors").write_bytes(b"other")
    pin = PinnedFile("weights/net.cohort.safetensors", "0" * 64, 5)
    with pytest.raises(WeightsError, match="missing or damaged"):
        publish_model(MANIFEST.changed("net", cohort=pin), "net", REPO, root=root,
                      endpoint=hub.endpoint)  # fmt: skip
    assert not hub.written.files


def test_the_token_goes_to_the_hub_only(hub: HubServer, publish: Any) -> None:
    publish()
    assert [r.authorization for r in hub.requests if r.method == "PUT"] == [None]
    assert {r.authorization for r in hub.requests if r.method != "PUT"} == {f"Bearer {TOKEN}"}


def test_an_existing_repository_gets_another_commit(hub: HubServer, publish: Any) -> None:
    hub.written.files[REPO] = {"README.md": b"old", "LICENSE": b"kept"}
    sent = publish()
    assert hub.written.files[REPO] == {**sent.files, "LICENSE": b"kept"}


def test_publishing_the_same_again_changes_nothing(hub: HubServer, publish: Any) -> None:
    first, second = publish(), publish()
    assert first == second
    assert hub.written.commits == hub.count("PUT") == 1


@pytest.mark.parametrize("private", [False, True])
def test_a_new_repository_is_private_if_asked(hub: HubServer, publish: Any, private: bool) -> None:
    publish(private=private)
    assert (REPO in hub.written.private) is private


def test_a_model_that_is_on_the_hub_only_gets_a_new_card(hub: HubServer, root: Path) -> None:
    hub.add(FILE.repo_id, FILE.revision, FILE.filename, DATA)
    known = MANIFEST.changed("net", hub=FILE, bundled=None, notes="measured anew")
    sent = publish_model(known, "net", FILE.repo_id, root=root, endpoint=hub.endpoint)
    assert sent.hub != FILE
    assert "measured anew" in hub.written.files[FILE.repo_id]["README.md"].decode()
    assert sent.files["model.safetensors"] == DATA


# --- what does not ------------------------------------------------------------------------------


def test_a_dry_run_shows_what_would_be_sent_without_token_or_request(
    hub: HubServer, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    planned = publish(dry_run=True)
    assert planned.hub is None and hub.count() == 0
    listed = f"model.safetensors: {len(DATA):,} bytes, sha256 {CARD.sha256}"
    assert planned.listing.splitlines()[-1] == listed
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert publish().files == planned.files


def test_the_weights_of_others_are_not_published(hub: HubServer, root: Path) -> None:
    with pytest.raises(PublishError, match="facenet are those of py-feat/facenet"):
        publish_model(load_manifest(), "facenet", REPO, endpoint=hub.endpoint)
    assert hub.count() == 0


@pytest.mark.parametrize("repo_id", ["net", "a/b/c", "mine/", "a b/c", "mine/a--b", "é/a", "m/a."])
def test_a_name_that_the_hub_would_not_take_is_one_sentence(
    hub: HubServer, root: Path, repo_id: str
) -> None:
    with pytest.raises(PublishError, match="is not an OWNER/NAME"):
        publish_model(MANIFEST, "net", repo_id, root=root, dry_run=True)


def test_no_token_is_one_sentence_that_says_how(
    hub: HubServer, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PublishError, match="set HF_TOKEN or run hf auth login"):
        publish()
    assert hub.count() == 0


def test_a_wrong_token_is_one_sentence_with_what_the_hub_said(
    hub: HubServer, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    said = rf"Could not publish {REPO} at {hub.endpoint} \(Invalid username or password"
    with pytest.raises(PublishError, match=said) as caught:
        publish()
    assert "hf_another" not in str(caught.value)


@pytest.mark.parametrize("step", ["create", "validate-yaml", "preupload", "batch", "lfs", "commit"])
def test_a_refusal_at_any_step_is_one_sentence(hub: HubServer, publish: Any, step: str) -> None:
    hub.denied = step
    with pytest.raises(PublishError, match="You are not allowed to write here") as caught:
        publish()
    assert "\n" not in str(caught.value)
    assert hub.written.commits == 0


def test_a_hub_in_trouble_is_one_sentence(hub: HubServer, publish: Any) -> None:
    hub.fault = "server_error"
    with pytest.raises(PublishError, match="500"):
        publish()


@pytest.mark.parametrize("endpoint", ["nonsense", "http://no.such.host.invalid", "http://:::"])
def test_an_endpoint_that_cannot_be_is_one_sentence(publish: Any, endpoint: str) -> None:
    with pytest.raises(PublishError, match=f"at {endpoint} ") as caught:
        publish(endpoint=endpoint)
    assert "\n" not in str(caught.value)


def test_a_hub_out_of_reach_is_one_sentence(hub: HubServer, publish: Any) -> None:
    with pytest.raises(PublishError, match="refused"):
        publish(endpoint=hub.refused)


def test_other_weights_than_the_pinned_ones_are_not_sent(
    hub: HubServer, publish: Any, root: Path
) -> None:
    (root / "weights" / "net.safetensors").write_bytes(DATA[:-1] + b"\1")
    with pytest.raises(WeightsError, match="damaged"):
        publish()
    assert hub.count() == 0


def test_weights_that_change_after_the_check_are_not_sent(
    hub: HubServer, publish: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "weights" / "net.safetensors"
    monkeypatch.setattr(
        "xfv_core.publish.load_tensors", lambda *_, **__: path.write_bytes(b"another")
    )
    with pytest.raises(PublishError, match="not the file that the manifest pins"):
        publish()
    assert hub.count() == 0


@pytest.mark.slow
def test_endpoint_and_token_of_the_environment_are_used(hub: HubServer, root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from tests.publish.test_publish import MANIFEST, REPO; "
        "from xfv_core.publish import publish_model; "
        "publish_model(MANIFEST, 'net', REPO, root=Path(sys.argv[1]))"
    )
    settings = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_TOKEN": TOKEN,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_CACHE": str(root / "cache"),
    }
    command = [sys.executable, "-c", code, str(root)]
    subprocess.run(command, env={**os.environ, **settings}, cwd=ROOT, check=True)
    assert hub.written.files[REPO]["model.safetensors"] == DATA
