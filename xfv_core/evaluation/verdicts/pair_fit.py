"""Fit a conditional curve (``confidence.conditional``) to blocks of labelled pairs.

In every block both classes weigh the same, whatever their sizes, so that P holds at equal priors
under that block's conditions; ``mass`` says how much the block counts. Blocks of strangers alone
teach the bar where no genuine pairs are to be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from xfv_core.confidence.calibration import claim
from xfv_core.confidence.conditional import Gap, PairCurve, Side, Term
from xfv_core.confidence.curves import Floats, Labels
from xfv_core.confidence.measures import Table

TERMS: tuple[tuple[str, Side], ...] = tuple(
    (measure, side)
    for measure in ("norm", "sharpness", "typicality", "degradation")
    for side in ("lower", "higher")
)
RANGE = (0.2, 99.8)  # percentiles of what is fitted; beyond is clipped
RIDGE = 1e-4
POOR = (0.075, 0.5)  # quantile of the norm of ordinary photos, and how far below all is poor
UNSHARP = (1.1, 0.7)  # sharpness: a crop of 112 px blurred by 2 px or less, by 3 px or more
STRANGERS_PASS = 0.005  # of those degraded or covered alike
GENUINE_FAIL = 0.04  # of pairs with one poor photo, called different


@dataclass(frozen=True, eq=False)
class Block:
    """N pairs of one condition: similarities, measures of both photos, labels.

    ``alike``: (N,) kind of degradation of both photos, "" where they were not degraded alike.
    """

    name: str
    similarities: Floats
    a: Table
    b: Table
    labels: Labels
    mass: float
    weights: Floats
    alike: NDArray[np.str_]


def fit_pair_curve(
    blocks: Sequence[Block], usual: Table, ordinary: Table, protocol: str
) -> PairCurve:
    """The curve, its gap and no rules yet.

    ``usual``: photos whose medians the bar is told against; ``ordinary``: those whose norms say
    what a poor photo is. The cap counts the pairs of the first block alone.
    """
    s = np.concatenate([block.similarities for block in blocks])
    y = np.concatenate([block.labels for block in blocks])
    a, b = (Table.joined([getattr(block, side) for block in blocks]) for side in "ab")
    terms = [_ranged(measure, side, a, b, usual) for measure, side in TERMS]
    z = np.column_stack([np.clip(t.values(a, b), t.low, t.high) - t.usual for t in terms])
    weights = np.concatenate([_balanced(block) for block in blocks])
    slopes, bars = _maximum_likelihood(s, y, z, weights / weights.sum())
    distinct = blocks[0].labels  # the others repeat these pairs or share people among themselves
    n_genuine, n_impostor = int(distinct.sum()), int((~distinct).sum())
    return PairCurve(
        bar=float(bars[0]),
        slope=float(slopes[0]),
        terms=tuple(
            Term(t.measure, t.side, t.low, t.high, t.usual, float(bar), float(slope))
            for t, bar, slope in zip(terms, bars[1:], slopes[1:], strict=True)
        ),
        gap=_no_gap(ordinary),
        cap=claim(n_genuine, n_impostor),
        n_genuine=n_genuine,
        n_impostor=n_impostor,
        protocol=protocol,
        rules=(),
    )


def fit_gap(curve: PairCurve, blocks: Sequence[Block]) -> Gap:
    """How much evidence an answer needs where photos are poor or covered, from the pairs that lack
    it: strangers degraded alike, and genuine pairs with one poor photo."""
    same: list[tuple[Floats, Floats, Floats]] = []
    covered: list[tuple[Floats, Floats, Floats]] = []
    different: list[tuple[Floats, Floats, Floats]] = []
    unsharp: list[tuple[Floats, Floats, Floats]] = []
    for block in blocks:
        bars = curve.bars(block.a, block.b)
        log_lr = bars.slope * (block.similarities - bars.middle)
        poor, cover, worst, blurred = _shares(curve.gap, block)
        kinds, count = np.unique(block.alike, return_counts=True)
        each = 1 / count[np.searchsorted(kinds, block.alike)]  # every kind weighs the same
        strangers = ~block.labels & (block.alike != "")
        for share, into in ((poor, same), (cover, covered), (blurred, unsharp)):
            rows = strangers & (share > 0.5)
            into.append((log_lr[rows], share[rows], each[rows]))
        rows = block.labels & (worst > 0.5)
        different.append((-log_lr[rows], worst[rows], np.ones(int(rows.sum()))))
    return Gap(
        curve.gap.poor_from,
        curve.gap.poor_to,
        _exceeded_by(same, STRANGERS_PASS),
        _exceeded_by(covered, STRANGERS_PASS),
        _exceeded_by(different, GENUINE_FAIL),
        _exceeded_by(unsharp, STRANGERS_PASS),
        *UNSHARP,
    )


def _ranged(measure: str, side: Side, a: Table, b: Table, usual: Table) -> Term:
    free = Term(measure, side, -np.inf, np.inf, 0, 0, 0)
    low, high = np.percentile(free.values(a, b), RANGE).tolist()
    median = float(np.median(getattr(usual, measure)))
    return Term(measure, side, low, high, min(max(median, low), high), 0, 0)


def _balanced(block: Block) -> Floats:
    """Weights of a block's pairs: ``mass``, half of it for either class where there are both."""
    w = block.weights.astype(np.float64)
    for side in (block.labels, ~block.labels):
        if side.any():
            w[side] *= block.mass / w[side].sum()
    return w


def _maximum_likelihood(s: Floats, y: Labels, z: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """ln κ's and θ's coefficients, the constants first, for standardised and then for plain z."""
    spread = z.std(0) + 1e-9
    x = np.column_stack([np.ones(len(z)), z / spread])
    k = x.shape[1]
    weights = np.where(y, weights / weights[y].sum(), weights / weights[~y].sum()) / 2

    def loss(q: Floats) -> tuple[float, Floats]:
        slope = np.exp(np.clip(x @ q[:k], -6, 6))
        away = s - x @ q[k:]
        log_lr = slope * away
        gap = weights * (expit(log_lr) - y)
        ridge = RIDGE * q * np.concatenate([np.ones(k), np.full(k, 10.0)])
        ridge[[0, k]] = 0
        value = weights @ (np.logaddexp(0, log_lr) - y * log_lr) + ridge @ q
        slopes, bars = x.T @ (gap * log_lr), -x.T @ (gap * slope)
        return float(value), np.concatenate([slopes, bars]) + 2 * ridge

    start = np.zeros(2 * k)
    start[0], start[k] = np.log(15), float(np.median(s))
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B",
        options={"maxiter": 3000, "ftol": 1e-13, "gtol": 1e-9},
    ).x  # fmt: skip
    plain = np.concatenate([[1.0], 1 / spread])
    return found[:k] * plain, found[k:] * plain


def _no_gap(ordinary: Table) -> Gap:
    start = float(np.quantile(ordinary.norm, POOR[0]))
    return Gap(start, start - POOR[1] * float(ordinary.norm.std()), 0, 0, 0)


def _shares(gap: Gap, block: Block) -> tuple[Floats, Floats, Floats, Floats]:
    """How much each of the four reasons for a gap applies to the pairs, in [0,1]."""
    poor = Gap(gap.poor_from, gap.poor_to, 1, 0, 1).widths(block.a, block.b)
    cover = Gap(gap.poor_from, gap.poor_to, 0, 1, 0).widths(block.a, block.b)[0]
    unsharp = Gap(gap.poor_from, gap.poor_to, 0, 0, 0, 1, *UNSHARP).widths(block.a, block.b)[0]
    return poor[0], cover, poor[1], unsharp


def _exceeded_by(found: list[tuple[Floats, Floats, Floats]], share: float) -> float:
    """The gap that a share of the pairs still exceeds; 0 where there are none."""
    log_lr, applies, weight = (np.concatenate(part) for part in zip(*found, strict=True))
    if not len(log_lr):
        return 0.0
    needed = log_lr / applies
    order = np.argsort(needed)[::-1]
    above = np.cumsum(weight[order]) / weight.sum()
    return max(0.0, float(needed[order][np.searchsorted(above, share)]))
