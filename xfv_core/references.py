"""Several photos of one claimed person against one other photo: 1:1 with more evidence, no search.

The embeddings are averaged, and so are the measures of the photos; what that gains, and that the
probability stays honest, is measured by ``python -m xfv_core fusion``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations

import numpy as np

from xfv_core.ask import Source
from xfv_core.confidence.measures import Measures
from xfv_core.errors import XfvError
from xfv_core.many import Comparer, Known
from xfv_core.results import Verdict
from xfv_core.verifier import Verifier

MOST = 5  # photos of one person; more would be a gallery


class ReferencesError(XfvError):
    """Too few or too many reference photos, or one that cannot be used."""


@dataclass(frozen=True)
class Referenced:
    """``fused``: the answer from all reference photos. ``each``: what every one of them says alone,
    in their order. ``notes``: on the references among themselves, a sentence each."""

    fused: Verdict
    each: tuple[Verdict, ...]
    notes: tuple[str, ...]


def verify_references(
    verifier: Verifier,
    references: Sequence[Source],
    photo: Source,
    *,
    model: str | None = None,
    operating_point: str = "balanced",
    threshold: float | None = None,
) -> Referenced:
    """Does ``photo`` show the person whom one to five ``references`` show?

    The largest face of a photo counts. Raises XfvError, as ``Verifier.verify`` does, for a photo
    that cannot be used; ReferencesError for another number of references.
    """
    if not 1 <= len(references) <= MOST:
        raise ReferencesError(
            f"One to {MOST} photos of the claimed person are compared, not {len(references)}."
        )
    compare = Comparer(verifier, model=model, operating_point=operating_point, threshold=threshold)
    known = [_usable(compare, source, f"reference {i}") for i, source in enumerate(references, 1)]
    other = _usable(compare, photo, "the other photo")
    each = tuple(compare.verdict(one, other) for one in known)
    fused = each[0] if len(each) == 1 else compare.verdict(fuse(known), other)
    return Referenced(fused, each, _unlike(compare, known))


def fuse(known: Sequence[Known]) -> Known:
    """As if of one photo: the mean of the embeddings, of length 1, and of the measures."""
    mean = np.mean([photo.embedding for photo in known], axis=0)
    taken = [asdict(photo.measures) for photo in known if photo.measures]
    measures = None
    if len(taken) == len(known):
        measures = Measures(
            **{f.name: float(np.mean([row[f.name] for row in taken])) for f in fields(Measures)}
        )
    return Known(mean / np.linalg.norm(mean), measures, 0, (), ())


def _usable(compare: Comparer, source: Source, which: str) -> Known:
    found = compare.look(source)
    if isinstance(found, str):
        raise ReferencesError(f"{which.capitalize()}: {found}")
    return found


def _unlike(compare: Comparer, known: Sequence[Known]) -> tuple[str, ...]:
    """Which references do not look like one person."""
    return tuple(
        f"References {i} and {j} do not look like one person; the answer means little."
        for (i, one), (j, other) in combinations(enumerate(known, 1), 2)
        if not compare.verdict(one, other).same
    )
