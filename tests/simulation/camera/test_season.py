"""Plants, ground and water by time of year, and what surfaces do meanwhile."""

from dataclasses import replace

import numpy as np
import pytest
from grounds import ground

from scdcli.simulation.camera.season import STRAW, Season, draw_season, in_season
from scdcli.simulation.camera.surface import Surface, draw_surface, with_roofs, with_surface

DRY = Season(colors=(STRAW, STRAW, STRAW), amount=0.9, brightness=1.3, seed=3)
AGED = Surface(aging=0.2, fading=0.05, new_growth=0.9, new_ground=0.8, seed=5)


@pytest.fixture(scope="module")
def place():
    return ground()


def core(mask, rim=8):
    """The mask without a rim of so many pixels, where edges are soft."""
    inner = mask.copy()
    for axis in (0, 1):
        for step in range(-rim, rim + 1):
            inner &= np.roll(mask, step, axis)
    return inner


def seasonal(place, season):
    return in_season(place.scene, season, place.vegetation, place.buildings, place.water)


def test_a_dry_season_turns_plants_from_green_to_straw(place):
    before = place.scene[:, place.vegetation].mean(axis=1)
    after = seasonal(place, DRY)[:, place.vegetation].mean(axis=1)
    assert before[1] > before[0]
    assert after[0] > after[1] > after[2]
    assert after.mean() > 1.1 * before.mean()


def test_the_season_of_plants_leaves_roofs_and_water_alone(place):
    picture = seasonal(place, DRY)
    for mask in (core(place.buildings > 0, 4), core(place.water, 4)):
        assert mask.any()
        np.testing.assert_allclose(picture[:, mask], place.scene[:, mask], atol=1e-6)


def test_evergreens_stay(place):
    def moved(share):
        picture = seasonal(place, replace(DRY, evergreen=share))
        return np.abs(picture - place.scene)[:, place.vegetation].mean()

    assert moved(1.0) < 0.5 * moved(0.0)


def test_wet_ground_is_darker_in_patches(place):
    picture = seasonal(place, Season(moisture=0.4, seed=1))
    change = (picture - place.scene)[0][place.bare]
    assert change.min() < -0.05
    assert change.max() < 0.02


def test_water_takes_the_color_of_its_season(place):
    brown = (0.36, 0.32, 0.24)
    picture = seasonal(place, Season(water=brown, water_share=0.9, seed=1))
    inner = picture[:, -12:-4, -8:-2].mean(axis=(1, 2))
    np.testing.assert_allclose(inner, brown, atol=0.08)
    np.testing.assert_allclose(picture[:, :, :40], place.scene[:, :, :40], atol=1e-6)


def surfaced(place, surface):
    return with_surface(place.scene, surface, place.vegetation, place.buildings, place.water)


def test_texture_renews_as_strong_as_it_was(place):
    picture = surfaced(place, Surface(new_growth=1.0, new_ground=0.9, grain=9, seed=2))
    for mask in (place.vegetation, place.bare):
        before, after = place.scene[1][mask], picture[1][mask]
        assert 0.6 < after.std() / before.std() < 1.4
    difference = np.abs(picture - place.scene).mean(axis=0)
    assert difference[place.bare].mean() > 0.005
    roofs = core(place.buildings > 0, 4)
    assert roofs.any()
    assert not difference[roofs].any()


def test_materials_part_without_a_common_cast(place):
    picture = surfaced(place, replace(AGED, new_growth=0.0, new_ground=0.0))
    change = np.log(picture.mean(axis=0) / place.scene.mean(axis=0))
    parts = [change[mask].mean() for mask in (place.vegetation, place.bare, place.water)]
    assert max(parts) - min(parts) > 0.05
    assert abs(change.mean()) < 0.1


def test_ridged_roofs_have_a_bright_and_a_dark_side():
    buildings = np.zeros((40, 60), dtype=np.int32)
    buildings[15:25, 10:50] = 1
    flat = np.full((3, 40, 60), 0.5, dtype=np.float32)
    surface = Surface(slopes=0.4)
    # Shadows fall down the rows; whether the building has a ridge lies in the seed.
    pictures = [with_roofs(flat, surface, buildings, np.pi / 2, seed)[0] for seed in range(8)]
    sides = [picture[16:19, 20:40].mean() - picture[21:24, 20:40].mean() for picture in pictures]
    assert max(sides) > 0.1
    assert min(sides) > -1e-6
    assert any(side == pytest.approx(0.0) for side in sides)
    assert all((picture[buildings == 0] == 0.5).all() for picture in pictures)


def test_roofs_have_each_its_own_brightness(place):
    picture = with_roofs(place.scene, Surface(roofs=0.3, seed=4), place.buildings, 0.0, 0)
    factor = picture / place.scene
    for number in (1, 2):
        assert np.ptp(factor[:, place.buildings == number]) < 1e-4
    assert np.ptp([factor[0][place.buildings == number].mean() for number in (1, 2)]) > 0.02


@pytest.mark.parametrize(("draw", "none"), [(draw_season, Season()), (draw_surface, Surface())])
def test_no_amount_draws_nothing(draw, none):
    assert draw(np.random.default_rng(0), 0.0) == none


def test_without_a_season_nothing_is_computed(place):
    assert seasonal(place, Season()) is place.scene
    assert surfaced(place, Surface()) is place.scene
