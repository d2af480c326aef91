"""How a conditional fit does on people it has not seen: each is judged by a fit to the others.

Where few people are labelled, those that a fit needs and those that it is tested on can be the
same ones, in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xfv_core.confidence import Calibration
from xfv_core.confidence.conditional import PairCurve
from xfv_core.evaluation.verdicts.evaluate import PairRow, told_of_pairs
from xfv_core.evaluation.verdicts.pair_blocks import Pairs, block, draw_pairs
from xfv_core.evaluation.verdicts.pair_fit import Block
from xfv_core.evaluation.verdicts.photos import Photos

FOLDS = 8
FOLD_PAIRS = 750  # genuine pairs of a fold at most, and as many impostors
PROTOCOL = (
    "Labelled people in eight groups; pairs within a group are judged by a curve fitted to the "
    "other groups and to everything else that the shipped one is fitted to, at its balanced rule."
)

Fit = Callable[[Sequence[Block]], PairCurve]


class HardPairs(NamedTuple):
    """Pairs of a photo of ``first`` and one of ``second``, and who is on them: ``one`` (N,) and
    ``other`` (M,) are the labels of these photos."""

    name: str
    first: Photos
    second: Photos
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    pairs: Pairs

    def block(self) -> Block:
        """All of them, to be fitted."""
        return block(self.name, self.first, self.second, self.pairs)

    def without(self, people: NDArray[np.int64]) -> Block:
        """Those on which none of these people is."""
        a, b, labels = self.pairs
        kept = ~(np.isin(self.one[a], people) | np.isin(self.other[b], people))
        return block(self.name, self.first, self.second, Pairs(a[kept], b[kept], labels[kept]))


def judge_in_folds(
    fit: Fit,
    others: Sequence[Block],
    hard: Sequence[HardPairs],
    alone: Calibration,
    seed: int = 0,
    folds: int = FOLDS,
) -> list[PairRow]:
    """Pairs within each of ``folds`` groups of the people of ``hard``, judged by the curve that is
    fitted to ``others`` and to the people of the other groups; the photos are those of its first.

    Verdicts are those of P >= 0.5. ``fold`` is among the rows' columns, ``plain`` what ``alone``
    says. A group without a genuine pair has no rows.
    """
    rng = np.random.default_rng(seed)
    photos, labels = hard[0].first, hard[0].one
    everybody = rng.permutation(np.unique(labels))
    rows: list[PairRow] = []
    for fold in range(folds):
        people = everybody[fold::folds]
        tested = np.flatnonzero(np.isin(labels, people))
        who = labels[tested]
        if max(np.unique(who, return_counts=True)[1], default=0) < 2 or len(people) < 2:
            continue
        curve = fit([*others, *(pairs.without(people) for pairs in hard)])
        drawn = draw_pairs(who, who, FOLD_PAIRS, rng, tested, tested)
        n = 2 * int(drawn.labels.sum())  # genuine pairs come first
        even = Pairs(drawn.a[:n], drawn.b[:n], drawn.labels[:n])
        rows += _judged(curve, alone, photos, tested, even, fold, len(rows))
    return rows


def _judged(
    curve: PairCurve,
    alone: Calibration,
    photos: Photos,
    tested: NDArray[np.intp],
    drawn: Pairs,
    fold: int,
    start: int,
) -> list[PairRow]:
    first, second = tested[drawn.a], tested[drawn.b]
    a, b, labels = photos.table[first], photos.table[second], drawn.labels
    s = (photos.unit[first] * photos.unit[second]).sum(1).astype(np.float64)
    bars = curve.bars(a, b)
    told = told_of_pairs(a, b, s, curve, bars, alone)
    return [
        PairRow(
            pair=start + i,
            genuine=bool(labels[i]),
            similarity=float(s[i]),
            threshold=float(bars.upper[i]),
            columns={"fold": str(fold + 1)},
            **{name: values[i] for name, values in told.items()},
        )
        for i in range(len(s))
    ]
