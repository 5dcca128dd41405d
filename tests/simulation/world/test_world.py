"""Laws of the drawn world: truth and images belong together, and nuisance is everywhere."""

from dataclasses import replace

import numpy as np
import pytest

from scdcli.legend import SECOND
from scdcli.simulation.camera.noise import value_noise
from scdcli.simulation.drawn import in_urban_classes
from scdcli.simulation.world import draw_pair
from scdcli.simulation.world.conditions import draw_conditions
from scdcli.simulation.world.frame import draw_frame
from scdcli.simulation.world.layout import draw_plan
from scdcli.simulation.world.render import lean, sunlight

BUILDING = 5
SEEDS = range(24, 38)


@pytest.fixture(scope="module")
def pairs():
    return [draw_pair(seed, 256, 256) for seed in SEEDS]


def test_same_seed_gives_the_same_pixels(pairs):
    again = draw_pair(SEEDS[3], 256, 256)
    for name in ("before", "after", "cover1", "cover2", "from_class", "to_class"):
        np.testing.assert_array_equal(getattr(again, name), getattr(pairs[3], name))


def test_another_seed_is_another_place(pairs):
    assert (pairs[0].cover1 != pairs[1].cover1).mean() > 0.2


@pytest.mark.parametrize(("height", "width"), [(128, 200), (301, 130)])
def test_any_size_from_128(height, width):
    pair = draw_pair(1, height, width)
    assert pair.before.shape == pair.after.shape == (3, height, width)
    assert pair.cover1.shape == pair.to_class.shape == (height, width)
    assert {pair.before.dtype, pair.cover2.dtype, pair.from_class.dtype} == {np.dtype(np.uint8)}


def test_a_world_below_128_pixels_is_refused():
    with pytest.raises(ValueError, match="100 x 256"):
        draw_pair(0, 100, 256)


def test_change_and_land_cover_are_consistent(pairs):
    for pair in pairs:
        changed = pair.from_class > 0
        np.testing.assert_array_equal(changed, pair.to_class > 0)
        np.testing.assert_array_equal(pair.from_class[changed], pair.cover1[changed])
        np.testing.assert_array_equal(pair.to_class[changed], pair.cover2[changed])
        np.testing.assert_array_equal(pair.cover1[~changed], pair.cover2[~changed])
        assert pair.cover1.min() >= 1
        assert pair.cover2.max() <= len(SECOND)


def test_same_class_change_is_a_rebuilt_building(pairs):
    same = [p.from_class[(p.from_class == p.to_class) & (p.from_class > 0)] for p in pairs]
    values = np.concatenate(same)
    assert len(values) > 0
    assert set(values.tolist()) == {BUILDING}


def test_all_classes_come_and_go(pairs):
    for name in ("from_class", "to_class"):
        seen = np.unique(np.concatenate([getattr(p, name).ravel() for p in pairs]))
        assert seen.tolist() == [0, *SECOND.indices()]


def test_about_a_fifth_changes(pairs):
    share = np.mean([(pair.from_class > 0).mean() for pair in pairs])
    assert 0.15 < share < 0.25


def test_without_change_nothing_is_labelled_but_the_images_differ():
    pair = draw_pair(5, 256, 256, change=0.0)
    assert not pair.from_class.any()
    assert np.abs(pair.before.astype(int) - pair.after).mean() > 8


def test_unchanged_ground_looks_different_at_the_two_dates(pairs):
    gaps = [
        np.abs(p.before[:, p.from_class == 0].astype(int) - p.after[:, p.from_class == 0]).mean()
        for p in pairs
    ]
    assert np.median(gaps) > 15


def test_more_change_can_be_asked_for():
    few, many = (
        np.mean([(draw_pair(s, 160, 160, change).from_class > 0).mean() for s in range(5)])
        for change in (0.05, 0.5)
    )
    assert many > few + 0.1


def test_a_larger_world_has_more_blocks_not_larger_ones():
    rng = np.random.default_rng
    plans = [draw_plan(rng(2), draw_frame(rng(1), size, size)) for size in (300, 1200)]
    sides = [np.median([max(p.rect.width, p.rect.height) for p in plan.parcels]) for plan in plans]
    assert len(plans[1].parcels) > 6 * len(plans[0].parcels)
    assert 0.6 < sides[1] / sides[0] < 1.6


def test_images_are_textured_and_use_the_range(pairs):
    for image in (p.before for p in pairs):
        assert image.std() > 8
        assert (np.abs(np.diff(image[1].astype(int), axis=1)) > 0).mean() > 0.5


def test_a_wall_casts_its_shadow_away_from_the_sun():
    height = np.zeros((60, 60), dtype=np.float32)
    height[28:32, 28:32] = 6.0
    conditions = draw_conditions(np.random.default_rng(0))
    sun = sunlight(height, replace(conditions, azimuth=0.0, elevation=np.deg2rad(45)))
    # Light travels toward larger x; 6 m at 45 degrees is a shadow of 12 pixels.
    assert sun[30, 34:42].max() < 0.5
    assert sun[30, 46:].min() == 1.0
    assert sun[30, :28].min() == 1.0
    assert sun[29, 29] == 1.0


def test_a_roof_leans_by_its_height():
    height = np.zeros((40, 40), dtype=np.float32)
    height[10:20, 10:20] = 20.0
    image = np.repeat(height[None] / 20, 3, axis=0)
    wall = np.full_like(image, 0.5)
    conditions = replace(draw_conditions(np.random.default_rng(0)), lean=(0.2, 0.0))
    seen = lean(image, height, wall, conditions)
    np.testing.assert_array_equal(seen[0, 15, 14:24], np.ones(10))
    assert seen[0, 15, 24:].max() == 0.0


def test_noise_has_no_mean_and_about_unit_spread():
    field = value_noise(np.random.default_rng(0), (400, 300), 5.0)
    assert abs(field.mean()) < 0.1
    assert 0.7 < field.std() < 1.3


@pytest.mark.parametrize("seed", range(4))
def test_the_urban_classes_are_those_of_the_world_with_roads_apart(seed):
    drawn = draw_pair(seed, 256, 256)
    urban = in_urban_classes(drawn)
    for cover, sealed, found in (
        (drawn.cover1, drawn.sealed1, urban.cover1),
        (drawn.cover2, drawn.sealed2, urban.cover2),
    ):
        np.testing.assert_array_equal(found == 1, cover == 1)
        np.testing.assert_array_equal(found == 4, cover == 5)
        np.testing.assert_array_equal(found == 5, (cover == 3) | (cover == 4))
        np.testing.assert_array_equal(found == 255, cover == 6)
        np.testing.assert_array_equal(found == 3, sealed & (cover == 2))
        assert (found == 3).mean() > 0.01  # every world has streets
        assert not (sealed & ~np.isin(cover, (1, 2))).any()


def test_in_urban_classes_a_tree_on_a_lawn_is_no_change_and_another_building_is():
    drawn = [draw_pair(seed, 192, 192) for seed in range(8)]
    urban = [in_urban_classes(pair) for pair in drawn]
    grown = rebuilt = 0
    for first, second in zip(drawn, urban, strict=True):
        plants = np.isin(first.from_class, (3, 4)) & np.isin(first.to_class, (3, 4))
        assert not second.from_class[plants].any()
        grown += int(plants.sum())
        same = (first.from_class == 5) & (first.to_class == 5)
        assert (second.from_class[same] == 4).all()
        assert (second.to_class[same] == 4).all()
        rebuilt += int(same.sum())
        np.testing.assert_array_equal(second.from_class == 0, second.to_class == 0)
        np.testing.assert_array_equal(second.from_class == 255, second.to_class == 255)
    assert grown
    assert rebuilt
