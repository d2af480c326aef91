"""Any number of pairs, one after the other; a photo that occurs again is not looked at again.

Of a photo only what verdicts need is kept, in memory: a few kilobytes, never its pixels.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xfv_core.ask import Source
from xfv_core.confidence.measures import Measures
from xfv_core.errors import XfvError
from xfv_core.faces.decode import FILES
from xfv_core.faces.images import ImageError, Photo, load_photo
from xfv_core.judge import verdict_on
from xfv_core.look import look
from xfv_core.results import FoundFace, Verdict
from xfv_core.verifier import Verifier


@dataclass(frozen=True, eq=False)
class Known:
    """What is kept of a photo.

    ``embedding``: (D,), of length 1. ``measures``: None where the model has no cohort for them.
    The rest as in `Portrait`.
    """

    embedding: NDArray[np.float32]
    measures: Measures | None
    chosen: int
    found: tuple[FoundFace, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Compared:
    """One pair of many: its verdict, or the sentence that says why there is none.

    ``photos``: what is known of each, None where it cannot be read or shows no face.
    """

    photos: tuple[Known | None, Known | None]
    verdict: Verdict | None = None
    error: str = ""


class Comparer:
    """Compares photos under one network, by one rule; not for several threads."""

    def __init__(
        self,
        verifier: Verifier,
        *,
        model: str | None = None,
        operating_point: str = "balanced",
        threshold: float | None = None,
        dated: bool = False,
    ) -> None:
        """Arguments as of ``verify_many``; raises XfvError as ``Verifier.verify`` does."""
        self.card = verifier.manifest.card(model or verifier.manifest.default)
        self.rule, self.bar = operating_point, threshold
        if threshold is None:
            verifier.threshold(self.card.name, operating_point)
        self._verifier, self._dated = verifier, dated
        self._network = verifier.model(self.card.name)
        self._cohort = verifier.cohort(self.card.name)
        self._known: dict[Hashable, Known | str] = {}

    def __call__(self, a: Source, b: Source) -> Compared:
        """One pair."""
        one, other = self.look(a), self.look(b)
        if isinstance(one, str) or isinstance(other, str):
            both = (("first", one), ("second", other))
            error = " ".join(f"The {side} photo: {said}" for side, said in both
                             if isinstance(said, str))  # fmt: skip
            photos = (None if isinstance(one, str) else one,
                      None if isinstance(other, str) else other)  # fmt: skip
            return Compared(photos, error=error)
        return Compared((one, other), self.verdict(one, other))

    def verdict(self, one: Known, other: Known) -> Verdict:
        """The verdict on two photos that were looked at."""
        similarity = float(np.clip(one.embedding @ other.embedding, -1, 1))
        seen = (one.measures, other.measures) if one.measures and other.measures else None
        return verdict_on(self.card, similarity, (one, other), self.rule, self.bar, seen)

    def photo(self, source: Source) -> Photo:
        """The decoded photo; raises ImageError."""
        if isinstance(source, FILES):
            return load_photo(source, dated=self._dated)
        return Photo.of(source)

    def look(self, source: Source) -> Known | str:
        """What is known of a photo, or the sentence that says what is wrong with it."""
        try:
            key = _key(source)
        except ImageError as problem:
            return str(problem)
        if key not in self._known:
            try:
                self._known[key] = self._looked(self.photo(source))
            except XfvError as problem:
                self._known[key] = str(problem)
        return self._known[key]

    def _looked(self, photo: Photo) -> Known:
        portrait = self._verifier.portrait(photo, self.card.name)
        embedding, measures = look(portrait, self._network, self._cohort)
        return Known(embedding, measures, portrait.chosen, portrait.found, portrait.notes)


def verify_many(
    verifier: Verifier,
    pairs: Iterable[tuple[Source, Source]],
    *,
    model: str | None = None,
    operating_point: str = "balanced",
    threshold: float | None = None,
    dated: bool = False,
) -> Iterator[Compared]:
    """``Verifier.verify`` for every pair, in their order; each photo is looked at once.

    The largest face of a photo is compared. ``dated``: also read BMP, TIFF, PGM, PPM and GIF.
    A photo that is broken or shows no face spoils its own pairs only. Raises XfvError, at the first
    pair, for an unknown model or operating point and for weights out of reach.
    """
    compare = Comparer(
        verifier, model=model, operating_point=operating_point, threshold=threshold, dated=dated
    )
    for a, b in pairs:
        yield compare(a, b)


def _key(source: Source) -> Hashable:
    """Equal for equal paths, and for equal bytes or pixels."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return hashlib.sha256(source).digest()
    return Photo.of(source).digest
