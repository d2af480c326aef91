"""Which question a piece of the page answers, so that the browser knows when it is out of date."""

from __future__ import annotations

import re
from dataclasses import dataclass

PATTERN = re.compile(r"(\d{1,9})\.(\d{1,9})")


@dataclass(frozen=True, order=True)
class Key:
    """``pair`` counts what changes the verdict (photos, faces, model, rule), ``turn`` what changes
    the maps only (method, options); both are counted by ``two_photos.js``. ``turn`` is None for
    what holds whatever the method is."""

    pair: int
    turn: int | None = None

    @staticmethod
    def of(text: str | None) -> Key:
        """From "pair.turn", as the browser sends it; 0.0 from anything else."""
        found = PATTERN.fullmatch(text or "")
        return Key(int(found[1]), int(found[2])) if found else Key(0, 0)

    @property
    def of_pair(self) -> Key:
        return Key(self.pair)
