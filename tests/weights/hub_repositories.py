"""The repositories of the Hub on loopback: what create_repo and create_commit send, and answers.

As the real Hub has it, safetensors go to a large file storage at another origin, the rest goes
inside the commit, and what is there already is not asked for again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

Answer = tuple[int, dict[str, Any]]


class Repositories:
    """Attributes
    ----------
    files : of each repository, path -> bytes at its head.
    private : the repositories that were created so.
    commits : how many there were.
    """

    def __init__(
        self, endpoint: str, storage: str, serve: Callable[[str, str, str, bytes], None]
    ) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.commits = 0
        self._blobs: dict[str, bytes] = {}
        self._endpoint, self._storage, self._serve = endpoint, storage, serve

    def head(self, repo_id: str) -> str:
        """The revision at the head: a hash of the files."""
        return hashlib.sha1(repr(sorted(self.files[repo_id].items())).encode()).hexdigest()

    def answer(self, path: str, body: bytes) -> Answer:
        """Status and JSON for one POST or PUT."""
        match path.removeprefix("/").split("/"):
            case ["api", "repos", "create"]:
                return self._create(json.loads(body))
            case ["api", "validate-yaml"]:
                return 200, {"errors": [], "warnings": []}
            case ["api", kind, owner, name, "preupload", "main"]:
                if (repo_id := _place(kind, owner, name)) in self.files:
                    asked = json.loads(body)["files"]
                    return 200, {"files": [self._mode(repo_id, file["path"]) for file in asked]}
            case [*_, "info", "lfs", "objects", "batch"]:
                return 200, {"objects": [self._upload(o) for o in json.loads(body)["objects"]]}
            case ["lfs", "verify"]:
                sent = json.loads(body)
                whole = len(self._blobs.get(sent["oid"], b"")) == sent["size"]
                return (200, {}) if whole else (422, {"error": "the upload is not whole"})
            case ["lfs", oid]:
                self._blobs[oid] = body
                return 200, {}
            case ["api", kind, owner, name, "commit", "main"]:
                if (repo_id := _place(kind, owner, name)) in self.files:
                    return self._commit(repo_id, [json.loads(line) for line in body.splitlines()])
        return 404, {"error": "Repository not found"}

    def _create(self, asked: dict[str, Any]) -> Answer:
        kind = f"{asked.get('type') or 'model'}s"
        repo_id = _place(kind, asked["organization"], asked["name"])
        url = {"url": f"{self._endpoint}/{repo_id}"}
        if repo_id in self.files:
            return 409, {**url, "error": "You already created this model repo"}
        self.files[repo_id] = {}
        if asked.get("visibility") == "private":
            self.private.add(repo_id)
        return 200, url

    def _mode(self, repo_id: str, path: str) -> dict[str, Any]:
        large, there = path.endswith((".safetensors", ".parquet")), self.files[repo_id].get(path)
        oid = None
        if there is not None:
            git = b"blob %d\0" % len(there) + there
            oid = (hashlib.sha256(there) if large else hashlib.sha1(git)).hexdigest()
        mode = "lfs" if large else "regular"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    def _upload(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Where the bytes of a large file go, unless they are there."""
        if asked["oid"] in self._blobs:
            return asked
        upload = {"href": f"{self._storage}/lfs/{asked['oid']}"}
        verify = {"href": f"{self._endpoint}/lfs/verify"}
        return {**asked, "actions": {"upload": upload, "verify": verify}}

    def _commit(self, repo_id: str, lines: list[dict[str, Any]]) -> Answer:
        files = self.files[repo_id]
        for kind, value in ((line["key"], line["value"]) for line in lines):
            if kind == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif kind == "lfsFile":
                files[value["path"]] = self._blobs[value["oid"]]
        self.commits += 1
        revision = self.head(repo_id)
        for path, data in files.items():
            self._serve(repo_id, revision, path, data)
        url = f"{self._endpoint}/{repo_id}/commit/{revision}"
        return 200, {"commitOid": revision, "commitUrl": url}


def _place(kind: str, owner: str, name: str) -> str:
    """The repository's place among the files; that of models has no name of its own."""
    return f"{owner}/{name}" if kind == "models" else f"{kind}/{owner}/{name}"
