"""One rule says who is in no training."""

from __future__ import annotations

from xfv_core.weights.held_out import held_out


def test_one_person_in_eight_is_held_out_and_nobody_unknown() -> None:
    labels = [-1, 0, 7, 8, 15, -9]
    assert held_out(labels).tolist() == [False, False, True, False, True, False]


def test_forty_one_of_the_labelled_people_are_held_out() -> None:
    assert held_out(range(329)).sum() == 41


def test_another_share_may_be_asked_for() -> None:
    assert held_out([2, 3, 5], every=3).tolist() == [True, False, True]
