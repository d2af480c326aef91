"""Augmentation keeps the template where it should, stays in range and repeats itself."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Generator, Tensor

from xfv_core.training.augment import Augmentation, augment, centre_crop

NOTHING = Augmentation(**dict.fromkeys((f.name for f in dataclasses.fields(Augmentation)), 0.0))


def photos(count: int = 6) -> Tensor:
    """Smooth coloured photos, so that sampling and JPEG change little."""
    coarse = torch.rand(count, 3, 5, 5, generator=Generator().manual_seed(4))
    fine = torch.nn.functional.interpolate(coarse, size=136, mode="bilinear")
    return (fine * 255).byte()


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_the_centre_crop_is_the_template_crop() -> None:
    x = photos(2)
    assert torch.equal(centre_crop(x), x[:, :, 12:124, 12:124].float() / 255)


def test_without_strength_only_the_flip_is_left() -> None:
    x = photos(16)
    crops, mirrored = centre_crop(x), centre_crop(x).flip(-1)
    out = augment(x, NOTHING, seeded())
    same = (out - crops).abs().amax((1, 2, 3)) < 1e-4
    turned = (out - mirrored).abs().amax((1, 2, 3)) < 1e-4
    assert (same ^ turned).all()
    assert same.any()
    assert turned.any()


def test_the_same_generator_gives_the_same_crops() -> None:
    strong = Augmentation(blur_share=0.5, jpeg_share=0.5, occlusion_share=0.5)
    first, again = (augment(photos(), strong, seeded(9)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, augment(photos(), strong, seeded(10)))


def test_crops_stay_in_range() -> None:
    wild = Augmentation(brightness=0.9, contrast=0.9, saturation=0.9, tint=0.9)
    out = augment(photos(), wild, seeded())
    assert out.shape == (6, 3, 112, 112)
    assert 0 <= out.min() < out.max() <= 1


def test_a_shift_moves_the_crop_by_at_most_its_pixels() -> None:
    ramp = torch.arange(136).repeat(136, 1).expand(32, 3, 136, 136).byte()  # value = column
    out = augment(ramp, dataclasses.replace(NOTHING, shift=4.0), seeded()) * 255
    left = torch.minimum(out[:, 0, 50, 0], out[:, 0, 50, -1])  # the smaller end, flipped or not
    assert ((left - 12).abs() <= 4.01).all()
    assert (left - 12).abs().max() > 2


def test_brightness_moves_all_pixels_of_a_photo_alike() -> None:
    x = photos().clamp(80, 170)
    change = augment(x, dataclasses.replace(NOTHING, brightness=0.2), seeded(1))
    plain = augment(x, NOTHING, seeded(1))
    moved = (change - plain).flatten(1)
    assert (moved.amax(1) - moved.amin(1)).max() < 1e-4
    assert moved.mean(1).abs().max() <= 0.2
    assert moved.mean(1).std() > 0.01


@pytest.mark.parametrize("part", ["blur_share", "jpeg_share", "occlusion_share"])
def test_a_share_of_one_changes_every_photo(part: str) -> None:
    x = (torch.rand(4, 3, 136, 136, generator=seeded()) * 255).byte()
    plain = augment(x, NOTHING, seeded(2))
    changed = augment(x, dataclasses.replace(NOTHING, **{part: 1.0}), seeded(2))
    assert ((changed - plain).abs().amax((1, 2, 3)) > 0.05).all()


def test_an_occlusion_is_one_flat_rectangle() -> None:
    x = (torch.rand(8, 3, 136, 136, generator=seeded()) * 255).byte()
    plain = augment(x, NOTHING, seeded(2))
    covered = augment(x, dataclasses.replace(NOTHING, occlusion_share=1.0), seeded(2))
    for before, after in zip(plain, covered, strict=True):
        rows, columns = torch.nonzero((before - after).abs().amax(0) > 0, as_tuple=True)
        inside = after[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert inside.max() == inside.min()
        assert 19 <= rows.max() - rows.min() < 60


def test_photos_are_augmented_where_they_are() -> None:
    strong = Augmentation(blur_share=0.5, jpeg_share=0.5, occlusion_share=0.5)
    elsewhere = photos().to("meta")  # any step on another device would fail
    out = augment(elsewhere, strong, seeded())
    assert (out.device.type, out.shape) == ("meta", (6, 3, 112, 112))


def test_a_blur_keeps_the_mean_and_flattens_the_rest() -> None:
    x = (torch.rand(4, 3, 136, 136, generator=seeded()) * 255).byte()
    plain = augment(x, NOTHING, seeded(2))
    blurred = augment(x, dataclasses.replace(NOTHING, blur_share=1.0), seeded(2))
    assert (blurred.mean((1, 2, 3)) - plain.mean((1, 2, 3))).abs().max() < 0.01
    assert (blurred.std((1, 2, 3)) < 0.5 * plain.std((1, 2, 3))).all()


def test_a_narrower_margin_shows_the_same_crop() -> None:
    x = photos(4)
    inner = x[:, :, 8:-8, 8:-8]  # a margin of 4 px rather than 12
    mild = dataclasses.replace(NOTHING, shift=1.0, rotation=1.0, brightness=0.1)
    whole, narrow = (augment(p, mild, seeded(3)) for p in (x, inner))
    torch.testing.assert_close(narrow, whole, atol=1e-3, rtol=0)
    assert torch.equal(centre_crop(inner), centre_crop(x))
