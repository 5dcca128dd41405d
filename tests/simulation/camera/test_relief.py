"""Shadows and leaning roofs."""

import numpy as np
import pytest
from grounds import ground

from scdcli.simulation.camera.relief import (
    Lean,
    Sun,
    cast_shadow,
    heights,
    with_lean,
    with_shadows,
    with_soft_shadows,
)

NONE = np.zeros((40, 40), dtype=bool)


def house(rows=(15, 25), cols=(15, 25)):
    buildings = np.zeros((40, 40), dtype=np.int32)
    buildings[slice(*rows), slice(*cols)] = 1
    return buildings


@pytest.mark.parametrize("azimuth", [0.0, 1.0, 2.5, 4.0, 5.5])
def test_shadows_never_fall_on_roofs(azimuth):
    place = ground()
    sun = Sun(azimuth=azimuth, elevation=0.4, darkness=0.7, trees=8.0)
    high = heights(place.buildings, 0)
    picture = with_shadows(place.scene, place.buildings, high, sun, place.vegetation)
    roof = place.buildings > 0
    np.testing.assert_array_equal(picture[:, roof], place.scene[:, roof])
    assert (picture <= place.scene).all()
    assert (picture[:, ~roof] < place.scene[:, ~roof] - 0.1).any()


def test_a_shadow_lies_away_from_the_sun_as_long_as_the_height_says():
    # Down the rows, at 45 degrees: as long as the house is high.
    height = np.where(house() > 0, np.float32(8), np.float32(0))
    shadow = cast_shadow(height, Sun(azimuth=np.pi / 2, elevation=np.pi / 4))
    assert (shadow[25:32, 18:22] > 0).all()
    assert not shadow[34:].any()
    assert not shadow[:15].any()


def test_low_sun_casts_longer_shadows():
    height = np.where(house() > 0, np.float32(5), np.float32(0))
    low, high = (cast_shadow(height, Sun(azimuth=0.3, elevation=e)).sum() for e in (0.4, 1.1))
    assert low > 2 * high


def test_heights_depend_on_seed_and_building_only():
    both = house()
    both[30:38, 2:12] = 2
    alone = heights(house(), 7)
    np.testing.assert_array_equal(heights(both, 7)[:2], alone)
    assert heights(both, 8)[1] != alone[1]
    assert alone[0] == 0


def test_a_leaning_roof_moves_and_its_wall_shows():
    rng = np.random.default_rng(0)
    scene = rng.uniform(0.3, 0.5, (3, 40, 40)).astype(np.float32)
    roof = house() > 0
    scene[:, roof] = 0.9
    high = np.array([0, 20], dtype=np.float32)
    picture = with_lean(scene, house(), high, Lean(slope=(0.0, 0.15), facade=0.5))
    # Three pixels to the right.
    np.testing.assert_allclose(picture[:, 15:25, 18:28], 0.9, atol=1e-5)
    np.testing.assert_allclose(picture[:, 17:23, 16:18], 0.45, atol=1e-5)
    np.testing.assert_array_equal(picture[:, :14], scene[:, :14])


def test_roofs_move_four_pixels_at_most():
    scene = np.zeros((3, 40, 40), dtype=np.float32)
    scene[:, house() > 0] = 1.0
    high = np.array([0, 45], dtype=np.float32)
    picture = with_lean(scene, house(), high, Lean(slope=(0.4, 0.0), facade=0.0))
    rows = np.nonzero((picture[0] > 0.5).any(axis=1))[0]
    assert (rows.min(), rows.max()) == (19, 28)


def test_dark_ground_gains_light_but_water_does_not():
    scene = np.full((3, 40, 40), 0.6, dtype=np.float32)
    scene[:, :12] = 0.1
    water = NONE.copy()
    water[:12, :20] = True
    picture = with_soft_shadows(scene, Sun(fill=0.8), water)
    np.testing.assert_array_equal(picture[:, water], scene[:, water])
    assert (picture[:, 2:8, 30] > 0.15).all()
    np.testing.assert_array_equal(picture[:, 20:], scene[:, 20:])
