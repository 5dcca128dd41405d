"""Augmentation moves both dates and all labels together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scdcli.datasets.augment import Augmentation, LabelledPair, augment, jitter, random_chip
from scdcli.legend import NODATA


def pair_of(height, width, seed=0):
    """Labels that can be read off the images: value = 10 * label."""
    rng = np.random.default_rng(seed)
    labels = [torch.from_numpy(rng.integers(1, 7, (height, width), dtype=np.uint8)) for _ in "ab"]
    images = [(10.0 * label.float()).expand(3, height, width).clone() for label in labels]
    return LabelledPair(*images, *labels, (labels[0] != labels[1]).to(torch.uint8))


def agrees(pair):
    inside = pair.changed != NODATA
    images = (pair.before, pair.after)
    changed = (pair.from_label != pair.to_label).to(torch.uint8)
    return torch.equal(pair.changed[inside], changed[inside]) and all(
        (image[0][inside] == 10.0 * label[inside].float()).all()
        for image, label in zip(images, (pair.from_label, pair.to_label), strict=True)
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 60), st.integers(20, 60), st.integers(0, 10**6))
def test_labels_follow_the_images_through_crop_flip_and_swap(height, width, seed):
    kept = Augmentation(chip=32, scale=(1.0, 1.0), flip=True, swap_dates=True)
    chip = augment(pair_of(height, width), kept, np.random.default_rng(seed))
    assert chip.before.shape == chip.after.shape == (3, 32, 32)
    assert agrees(chip)


@pytest.mark.parametrize("seed", range(5))
def test_beyond_its_edges_a_scene_is_mirrored_and_does_not_count(seed):
    pair = pair_of(20, 20)
    chip = random_chip(pair, 32, 1.0, np.random.default_rng(seed))
    inside = chip.changed != NODATA
    assert inside.sum() == 20 * 20
    top, left = (int(axis[0]) for axis in np.nonzero(inside.numpy()))
    mirrored = np.pad(pair.before[0].numpy(), 32, mode="symmetric")
    rows = slice(32 - top, 64 - top)
    assert (chip.before[0].numpy() == mirrored[rows, 32 - left : 64 - left]).all()
    for label in chip.maps():
        assert ((label == NODATA) == ~inside).all()


@pytest.mark.parametrize("side", [700, 365, 300, 256])
def test_labels_are_not_shifted_against_the_image(side):
    """A ramp as image and as label stays equal on average when resized."""
    ramp = torch.arange(700.0)[:, None].expand(700, 700) / 4
    label = ramp.to(torch.uint8)
    pair = LabelledPair(ramp[None], ramp[None], label, label, label)
    chip = random_chip(pair, 512, 512 / side, np.random.default_rng(0))
    offset = (chip.before[0] - chip.from_label.float()).mean() - 0.375  # the cast rounds down
    assert abs(float(offset)) < 0.02


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 90), st.integers(8, 90), st.integers(8, 48), st.floats(0.4, 2.5))
def test_a_label_is_the_scene_pixel_under_the_center_of_the_chip_pixel(height, width, chip, factor):
    """Against a window cut from the mirrored scene, with the scene's row and column as label."""
    rows = torch.arange(height, dtype=torch.uint8)[:, None].expand(height, width)
    cols = torch.arange(width, dtype=torch.uint8).expand(height, width)
    image = torch.stack([rows, cols])
    pair = LabelledPair(image, image, rows, cols, torch.zeros(height, width, dtype=torch.uint8))
    side = max(8, round(chip / factor))
    seen = random_chip(pair, chip, factor, np.random.default_rng(height))
    rng = np.random.default_rng(height)
    centers = [int((2 * i + 1) * side / (2 * chip)) for i in range(chip)]
    for axis, (label, length) in enumerate(((seen.from_label, height), (seen.to_label, width))):
        start = rng.integers(min(0, length - side), max(0, length - side) + 1)
        expected = [start + c if 0 <= start + c < length else NODATA for c in centers]
        along = label.amin(dim=1 - axis)  # nodata of the other axis is larger
        assert along.tolist() == expected
        mirrored = np.pad(np.arange(length), 6 * 90, mode="symmetric")[6 * 90 + start :][:side]
        mapped = np.interp((np.arange(chip) + 0.5) * side / chip - 0.5, np.arange(side), mirrored)
        shown = seen.before[axis].select(1 - axis, 0)
        np.testing.assert_allclose(shown.numpy(), mapped, atol=1e-3)


@pytest.mark.parametrize(("factor", "side"), [(0.5, 64), (2.0, 16)])
def test_scale_zooms_about_a_window_of_the_scene(factor, side):
    """A chip of 32 at factor 2 shows 16 scene pixels, each twice."""
    ramp = torch.arange(128.0).expand(1, 128, 128)
    zero = torch.zeros(128, 128, dtype=torch.uint8)
    chip = random_chip(
        LabelledPair(ramp, ramp, zero, zero, zero), 32, factor, np.random.default_rng(1)
    )
    span = float(chip.before[0, 0, -1] - chip.before[0, 0, 0])
    assert span == pytest.approx(side * 31 / 32, abs=1.5)


def test_images_in_eight_bits_give_the_same_chip_as_in_float():
    pair = pair_of(40, 50)
    narrow = replace(pair, before=pair.before.byte(), after=pair.after.byte())
    kept = Augmentation(chip=32, jitter=0.5)
    chips = [augment(each, kept, np.random.default_rng(2)) for each in (pair, narrow)]
    assert chips[1].before.dtype == torch.float32
    assert torch.equal(chips[0].before, chips[1].before)
    assert torch.equal(chips[0].after, chips[1].after)


def test_jitter_leaves_the_image_given_to_it_alone():
    image = torch.rand(3, 16, 16) * 255
    kept = image.clone()
    jitter(image, 1.0, np.random.default_rng(0))
    assert torch.equal(image, kept)


def test_swapping_exchanges_images_and_labels():
    swap = Augmentation(chip=16, scale=(1.0, 1.0), flip=False, swap_dates=True)
    pair = pair_of(16, 16)
    swapped = [augment(pair, swap, np.random.default_rng(seed)) for seed in range(8)]
    firsts = {bool((x.from_label == pair.from_label).all()) for x in swapped}
    assert firsts == {True, False}


def test_the_same_seed_gives_the_same_sample():
    kept = Augmentation(chip=24, jitter=1.0, swap_dates=True)
    one, two = (augment(pair_of(40, 40), kept, np.random.default_rng((3, 1, 4))) for _ in "ab")
    other = augment(pair_of(40, 40), kept, np.random.default_rng((3, 2, 4)))
    assert (one.before == two.before).all()
    assert not torch.equal(one.before, other.before)


def test_jitter_changes_the_radiometry_and_keeps_the_scene():
    rng = np.random.default_rng(5)
    image = torch.from_numpy(np.kron(rng.random((3, 8, 8)), np.ones((1, 8, 8)))).float() * 255
    changed = jitter(image, 0.5, rng)
    assert changed.shape == image.shape
    assert (changed - image).abs().mean() > 2
    correlation = np.corrcoef(image.mean(0).ravel(), changed.mean(0).ravel())[0, 1]
    assert correlation > 0.8
