"""The curves of chance for one pair, from as few random fields as the answer needs.

Fields come in antithetic pairs, g and -g: hiding first what g marks is hiding last what -g marks,
so their areas err in opposite directions. Measured, four pairs leave a smaller error of the mean
than twenty independent fields; pairs are added until they do.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from xfv_core.explain.fidelity import (
    CELLS,
    FIELDS,
    Array,
    RandomCurves,
    Steps,
    area,
    curves_of_fields,
    random_fields,
)
from xfv_core.models.base import FaceEmbedder

FIRST, MORE = 4, 2  # antithetic pairs at first, and each time that these are too few
MOST = FIELDS // 2


def chance_curves(
    model: FaceEmbedder,
    a: Tensor,
    b: Tensor,
    *,
    seed: int = 0,
    cells: int = CELLS,
    steps: Steps | None = None,
) -> RandomCurves:
    """Chance for the pair ``a``, ``b``, (3,S,S) RGB in [0,1], of 8 to 20 fields: as many as make
    the mean as certain as 20 independent ones would.

    ``steps`` is called after every batch with the finished share of what it may take, 1 at the end.
    """
    halves = random_fields(MOST, seed, cells)  # (10,C,C)
    fields = np.stack([halves, -halves], axis=1)  # (10,2,C,C)
    parts: list[RandomCurves] = []
    for first, last in _rounds():
        part = fields[first:last].reshape(-1, cells, cells)
        share = _share(steps, first, last)
        parts.append(curves_of_fields(model, a, b, part, seed=seed, steps=share))
        deletion = np.concatenate([each.deletion for each in parts], axis=1)
        if last < MOST and certain_enough(area(deletion.mean(0))):
            if steps:
                steps(1.0)
            break
    return RandomCurves(deletion, sum(each.passes for each in parts))


def certain_enough(areas: Array) -> bool:
    """Whether the mean of areas of antithetic pairs, (2n,) one beside the other, errs no more than
    that of ``FIELDS`` independent areas with the same spread would."""
    means = areas.reshape(-1, 2).mean(1)
    error = means.std(ddof=1) / np.sqrt(len(means))
    return bool(error <= areas.std(ddof=1) / np.sqrt(FIELDS))


def _rounds() -> list[tuple[int, int]]:
    starts = [0, *range(FIRST, MOST, MORE)]
    return list(zip(starts, [*starts[1:], MOST], strict=True))


def _share(steps: Steps | None, first: int, last: int) -> Steps | None:
    """Of one round's share, that of all rounds."""
    if steps is None:
        return None
    return lambda done: steps((first + done * (last - first)) / MOST)
