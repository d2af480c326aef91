"""Every term of the channel loss on maps whose right value is known by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from xfv_core.training.channel_terms import (
    balance_loss,
    belonging,
    by_part,
    cover_squares,
    covered_loss,
    distributions,
    diversity_loss,
    mirror_loss,
    part_loss,
    partners,
    peaks_under,
    silence_loss,
    template_loss,
    templates,
)
from xfv_core.training.ecloss import TERMS, ECLoss, ECLossError, ECWeights

SIDE = 8


def spots(*cells: tuple[int, int] | None) -> Tensor:
    """(1,C,8,8): one map per cell (row, column) with a single 3 there, silent for None."""
    maps = torch.zeros(1, len(cells), SIDE, SIDE)
    for channel, cell in enumerate(cells):
        if cell is not None:
            maps[0, channel, cell[0], cell[1]] = 3
    return maps


def test_a_template_falls_from_one_at_its_peak_to_minus_one_far_away() -> None:
    table = templates(SIDE, SIDE, 4.0).view(SIDE, SIDE, SIDE, SIDE)
    assert table[2, 3, 2, 3] == 1
    assert table[2, 3, 2, 4] == table[2, 3, 1, 3] == 0.5
    assert table[2, 3, 3, 4] == 0
    assert table[2, 3, 6, 6] == -1


def test_the_edge_of_the_crop_matches_no_template() -> None:
    table = templates(SIDE, SIDE, 4.0).view(SIDE * SIDE, SIDE, SIDE)
    assert (table[:, [0, -1]] == -1).all() and (table[:, :, [0, -1]] == -1).all()
    assert template_loss(spots((0, 3)), table.flatten(1)) == 1
    wider = templates(SIDE, SIDE, 4.0, edge=2).view(SIDE * SIDE, SIDE, SIDE)
    assert (wider[:, [0, 1, -2, -1]] == -1).all() and (wider[:, :, [0, 1, -2, -1]] == -1).all()
    assert torch.equal(wider[:, 2:-2, 2:-2], table[:, 2:-2, 2:-2])


def test_a_distribution_sums_to_one_and_a_silent_map_to_nothing() -> None:
    p = distributions(spots((1, 1), None) + spots((1, 2), None))
    assert p.sum((2, 3)).tolist() == [[1, 0]]
    assert p[0, 0, 1].tolist()[:3] == [0, 0.5, 0.5]


def test_a_single_spot_matches_its_template_and_a_spread_map_does_not() -> None:
    table = templates(SIDE, SIDE, 4.0)
    assert template_loss(spots((1, 1), (4, 4)), table) == 0
    two_near = spots((3, 3)) + 0.9 * spots((3, 4))  # T is 1 and 0.5
    assert template_loss(two_near, table) == pytest.approx((1 - (1 + 0.9 * 0.5) / 1.9) / 2)
    two_far = spots((1, 1)) + 0.9 * spots((6, 6))
    assert template_loss(two_far, table) == pytest.approx((1 - 0.1 / 1.9) / 2)


def test_silent_channels_are_neither_matched_nor_mismatched() -> None:
    table = templates(SIDE, SIDE, 4.0)
    alone = template_loss(spots((1, 1)) + 0.9 * spots((6, 6)), table)
    shared = spots((1, 1), None) + 0.9 * spots((6, 6), None)
    assert template_loss(shared, table) == alone
    assert template_loss(spots(None, None), table) == 0


def test_a_faint_map_counts_by_its_share() -> None:
    table = templates(SIDE, SIDE, 4.0)
    strong, faint = spots((1, 1)), 0.01 * (spots((1, 1)) + spots((6, 6)))  # 3 and 0.06; mean 1.53
    weights = 3 / 4.53, 0.06 / 1.59
    loss = template_loss(torch.cat([strong, faint]), table)
    assert loss == pytest.approx(0.5 * weights[1] / sum(weights), rel=1e-4)


def test_looking_where_the_own_part_is_sure_costs_nothing() -> None:
    likeness = torch.full((1, 2, SIDE, SIDE), -1.0)
    likeness[0, 0, 1, 1] = likeness[0, 1, 6, 6] = 1.0
    right = spots((1, 1), (6, 6))
    wrong = spots((6, 6), (1, 1))
    nowhere = spots((3, 3), (3, 3))
    assert part_loss(right, belonging(likeness, 2, 2, 0.1)) == pytest.approx(0, abs=1e-6)
    assert part_loss(nowhere, belonging(likeness, 2, 2, 0.1)) == pytest.approx(math.log(2))
    by_hand = math.log(1 + math.exp(4))
    assert part_loss(wrong, belonging(likeness, 2, 2, 0.5)) == pytest.approx(by_hand)


def test_activation_spent_elsewhere_counts_by_its_height() -> None:
    own = torch.zeros(2, 2, SIDE, SIDE)
    own[:, 0, 1, 1] = own[:, 1, 6, 6] = 1.0
    at_home = spots((1, 1), (6, 6))  # peaks of 3
    astray = spots((5, 5), (6, 6)) / 3  # the first channel, a peak of 1, is not on its part
    assert silence_loss(torch.cat([at_home, at_home]), own) == 0
    assert silence_loss(torch.cat([at_home, astray]), own) == pytest.approx(1 / 4 / 2)
    assert silence_loss(torch.cat([at_home, 9 * astray]), own) == pytest.approx(9 / 12 / 2)
    assert silence_loss(torch.cat([at_home, spots(None, (6, 6))]), own) == 0


def test_channels_belong_to_the_parts_in_turn() -> None:
    p = distributions(spots((0, 0), (1, 1), (0, 2), (1, 3)))
    parts = by_part(p, 2)
    assert parts[0, 0, 0, :4].tolist() == [0.5, 0, 0.5, 0]
    assert parts[0, 1, 1, :4].tolist() == [0, 0.5, 0, 0.5]
    likeness = torch.full((1, 2, SIDE, SIDE), -1.0)
    likeness[0, 0, 0] = likeness[0, 1, 1] = 1.0
    assert part_loss(
        spots((0, 0), (1, 1), (0, 2), (1, 3)), belonging(likeness, 2, 4, 0.1)
    ) == pytest.approx(0, abs=1e-6)


def test_a_place_like_what_is_beside_the_face_is_no_parts() -> None:
    likeness = torch.zeros(1, 3, SIDE, SIDE)  # two parts, and one beside
    likeness[0, 2, 0] = 1.0
    own = belonging(likeness, 2, 4, 0.1)
    assert own.shape == (1, 4, SIDE, SIDE)
    assert own[:, :, 0].max() < 1e-4
    assert own[0, :, 1, 1].tolist() == pytest.approx([1 / 3] * 4)


def test_diversity_is_the_squared_cosine_of_blurred_maps() -> None:
    same, apart = spots((3, 3), (3, 3)), spots((1, 1), (6, 6))
    assert diversity_loss(same) == pytest.approx(1)
    assert diversity_loss(apart) == 0
    # two 3x3 squares one cell apart share six of nine cells
    assert diversity_loss(spots((3, 3), (3, 4))) == pytest.approx((6 / 9) ** 2)
    # of three maps, two of them alike: one pair in three
    assert diversity_loss(spots((3, 3), (3, 3), (6, 7))) == pytest.approx(1 / 3)


def test_balance_is_zero_for_equal_shares_and_grows_as_a_channel_dies() -> None:
    equal = spots((0, 0), (1, 1), (2, 2), (3, 3))
    assert balance_loss(equal) == pytest.approx(0, abs=1e-5)
    uneven = equal * torch.tensor([3.0, 1, 1, 3]).view(1, 4, 1, 1)  # shares 3/8 1/8 1/8 3/8
    assert balance_loss(uneven) == pytest.approx(
        -(2 * math.log(1.5) + 2 * math.log(0.5)) / 4, abs=1e-5
    )
    assert balance_loss(spots((0, 0), (1, 1), (2, 2), None)) > 3


def loss_of(start: int = 0) -> ECLoss:
    weights = ECWeights(start=start, parts=2, momentum=0.75)
    return ECLoss(weights, channels=2, features=3, grid=SIDE)


def scene() -> Tensor:
    """Features (1,3,8,8): one kind at (1,1), another at (6,6), a third elsewhere."""
    features = torch.zeros(1, 3, SIDE, SIDE)
    features[0, 2] = 1.0
    for kind, cell in enumerate([(1, 1), (6, 6)]):
        features[0, :, cell[0], cell[1]] = torch.eye(3)[kind]
    return features


def test_prototypes_that_are_given_stay_whatever_the_channels_look_at() -> None:
    weights = ECWeights(parts=2, beside=1, prototypes="given", momentum=0.75)
    loss = ECLoss(weights, channels=2, features=3, grid=SIDE)
    given = torch.tensor([0.1, 0.2, 0.3]), torch.eye(3)
    loss.take(*given)
    terms = loss(spots((3, 3), (4, 4)), scene())
    torch.testing.assert_close((loss.mean, loss.prototypes), given)
    # the channels look at the third kind, of which the prototype beside the face is
    assert terms["part"] > loss(spots((1, 1), (6, 6)), scene())["part"]
    with pytest.raises(ECLossError, match="prototypes given"):
        loss.take(given[0], torch.eye(3)[:2])


def test_prototypes_are_what_their_channels_look_at() -> None:
    loss = loss_of()
    loss(spots((1, 1), (6, 6)), scene())
    kinds = torch.eye(3)[:2] - scene().mean((0, 2, 3))
    expected = torch.nn.functional.normalize(kinds, dim=1)
    torch.testing.assert_close(loss.prototypes, expected)
    loss(spots((3, 3), (6, 6)), scene())
    elsewhere = torch.nn.functional.normalize(torch.eye(3)[2] - scene().mean((0, 2, 3)), dim=0)
    torch.testing.assert_close(loss.prototypes[0], 0.75 * expected[0] + 0.25 * elsewhere)


def test_the_part_term_draws_a_channel_to_its_prototype_and_leaves_the_features_alone() -> None:
    loss = loss_of()
    loss(spots((1, 1), (6, 6)), scene())
    maps = (spots((1, 1), (6, 6)) + 0.5 * spots((6, 6), (1, 1))).requires_grad_()
    features = scene().requires_grad_()
    loss(maps, features)["part"].backward()
    assert maps.grad is not None
    assert maps.grad[0, 0, 1, 1] < 0 < maps.grad[0, 0, 6, 6]
    assert maps.grad[0, 1, 6, 6] < 0 < maps.grad[0, 1, 1, 1]
    assert features.grad is None


def test_nothing_counts_or_moves_before_the_start() -> None:
    loss = loss_of(start=2)
    maps = spots((1, 1), (6, 6)) + 0.5 * spots((6, 6), (1, 1))
    for _ in range(2):
        assert all(float(term) == 0 for term in loss(maps, scene()).values())
        assert not loss.prototypes.any()
    terms = loss(maps, scene())
    assert all(
        float(terms[name]) > 0 for name in TERMS if name not in ("balance", "covered", "mirror")
    )
    assert loss.prototypes.any()


def test_measuring_moves_nothing() -> None:
    loss = loss_of()
    loss(spots((1, 1), (6, 6)), scene())
    before = {k: v.clone() for k, v in loss.state_dict().items()}
    loss.eval()
    assert set(loss(spots((3, 3), (3, 4)), scene())) == set(TERMS)
    assert all(torch.equal(before[k], v) for k, v in loss.state_dict().items())


def test_only_weighted_terms_are_active() -> None:
    assert ECWeights(template=0.5, start=7).active == {"template": 0.5}


def test_channels_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ECLossError, match="shared out"):
        ECLoss(ECWeights(parts=3), channels=4, features=2, grid=4)


def test_prototypes_beside_the_face_are_never_learnt() -> None:
    with pytest.raises(ECLossError, match="beside must be 0"):
        ECLoss(ECWeights(parts=2, beside=1), channels=4, features=2, grid=4)


def test_a_cover_is_one_square_of_one_grey_and_nothing_else_changes() -> None:
    photos = torch.rand(40, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    after, inside = cover_squares(photos, torch.Generator().manual_seed(1))
    sides = inside.any(2).sum(1)
    assert (inside.any(1).sum(1) - sides).abs().max() <= 1  # square, to a pixel
    assert (inside.sum((1, 2)) == inside.any(2).sum(1) * inside.any(1).sum(1)).all()
    assert 15 <= sides.min() < 22 and 30 < sides.max() <= 37
    assert not inside[:, :20].any() and not inside[:, :, -20:].any()
    whole = inside[:, None].expand_as(photos)
    assert torch.equal(after[~whole], photos[~whole])
    greys = [photo[:, square].unique() for photo, square in zip(after, inside, strict=True)]
    assert all(len(grey) == 1 for grey in greys)
    black = sum(float(grey) == 0 for grey in greys)
    assert 10 <= black <= 30
    again = cover_squares(photos, torch.Generator().manual_seed(1))
    assert torch.equal(again[0], after)


def test_a_covered_channel_is_to_be_silent_and_not_to_look_elsewhere() -> None:
    inside = torch.zeros(1, 112, 112, dtype=torch.bool)
    inside[:, 28:56, 28:56] = True  # cells 2 and 3 of 8
    maps = spots((2, 2), (3, 3), (5, 5))
    assert covered_loss(maps, spots(None, None, (5, 5)), inside) == 0
    assert covered_loss(maps, spots(None, None, None), inside) == 0  # of what is not covered: free
    assert covered_loss(maps, maps, inside) == 1
    moved = spots(None, (6, 6), (5, 5))
    assert covered_loss(maps, moved, inside) == 0.5
    assert covered_loss(spots((5, 5)), spots((5, 5)), inside) == 0  # nothing is covered


def test_parts_are_mirror_images_in_pairs_and_the_others_of_themselves() -> None:
    assert partners(10, 5, 2).tolist() == [1, 0, 3, 2, 4, 6, 5, 8, 7, 9]
    assert partners(4, 2, 0).tolist() == [0, 1, 2, 3]


def test_a_channel_is_to_see_in_the_mirror_image_what_its_partner_sees() -> None:
    maps, all_shown = spots((2, 2), (5, 5), None), torch.tensor([[False, False, False]])
    assert mirror_loss(maps, 2 * maps, all_shown) == pytest.approx(0, abs=1e-6)
    moved = spots((2, 2), (1, 1), (6, 6))
    assert mirror_loss(maps, moved, all_shown) == pytest.approx(0.5)
    shown = torch.tensor([[False]])
    beside = mirror_loss(spots((2, 2)), spots((2, 3)), shown)
    assert 0 < beside < mirror_loss(spots((2, 2)), spots((2, 6)), shown)
    nowhere = mirror_loss(maps, moved, torch.tensor([[False, True, False]]))
    assert nowhere == pytest.approx(0, abs=1e-6)  # the place that is elsewhere was covered


def test_a_faint_map_does_not_steer_by_its_noise() -> None:
    maps = spots((2, 2)).expand(2, 1, SIDE, SIDE)
    again = torch.stack([maps[0], 1e-5 * torch.rand(1, SIDE, SIDE)]).requires_grad_()
    mirror_loss(maps, again, torch.zeros(2, 1, dtype=torch.bool)).backward()
    assert again.grad is not None and 0 < again.grad.abs().max() < 10


def test_a_peak_is_under_a_cover_where_most_of_its_cell_is() -> None:
    inside = torch.zeros(1, 112, 112, dtype=torch.bool)
    inside[:, 28:62, 28:62] = True  # cells 2 and 3 of 8, a little of 4
    assert peaks_under(spots((2, 2), (3, 4), (5, 5)), inside).tolist() == [[True, False, False]]


def test_the_second_view_is_mirrored_covered_or_both() -> None:
    sizes = {"channels": 4, "features": 3, "grid": SIDE}
    photos = torch.rand(8, 3, 112, 112, generator=torch.Generator().manual_seed(0))

    def view(**weights: float) -> tuple[Tensor, Tensor]:
        seen = ECLoss(ECWeights(parts=2, **weights), **sizes).second_view(photos)  # type: ignore[arg-type]
        assert seen is not None
        return seen

    again, inside = view(mirror=1.0)
    assert torch.equal(again, photos[:2].flip(-1)) and not inside.any()
    covered, under = view(covered=1.0)
    both, same = view(mirror=1.0, covered=1.0)
    assert torch.equal(both, covered.flip(-1)) and torch.equal(same, under) and under.any()


def test_the_maps_of_a_mirror_image_come_back_through_the_partners() -> None:
    loss = ECLoss(
        ECWeights(parts=2, pairs=1, mirror=1.0, covered=1.0), channels=2, features=3, grid=SIDE
    )
    maps, features = spots((2, 1), (4, 6)), torch.rand(1, 3, SIDE, SIDE)
    inside = torch.zeros(1, 112, 112, dtype=torch.bool)
    again = spots((4, 1), (2, 6))  # columns counted from the other side, channels changed over
    terms = loss(maps, features, (again, inside))
    assert terms["mirror"] == pytest.approx(0, abs=1e-6)
    assert loss(maps, features, (maps, inside))["mirror"] > 0.5
    inside[:, 28:42, 14:28] = True  # where the first channel peaks
    terms = loss(maps, features, (again, inside))
    assert terms["mirror"] == pytest.approx(0, abs=1e-6)
    assert terms["covered"] == 1  # its partner has seen it nevertheless


def test_only_a_loss_with_that_term_wants_covered_crops_and_not_before_its_start() -> None:
    sizes = {"channels": 2, "features": 3, "grid": SIDE}
    photos = torch.rand(4, 3, 112, 112)
    assert ECLoss(ECWeights(parts=2), **sizes).second_view(photos) is None
    loss = ECLoss(ECWeights(parts=2, covered=1.0, start=1), **sizes)
    assert loss.second_view(photos) is None
    maps, features = torch.rand(2, 2, SIDE, SIDE), torch.rand(2, 3, SIDE, SIDE)
    assert loss(maps, features)["covered"] == 0
    assert loss.second_view(photos) is not None
    inside = torch.ones(1, 112, 112, dtype=torch.bool)
    assert loss(maps, features, (maps[:1] / 2, inside))["covered"] == pytest.approx(0.5)
