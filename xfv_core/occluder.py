"""A patch that somebody drags over a face, and the verdict that follows it.

What is held of a pair, in memory and until a minute after its last use: both faces and what the
network made of them.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field

import numpy as np

from xfv_core.ask import Ask
from xfv_core.errors import XfvError
from xfv_core.explain.occluder import Occluder, Patch
from xfv_core.explain.words import SPOKEN
from xfv_core.faces.regions import REGIONS, face_regions
from xfv_core.memory import Recent
from xfv_core.results import Pair, Verdict
from xfv_core.verifier import Verifier

HELD = 8  # pairs at a time; a few MB each
KEEP_SECONDS = 60


@dataclass(frozen=True)
class Covered:
    """The verdict with a patch on one face, of the similarity that is left.

    ``before``: the similarity without it. ``region``: what most of the patch lies on, in words. The
    bar is that of the pair as it is: how good the photos are, the patch does not change.
    """

    verdict: Verdict
    before: float
    region: str


@dataclass(eq=False)
class _Open:
    ask: Ask
    name: str
    pair: Pair
    occluder: Occluder
    in_use: threading.Lock = field(default_factory=threading.Lock)


class Occluders:
    """The pairs that are being covered on one server; safe to call from several threads."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._open = Recent(HELD, KEEP_SECONDS)

    def open(self, ask: Ask) -> str:
        """Take a pair; returns the secret under which it can be covered. XfvError as `verify`."""
        name = ask.model or self._verifier.manifest.default
        a, b = self._verifier.pair(*ask.photos, name, ask.pick)
        occluder = Occluder(self._verifier.model(name), a.tensor(), b.tensor())
        token = secrets.token_urlsafe(16)
        self._open.put(token, _Open(ask, name, (a, b), occluder))
        return token

    def cover(self, token: str, patch: Patch) -> Covered:
        """The verdict with ``patch``; XfvError where the pair is gone or the patch lies nowhere."""
        found: _Open | None = self._open.peek(token)
        if found is None:
            raise XfvError("This pair is not held any more; switch the patch on again.")
        self._open.put(token, found)  # its minute counts from now
        with found.in_use:
            similarity = float(np.clip(found.occluder.covered(patch), -1, 1))
        ask = found.ask
        verdict = self._verifier.judge(similarity, found.pair, found.name, ask.rule, ask.threshold)
        return Covered(verdict, found.occluder.similarity, _region(found.pair, patch))


def _region(pair: Pair, patch: Patch) -> str:
    crop = pair[patch.side].crop
    side = len(crop.pixels)
    (top, left), (bottom, right) = patch.window(side).tolist()
    under = face_regions(crop.landmarks, (side, side))[top:bottom, left:right]
    return SPOKEN[REGIONS[int(np.bincount(under.ravel()).argmax())]]
