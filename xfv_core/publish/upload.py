"""Files -> one commit to a repository on the Hub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import huggingface_hub as hf
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id

from xfv_core.errors import XfvError
from xfv_core.weights.manifest import HubFile

RepoType = Literal["model", "dataset", "space"]


class PublishError(XfvError):
    """Something may not or could not be published."""


@dataclass(frozen=True)
class Publication:
    """The files of a repository by path; ``hub``: where its weights are now, if they were sent."""

    files: Mapping[str, bytes]
    hub: HubFile | None

    @property
    def listing(self) -> str:
        """Path, length and sha256 of every file, a line each."""
        return "\n".join(
            f"{path}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}"
            for path, data in self.files.items()
        )


def checked_name(repo_id: str) -> str:
    """``repo_id``; PublishError where the Hub would not take it."""
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise PublishError(f"{repo_id!r} is not an OWNER/NAME that the Hub takes.") from error
    return repo_id


def send(
    files: Mapping[str, bytes],
    repo_id: str,
    *,
    private: bool,
    endpoint: str | None,
    repo_type: RepoType = "model",
) -> str:
    """The revision of the one commit; a new repository is made, ``private`` or not.

    Raises PublishError without a token, or with what the Hub said.
    """
    endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
    if (token := hf.get_token()) is None:
        raise PublishError(
            "Publishing needs a token of the Hub that may write: set HF_TOKEN or run hf auth login."
        )
    api = hf.HfApi(endpoint=endpoint, token=token)
    additions = [hf.CommitOperationAdd(path, data) for path, data in files.items()]
    try:
        api.create_repo(
            repo_id, repo_type=repo_type, private=private or None, exist_ok=True,
            space_sdk="gradio" if repo_type == "space" else None,
        )  # fmt: skip
        return api.create_commit(
            repo_id, additions, commit_message="Publish with xfv", repo_type=repo_type
        ).oid
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
