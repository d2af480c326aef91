"""Pairs are chosen by outcome and confidence, and every order keeps them all."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xfv_core.gallery import ORDERS, OUTCOMES, Verdicts

SHARE = st.floats(0, 1) | st.just(float("nan"))
PAIR = st.tuples(st.booleans(), st.booleans(), st.floats(-1, 1), SHARE, SHARE, SHARE)


def columns(pairs: list[tuple[bool, bool, float, float, float, float]]) -> Verdicts:
    genuine, same, similarity, confidence, agreement, fidelity = (
        np.array(column) for column in zip(*pairs, strict=True)
    )
    names = tuple(map(str, range(len(pairs))))
    return Verdicts(
        names, names, genuine, same, ("same",) * len(pairs), similarity,
        confidence, confidence, confidence, agreement, {"occlusion": fidelity},
    )  # fmt: skip


@given(st.lists(PAIR, min_size=1, max_size=30), st.sampled_from(ORDERS))
def test_outcomes_part_the_pairs_and_every_order_keeps_them(pairs: list, order: str) -> None:
    verdicts = columns(pairs)
    rows = {outcome: set(verdicts.chosen(outcome, order=order)) for outcome in OUTCOMES}
    assert rows["all"] == set(range(len(pairs)))
    assert rows["right"] | rows["wrong"] == rows["all"] and not rows["right"] & rows["wrong"]
    assert rows["false match"] | rows["false non-match"] == rows["wrong"]
    assert all(verdicts.same[row] for row in rows["false match"])


@given(st.lists(PAIR, min_size=1, max_size=30))
def test_an_order_puts_what_it_does_not_know_last(pairs: list) -> None:
    verdicts = columns(pairs)
    for order, key in (
        ("least confident first", verdicts.confidence),
        ("methods disagree most", verdicts.agreement),
        ("most faithful first", -verdicts.fidelity["occlusion"]),
    ):
        found = key[verdicts.chosen(order=order, method="occlusion")]
        known = ~np.isnan(found)
        assert not known[known.sum() :].any()
        assert (np.diff(found[known]) >= 0).all()


@given(st.lists(PAIR, min_size=1, max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_a_range_keeps_the_confidences_inside_it(pairs: list, one: float, other: float) -> None:
    verdicts = columns(pairs)
    low, high = sorted((one, other))
    kept = verdicts.confidence[verdicts.chosen(confidence=(low, high))]
    assert ((kept >= low) & (kept <= high)).sum() == (
        (verdicts.confidence >= low) & (verdicts.confidence <= high)
    ).sum()
    assert not np.isnan(kept).any() or (low, high) == (0, 1)
