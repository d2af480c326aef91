"""A model of the manifest -> a model repository on the Hub: weights, config.json and model card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import huggingface_hub as hf
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id

from xfv_core import __version__
from xfv_core.errors import XfvError
from xfv_core.hub import ROOT, load_tensors
from xfv_core.manifest import HubFile, Manifest, ManifestError, ModelCard
from xfv_core.publish.card import FILENAME, model_card

__all__ = ["Publication", "PublishError", "model_card", "publish_model"]

NOT_YET = "0" * 40


class PublishError(XfvError):
    """A model may not or could not be published."""


@dataclass(frozen=True)
class Publication:
    """The files of a model repository by path; ``hub``: where the weights are now, if sent."""

    files: Mapping[str, bytes]
    hub: HubFile | None

    @property
    def listing(self) -> str:
        """Path, length and sha256 of every file, a line each."""
        return "\n".join(
            f"{path}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}"
            for path, data in self.files.items()
        )


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
    if dry_run:
        return Publication(files, None)
    return Publication(files, replace(hub, revision=_upload(files, repo_id, private, endpoint)))


def _place(card: ModelCard, repo_id: str) -> HubFile:
    """Where the weights will lie; PublishError where they cannot or may not."""
    try:
        validate_repo_id(repo_id)
        place = HubFile(repo_id, NOT_YET, FILENAME)
    except (HFValidationError, ManifestError) as error:
        raise PublishError(f"{repo_id!r} is not an OWNER/NAME that the Hub takes.") from error
    if card.hub is not None and card.hub.repo_id != repo_id:
        raise PublishError(
            f"The weights of {card.name} are those of {card.hub.repo_id} and not published again: "
            "if they are yours, set their hub to null in weights.json first."
        )
    return place


def _config(card: ModelCard) -> bytes:
    entry = {k: v for k, v in asdict(card).items() if k in ("name", "arch", "config", "input")}
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


def _upload(files: Mapping[str, bytes], repo_id: str, private: bool, endpoint: str) -> str:
    """The revision of the one commit."""
    if (token := hf.get_token()) is None:
        raise PublishError(
            "Publishing needs a token of the Hub that may write: set HF_TOKEN or run hf auth login."
        )
    api = hf.HfApi(endpoint=endpoint, token=token)
    additions = [hf.CommitOperationAdd(path, data) for path, data in files.items()]
    try:
        api.create_repo(repo_id, private=private or None, exist_ok=True)
        return api.create_commit(repo_id, additions, commit_message="Publish with xfv").oid
    except Exception as error:  # those of the Hub client, of HTTP and of Xet have no common base
        raise PublishError(
            f"Could not publish {repo_id} at {endpoint} ({_reason(error)})."
        ) from error


def _reason(error: BaseException) -> str:
    """What the Hub said, or the innermost cause."""
    while not isinstance(error, HfHubHTTPError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
        return f"{error.server_message or 'refused'}: the token may not write there"
    text = getattr(error, "server_message", None) or str(error) or type(error).__name__
    return text.splitlines()[0].rstrip(".:")
