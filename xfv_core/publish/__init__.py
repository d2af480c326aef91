"""A model of the manifest -> a repository on the Hub: weights, cohort, config.json and card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import huggingface_hub as hf
from huggingface_hub import constants
from huggingface_hub.utils import validate_repo_id

from xfv_core import __version__
from xfv_core.publish.card import COHORT, FILENAME, model_card
from xfv_core.publish.gallery import push_gallery
from xfv_core.publish.space import publish_space
from xfv_core.publish.upload import Publication, PublishError, send
from xfv_core.weights.hub import ROOT, load_tensors, read_pinned
from xfv_core.weights.manifest import HubFile, Manifest, ModelCard

__all__ = [
    "Publication",
    "PublishError",
    "model_card",
    "publish_model",
    "publish_space",
    "push_gallery",
]

NOT_YET = "0" * 40


def publish_model(
    manifest: Manifest,
    name: str,
    repo_id: str,
    *,
    dry_run: bool = False,
    private: bool = False,
    root: Path = ROOT,
    endpoint: str | None = None,
) -> Publication:
    """Send a model to ``repo_id`` (owner/name) in one commit; the caller notes where it went.

    ``dry_run`` sends nothing and needs no token, nor the network where the weights are here.
    ``private`` counts for a new repository. ``root``: folder that ``bundled`` is relative to.
    ``endpoint`` goes before HF_ENDPOINT; that and HF_TOKEN are read by huggingface_hub. Raises
    PublishError, WeightsError where the weights are not as pinned, ManifestError for a wrong name.
    """
    card = manifest.card(name)
    hub = _place(card, repo_id)
    endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
    files = {
        "README.md": str(model_card(card)).encode(),
        "config.json": _config(card),
        FILENAME: _weights(card, root, endpoint),
    }
    if card.cohort:
        files[COHORT] = read_pinned(card.cohort, root)
    if dry_run:
        return Publication(files, None)
    revision = send(files, repo_id, private=private, endpoint=endpoint)
    return Publication(files, replace(hub, revision=revision))


def _place(card: ModelCard, repo_id: str) -> HubFile:
    """Where the weights will lie; PublishError where they cannot or may not."""
    try:
        validate_repo_id(repo_id)
        place = HubFile(repo_id, NOT_YET, FILENAME)
    except ValueError as error:  # of the Hub's client or of the manifest
        raise PublishError(f"{repo_id!r} is not an OWNER/NAME that the Hub takes.") from error
    if card.hub is not None and card.hub.repo_id != repo_id:
        raise PublishError(
            f"The weights of {card.name} are those of {card.hub.repo_id} and not published again: "
            "if they are yours, set their hub to null in weights.json first."
        )
    return place


def _config(card: ModelCard) -> bytes:
    entry = {k: v for k, v in asdict(card).items() if k in ("name", "arch", "config", "input")}
    if pin := card.cohort:
        entry["cohort"] = {"file": COHORT, "sha256": pin.sha256, "bytes": pin.bytes}
    if card.calibration and (curve := card.calibration.conditional):
        entry["conditional"] = asdict(curve)
    return (json.dumps({**entry, "version": __version__}, indent=2) + "\n").encode()


def _weights(card: ModelCard, root: Path, endpoint: str) -> bytes:
    """The bytes that the manifest pins: the bundled file's or, where there is none, the Hub's."""
    load_tensors(card, root=root, endpoint=endpoint)
    path = root / (card.bundled or "")
    if (hub := card.hub) is not None and not path.is_file():
        cache = constants.HF_HUB_CACHE
        path = Path(str(hf.try_to_load_from_cache(hub.repo_id, hub.filename, cache, hub.revision)))
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise PublishError(f"{path} is not the file that the manifest pins: restore it.")
    return data
