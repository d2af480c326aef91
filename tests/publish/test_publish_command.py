"""`xfv publish`: what it prints, what it notes in the manifest, how it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from typer.testing import CliRunner

from tests.publish.test_publish import PATHS
from tests.weights.hub_server import HubServer
from xfv_core import cli as command_line
from xfv_core.weights import manifest
from xfv_core.weights.hub import load_tensors
from xfv_core.weights.manifest import load_manifest, save_manifest

pytestmark = pytest.mark.usefixtures("client")


@pytest.fixture
def weights_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the manifest, which is the one that commands read and write."""
    path = tmp_path / "weights.json"
    entry = load_manifest().changed("sface", hub=None)
    monkeypatch.setattr(manifest, "MANIFEST_PATH", path)
    save_manifest(entry)
    return path


COMMAND = ["publish", "--model", "sface", "--repo-id", "mine/sface"]


def test_a_dry_run_prints_files_and_card_and_changes_nothing(
    hub: HubServer, weights_json: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.delenv("HF_TOKEN")
    before = weights_json.read_bytes()
    printed = CliRunner().invoke(command_line.app, [*COMMAND, "--dry-run"]).stdout
    assert [line.split(":")[0] for line in printed.splitlines()[:3]] == PATHS
    assert load_manifest().card("sface").sha256 in printed and "# SFace" in printed
    assert weights_json.read_bytes() == before
    assert hub.count() == 0


def test_the_revision_is_noted_and_the_model_then_comes_from_the_hub(
    hub: HubServer, weights_json: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = weights_json.read_text()
    with monkeypatch.context() as environment:
        environment.setattr(constants, "ENDPOINT", hub.endpoint)
        result = CliRunner().invoke(command_line.app, COMMAND)
    assert result.exit_code == 0, result.output
    revision = hub.written.head("mine/sface")
    place = {"repo_id": "mine/sface", "revision": revision, "filename": "model.safetensors"}
    noted = json.loads(weights_json.read_text())
    assert noted["models"]["sface"]["hub"] == place
    noted["models"]["sface"]["hub"] = None
    assert noted == json.loads(before)
    card = load_manifest().card("sface")
    here = load_tensors(replace(card, hub=None))
    there = load_tensors(replace(card, bundled=None), endpoint=hub.endpoint)
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in here)


def test_a_refusal_is_one_line_and_leaves_the_manifest_alone(
    hub: HubServer, weights_json: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    hub.denied = "commit"
    before = weights_json.read_bytes()
    result = CliRunner().invoke(command_line.app, COMMAND)
    assert result.exit_code == 2
    *progress, said = result.stderr.splitlines()
    assert said.startswith("Could not publish mine/sface")
    assert all(line.startswith("Upload ") for line in progress if line)
    assert weights_json.read_bytes() == before
