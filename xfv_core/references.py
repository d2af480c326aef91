"""Several photos of one claimed person against one other photo: 1:1 with more evidence, no search.

The embeddings are averaged, and so are the measures of the photos; what that gains, and that the
probability stays honest, is measured by ``python -m xfv_core fusion``.

With e_1 … e_n the embeddings of the references, b that of the other photo and w = 1/‖Σ e_i‖, the
fused similarity is w Σ e_i·b, so that occlusion's deviations from it are sums too: for the other
photo w Σ (its map against reference i), for reference i w times its own map, where w is taken as it
is without a cover.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xfv_core.ask import Source
from xfv_core.confidence.measures import Measures
from xfv_core.errors import XfvError
from xfv_core.explain.masks import PRESETS
from xfv_core.many import Comparer, Known
from xfv_core.overlay import shared_scale
from xfv_core.results import Explanation, Portrait, Verdict
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
    return _verified(verifier, references, photo, model, operating_point, threshold)[0]


def _verified(
    verifier: Verifier,
    references: Sequence[Source],
    photo: Source,
    model: str | None,
    operating_point: str,
    threshold: float | None,
) -> tuple[Referenced, list[Known]]:
    """The answer, and what is known of the references."""
    if not 1 <= len(references) <= MOST:
        raise ReferencesError(
            f"One to {MOST} photos of the claimed person are compared, not {len(references)}."
        )
    compare = Comparer(verifier, model=model, operating_point=operating_point, threshold=threshold)
    known = [_usable(compare, source, f"reference {i}") for i, source in enumerate(references, 1)]
    other = _usable(compare, photo, "the other photo")
    each = tuple(compare.verdict(one, other) for one in known)
    fused = each[0] if len(each) == 1 else compare.verdict(fuse(known), other)
    return Referenced(fused, each, _unlike(compare, known)), known


@dataclass(frozen=True, eq=False)
class ReferenceMaps:
    """Why several references and another photo are alike, or not.

    ``fused``: (n+1,S,S), in change of the cosine distance of the fused embedding, > 0 where
    covering lowers the similarity; the references in their order, then the other photo.
    ``portraits``: of the same. ``scale``: the value of the full colour, one for all. ``best``:
    which reference is most similar alone; ``against_best``: the maps of it and the other photo,
    judged.
    """

    fused: NDArray[np.float32]
    portraits: tuple[Portrait, ...]
    scale: float
    best: int
    against_best: Explanation


def explain_references(
    verifier: Verifier,
    references: Sequence[Source],
    photo: Source,
    *,
    model: str | None = None,
    operating_point: str = "balanced",
    threshold: float | None = None,
    preset: str = "fast",
    **options: Any,
) -> ReferenceMaps:
    """Occlusion maps of what ``verify_references`` says, against all references and the best one.

    ``preset``, ``options``: of `Occlusion`; a preset in the unit of the similarity, so not "paper".
    Raises as ``verify_references`` does.
    """
    if PRESETS[preset].faithful:
        raise ReferencesError(f"Maps of the preset {preset!r} have no unit and cannot be added.")
    found, known = _verified(verifier, references, photo, model, operating_point, threshold)
    asked: dict[str, Any] = {
        "model": found.fused.model, "operating_point": operating_point, "threshold": threshold,
        "preset": preset, **options,
    }  # fmt: skip
    best = int(np.argmax([verdict.similarity for verdict in found.each]))
    each = [
        verifier.explained(source, photo, **asked)
        if i == best
        else _unjudged(verifier.explain(source, photo, **asked))
        for i, source in enumerate(references)
    ]
    share = 1 / np.linalg.norm(np.sum([one.embedding for one in known], axis=0))
    fused = share * np.stack([*(e.maps.a for e in each), sum(e.maps.b for e in each)])
    portraits = (*(e.portraits[0] for e in each), each[0].portraits[1])
    return ReferenceMaps(fused, portraits, shared_scale(list(fused)), best, each[best])


def _unjudged(explanations: Iterator[Explanation]) -> Explanation:
    """The final maps, before the work goes into how faithful they are."""
    return next(found for found in explanations if found.maps.progress == 1)


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
