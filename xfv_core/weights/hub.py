"""ModelCard -> verified tensors: the local Hub cache, the bundled copy, the Hub, in that order.

``huggingface_hub`` downloads; what it does not do is done here: commit, length and sha256 are
checked whichever way the bytes came, and a Hub that fails is given up in seconds (its own retries
take 23 s on a refused connection, minutes on a silent one, for ever on a body that breaks off).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import huggingface_hub as hf
import safetensors.torch
from huggingface_hub import constants
from huggingface_hub.utils import tqdm
from safetensors import SafetensorError
from torch import Tensor

from xfv_core.errors import XfvError
from xfv_core.weights.manifest import ROOT, HubFile, ModelCard, PinnedFile

SILENCE = 60.0  # seconds; plain HTTP reports every 10 MiB, so less than 1.4 Mbit/s fails
Source = Literal["auto", "hub"]
Progress = Callable[[int, int | None], None]


class WeightsError(XfvError):
    """The weights cannot be had, or are not those that the manifest pins."""


class _PinError(Exception):
    """A file, or what the Hub says of it, is not what the manifest pins."""


def load_tensors(
    card: ModelCard,
    *,
    root: Path = ROOT,
    source: Source = "auto",
    endpoint: str | None = None,
    progress: Progress | None = None,
    silence: float = SILENCE,
) -> dict[str, Tensor]:
    """Find, verify and parse the weights of a model; the bytes checked are the bytes parsed.

    ``root``: folder of the manifest, which ``card.bundled`` is relative to and may not lead out
    of. ``source="hub"`` leaves the bundled copy out. ``progress(done, total)`` counts downloaded
    bytes, in the caller's thread. ``silence``: seconds without anything new after which a download
    is given up. A damaged cached file is deleted. ``endpoint`` goes before HF_ENDPOINT; that,
    HF_TOKEN, HF_HUB_CACHE and HF_HUB_OFFLINE
    are read by huggingface_hub. Raises WeightsError, one sentence.
    """
    for path in _local_copies(card, root, source):
        with suppress(OSError, _PinError):
            return _parse(_verified(path, card), path.name)
    if card.hub is None:
        why = "was left out" if source == "hub" else "is missing or damaged: restore that file"
        raise WeightsError(f"{card.name} is not on the Hub, and its {card.bundled} {why}.")
    endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
    return _parse(_download(card, card.hub, endpoint, progress, silence), card.hub.filename)


def _local_copies(card: ModelCard, root: Path, source: Source) -> Iterator[Path]:
    if (hub := card.hub) is not None:
        cache = constants.HF_HUB_CACHE
        cached = hf.try_to_load_from_cache(hub.repo_id, hub.filename, cache, hub.revision)
        if isinstance(cached, str):
            yield Path(cached)
    if card.bundled is not None and source == "auto":
        yield _within(root, card.bundled)


def read_pinned(file: PinnedFile, root: Path) -> bytes:
    """The bytes of a file beside the weights; WeightsError where they are not those pinned."""
    path = _within(root, file.file)
    try:
        data = path.read_bytes()
        _expect("bytes", file.bytes, len(data))
        _expect("sha256", file.sha256, hashlib.sha256(data).hexdigest())
    except (OSError, _PinError) as error:
        raise WeightsError(f"{file.file} is missing or damaged: restore that file.") from error
    return data


def _within(root: Path, name: str) -> Path:
    """``root / name``; WeightsError where links lead out of ``root``."""
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise WeightsError(f"{name} lies outside {root}, the folder of its manifest.")
    return path


def _verified(path: Path, card: ModelCard) -> bytes:
    """The bytes of a file that is as pinned; another is deleted if it lies in the cache."""
    try:
        data = path.read_bytes()
        _expect("bytes", card.bytes, len(data))
        _expect("sha256", card.sha256, hashlib.sha256(data).hexdigest())
        return data
    except (OSError, _PinError):
        _discard(path)
        raise


def _expect(what: str, expected: object, found: object) -> None:
    if found != expected:
        raise _PinError(f"{what}: expected {expected}, found {found}")


def _discard(path: Path) -> None:
    """Delete a cached file and the blob behind its link; what lies elsewhere stays."""
    cache = Path(constants.HF_HUB_CACHE).resolve()
    for file in (path.resolve(), path.parent.resolve() / path.name):
        if file.is_relative_to(cache):
            with suppress(OSError):  # a cache may be read-only
                file.unlink()


def _parse(data: bytes, name: str) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(data)
    except SafetensorError as error:
        raise WeightsError(f"{name} is no safetensors file, and nothing else is read.") from error


def _fetch(card: ModelCard, hub: HubFile, endpoint: str, bar: type[tqdm]) -> bytes:
    """Ask what there is, download it and verify it; other bytes than pinned are tried once more."""
    url = hf.hf_hub_url(hub.repo_id, hub.filename, revision=hub.revision, endpoint=endpoint)
    head = hf.get_hf_file_metadata(url, endpoint=endpoint)
    _expect("commit", hub.revision, head.commit_hash)
    _expect("bytes", card.bytes, card.bytes if head.size is None else head.size)

    def attempt() -> bytes:
        path = hf.hf_hub_download(
            hub.repo_id, hub.filename, revision=hub.revision, endpoint=endpoint, tqdm_class=bar,
            cache_dir=constants.HF_HUB_CACHE,
        )  # fmt: skip
        return _verified(Path(path), card)

    try:
        return attempt()
    except (OSError, _PinError):
        return attempt()


def reporting_bar(report: Callable[[int], None]) -> type[tqdm]:
    """A class for ``tqdm_class`` that prints nothing; Xet makes two bars, received and written."""

    class Bar(tqdm):
        monitor_interval = 0  # or each class would leave a thread behind
        furthest = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.n += int(n or 0)
            if self.n > self.furthest:  # a body that breaks off is begun anew, for ever
                self.furthest = self.n
                report(self.n)

    return Bar


def _download(
    card: ModelCard, hub: HubFile, endpoint: str, progress: Progress | None, silence: float
) -> bytes:
    """:func:`_fetch` in a thread of its own, which is left to itself when nothing new arrives."""
    outcome: list[bytes | BaseException] = []
    done, last = 0, time.monotonic()

    def report(count: int) -> None:
        nonlocal done, last
        done, last = max(done, count), time.monotonic()

    def run() -> None:
        try:
            outcome.append(_fetch(card, hub, endpoint, reporting_bar(report)))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="download", daemon=True)
    thread.start()
    while thread.is_alive() and time.monotonic() - last < silence:
        thread.join(0.1)
        if progress:
            progress(min(done, card.bytes), card.bytes)
    stalled = f"nothing new in {silence:g} s after {done:,} of {card.bytes:,} bytes"
    if isinstance(result := outcome[0] if outcome else TimeoutError(stalled), bytes):
        return result
    text = str(result).partition("\n\n")[2] or str(result) or type(result).__name__
    reason = f"Could not fetch {hub} from {endpoint} ({text.splitlines()[0].rstrip('.')})"
    raise WeightsError(f"{reason}; try again later or choose another model.") from result
