"""CorrRISE on a network that looks at one pixel; the map of nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.explain.toys import BLACK, PIXEL, SIDE, WHITE, OnePixel
from xfv_core.explain import make_method
from xfv_core.explain.corrrise import CorrRISE, correlation


def test_correlation_is_pearsons_with_ranks() -> None:
    rng = np.random.default_rng(0)
    seen, scores = rng.random((40, 3, 3)) < 0.7, rng.random(40)
    ranks = scores.argsort().argsort()
    r = correlation(seen, scores)
    for i in range(3):
        for j in range(3):
            assert r[i, j] == pytest.approx(np.corrcoef(seen[:, i, j], ranks)[0, 1], abs=1e-6)


def test_a_pixel_always_seen_and_equal_scores_correlate_with_nothing() -> None:
    seen = np.array([[[True, False]], [[True, True]]])
    assert correlation(seen, np.array([1.0, 2.0])).tolist() == [[0.0, 1.0]]
    assert not correlation(seen, np.array([1.0, 1.0])).any()


def test_the_only_pixel_that_counts_is_the_most_similar_one() -> None:
    (maps,) = CorrRISE()(OnePixel(), WHITE, WHITE, threshold=0.3)
    for values in (maps.a, maps.b):
        assert values[PIXEL] == pytest.approx(values.max())
        assert values[PIXEL] > 0.8


def test_where_covering_makes_the_pair_alike_the_map_is_negative() -> None:
    (maps,) = CorrRISE()(OnePixel(), WHITE, BLACK, threshold=0.3)
    assert maps.a[PIXEL] == pytest.approx(maps.a.min())
    assert maps.a[PIXEL] < -0.8
    assert not maps.b.any()  # hiding in black changes nothing


def test_holes_lie_inside_and_have_their_size() -> None:
    seen = CorrRISE(holes=1).visible(112)
    assert (~seen).sum((1, 2)).tolist() == [900] * 500
    reached = (~seen).any(0)
    assert all(edge.any() for edge in (reached[0], reached[-1], reached[:, 0], reached[:, -1]))


def test_passes_steps_and_seed() -> None:
    model, reported = OnePixel(), []
    (maps,) = CorrRISE(masks=70)(model, WHITE, WHITE, threshold=0.3, steps=reported.append)
    assert sum(model.batches) == maps.cost.passes == 142
    assert reported == sorted(reported) and reported[-1] == 1
    again, other = (
        next(iter(CorrRISE(masks=70, seed=s)(OnePixel(), WHITE, WHITE, threshold=0.3)))
        for s in (0, 1)
    )
    assert np.array_equal(again.a, maps.a) and not np.array_equal(other.a, maps.a)


def test_a_random_map_depends_on_its_seed_alone() -> None:
    one, again, other = (
        next(iter(make_method("random", seed=s)(OnePixel(), WHITE, photo, threshold=0.3)))
        for s, photo in ((0, WHITE), (0, BLACK), (1, WHITE))
    )
    assert one.a.shape == (SIDE, SIDE)
    assert np.array_equal(one.a, again.a) and not np.array_equal(one.a, other.a)
    assert not np.array_equal(one.a, one.b)
