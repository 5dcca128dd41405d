"""Two photographs of one place: reproducible, of the right kind, and as different as real ones."""

from dataclasses import replace

import numpy as np
import pytest
from grounds import ground

from scdcli.simulation.camera.look import Look, draw_looks, photograph
from scdcli.simulation.camera.placing import Place
from scdcli.simulation.camera.radiometry import palette


@pytest.fixture(scope="module")
def place():
    return ground()


@pytest.fixture(scope="module")
def pairs(place):
    """Pictures of 24 pairs of dates, (24, 2, 3, H, W) in 0..255."""
    rng = np.random.default_rng(5)
    colors = [palette(ground(seed=seed).scene ** 1.5) for seed in (1, 2)]
    taken = []
    for _ in range(24):
        looks = draw_looks(rng, palettes=colors)
        taken.append([photograph(place.scene, look, rng, **place.masks) for look in looks])
    return np.array(taken, dtype=np.float32)


def correlations(pairs):
    return np.array([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])


def test_the_same_seed_gives_the_same_pictures(place):
    def pictures():
        rng = np.random.default_rng(3)
        looks = draw_looks(rng, palettes=[palette(place.scene)])
        return looks, [photograph(place.scene, look, rng, **place.masks) for look in looks]

    (looks, first), (again, second) = pictures(), pictures()
    assert looks == again
    np.testing.assert_array_equal(first, second)


def test_other_seeds_give_other_looks():
    drawn = {draw_looks(np.random.default_rng(seed))[0].tone for seed in range(8)}
    assert len(drawn) == 8


def test_without_strength_a_scene_is_what_it_was(place):
    looks = draw_looks(np.random.default_rng(0), strength=0.0, palettes=[palette(place.scene)])
    assert looks == (Look(), Look())
    for look in looks:
        picture = photograph(place.scene, look, np.random.default_rng(1), **place.masks)
        np.testing.assert_array_equal(picture, np.rint(place.scene * 255))


@pytest.mark.parametrize("shape", [(64, 80), (61, 75)])
def test_pictures_have_the_size_of_the_scene(shape):
    place = ground(*shape)
    rng = np.random.default_rng(2)
    for look in draw_looks(rng):
        picture = photograph(place.scene, look, rng, **place.masks)
        assert (picture.shape, picture.dtype) == ((3, *shape), np.dtype("uint8"))


def test_a_small_chip_without_anything_on_it_is_photographed():
    nothing = np.zeros((16, 16), dtype=bool)
    rng = np.random.default_rng(4)
    scene = rng.random((3, 16, 16), dtype=np.float32)
    for look in (look for _ in range(10) for look in draw_looks(rng, strength=1.5)):
        picture = photograph(
            scene, look, rng, vegetation=nothing, buildings=nothing.astype(np.int32), water=nothing
        )
        assert picture.shape == (3, 16, 16)


def test_scene_and_masks_stay_as_they_are(place):
    before = ground()
    rng = np.random.default_rng(6)
    for look in (look for _ in range(5) for look in draw_looks(rng, strength=1.5)):
        photograph(place.scene, look, rng, **place.masks)
    for name in ("scene", "vegetation", "buildings", "water"):
        np.testing.assert_array_equal(getattr(place, name), getattr(before, name))


@pytest.mark.parametrize("shift", [(3, 0), (0, -2), (-1, 2)])
def test_a_picture_lies_where_its_look_says(place, shift):
    look = Look(place=Place(shift=shift))
    picture = photograph(place.scene, look, np.random.default_rng(0), **place.masks)
    straight = np.rint(place.scene * 255)
    inner = (..., slice(8, -8), slice(8, -8))
    np.testing.assert_array_equal(picture[inner], np.roll(straight, shift, (1, 2))[inner])


def test_stronger_looks_differ_more(place):
    def difference(strength):
        rng = np.random.default_rng(8)
        pairs = [draw_looks(rng, strength=strength) for _ in range(6)]
        views = [
            [
                photograph(place.scene, look, np.random.default_rng(0), **place.masks).astype(float)
                for look in looks
            ]
            for looks in pairs
        ]
        return np.mean([np.abs(a - b).mean() for a, b in views])

    assert difference(0.25) < 0.6 * difference(1.0)


def test_buildings_are_equally_high_at_both_dates():
    first, second = draw_looks(np.random.default_rng(9))
    assert first.heights == second.heights


def test_some_pairs_are_of_one_campaign_and_most_are_not():
    rng = np.random.default_rng(10)
    looks = [draw_looks(rng) for _ in range(120)]
    same = np.mean([first.tone == second.tone for first, second in looks])
    assert 0.2 < same < 0.5
    assert all(first.place != second.place for first, second in looks)


def test_shifts_are_mostly_below_a_pixel_and_never_above_two():
    rng = np.random.default_rng(11)
    shifts = [np.hypot(*look.place.shift) for _ in range(120) for look in draw_looks(rng)]
    assert np.median(shifts) < 0.6
    assert 1.0 < max(shifts) <= 2.0 + 1e-9


def test_pairs_reach_from_alike_to_hardly_alike(pairs):
    alike = correlations(pairs)
    assert alike.max() > 0.95
    assert np.quantile(alike, 0.1) < 0.8


def test_pairs_differ_in_brightness_as_real_ones(pairs):
    # Between real dates: 1 to 38 gray levels, in the middle 8 to 17.
    brightness = np.abs(np.diff(pairs.mean(axis=(2, 3, 4)), axis=1))
    assert 4 < np.median(brightness) < 30
    assert brightness.max() > 25


def test_pairs_differ_in_color(pairs):
    color = pairs.mean(axis=(3, 4))
    color = color - color.mean(axis=2, keepdims=True)
    cast = np.abs(color[:, 0] - color[:, 1]).max(axis=1)
    assert np.median(cast) > 2
    assert cast.max() > 12


def test_cars_differ_between_photographs_of_one_look(place):
    rng = np.random.default_rng(12)
    look = draw_looks(rng)[0]
    look = Look(traffic=replace(look.traffic, density=200.0, length=8.0))
    first, second = (photograph(place.scene, look, rng, **place.masks) for _ in range(2))
    changed = (first != second).any(axis=0)
    assert changed.any()
    assert not changed[place.water].any()
