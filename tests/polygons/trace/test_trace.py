"""Polygons from strips are those of the whole map, for every map and every strip height."""

import numpy as np
import pytest
import shapely
from affine import Affine
from changemaps import (
    MAPS,
    NODATA,
    PIXEL_GRID,
    UTM,
    canonical,
    donut,
    polygons_of,
    random_map,
    spiral,
    traced_whole,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import features

from scdcli.errors import InputError
from scdcli.polygons.area import measure_ground
from scdcli.polygons.strips import Strip, find_runs
from scdcli.polygons.trace.trace import Polygons, trace
from scdcli.rasters.grid import Grid


@pytest.mark.parametrize("name", MAPS)
def test_known_shapes_are_traced_as_in_the_whole_map(name):
    expected = traced_whole(MAPS[name])
    for height in (1, 2, 3, 4, 5, 6, 7, 8, 100):
        assert canonical(polygons_of(MAPS[name], height)) == expected


def test_a_spiral_is_one_polygon():
    assert len(polygons_of(spiral(17), 2).outline) == 1


def test_400_random_maps_are_traced_as_in_the_whole_map(rng):
    """Also: polygons are valid, do not overlap, and add up to the map in pixels and confidence."""
    for _ in range(400):
        transition = random_map(rng)
        chance = rng.integers(0, 101, transition.shape).astype(np.uint8)
        polygons = polygons_of(transition, int(rng.integers(1, 9)), probability=chance)
        assert canonical(polygons) == traced_whole(transition), transition.tolist()
        assert shapely.is_valid(polygons.outline).all()
        # equal to what GDAL burns from and as large as all changed pixels: nothing lies twice
        changed = (transition != 0) & (transition != NODATA)
        assert shapely.area(polygons.outline).sum() == changed.sum()
        for code in np.unique(transition[changed]):
            mine, there = polygons.transition == code, transition == code
            assert polygons.pixels[mine].sum() == there.sum()
            certainty = (polygons.confidence * polygons.pixels)[mine].sum()
            assert certainty == pytest.approx(chance[there].sum(dtype=int) / 100)


@st.composite
def maps(draw):
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    codes = st.sampled_from([0, 101, 203, NODATA])
    rows = st.lists(codes, min_size=width, max_size=width)
    return np.array(
        draw(st.lists(rows, min_size=height, max_size=height)), dtype=np.uint16
    ).reshape(height, width)


@given(maps(), st.integers(1, 8))
@settings(max_examples=100, deadline=None)
def test_strip_height_does_not_matter(transition, height):
    cut, whole = polygons_of(transition, height), polygons_of(transition, len(transition))
    assert [o.wkb for o in cut.outline] == [o.wkb for o in whole.outline]
    for name in Polygons._fields[1:]:
        assert getattr(cut, name).tolist() == getattr(whole, name).tolist()


@given(maps(), st.integers(1, 8))
@settings(max_examples=100, deadline=None)
def test_burning_the_polygons_gives_the_map_back(transition, height):
    polygons = polygons_of(transition, height)
    changed = np.where(transition == NODATA, 0, transition)
    assert shapely.is_valid(polygons.outline).all()
    burnt = np.zeros_like(changed)
    if len(polygons.outline):
        shapes = zip(polygons.outline, map(int, polygons.transition), strict=True)
        burnt = features.rasterize(shapes, out_shape=changed.shape, dtype="uint16")
    np.testing.assert_array_equal(burnt, changed)
    for code in (101, 203):
        assert polygons.pixels[polygons.transition == code].sum() == (changed == code).sum()


def test_random_codes_of_a_rotated_utm_grid_burn_back(rng):
    transform = Affine(2.75, 0.5, 5e5, 1.0, -1.875, 5e6)
    transition = np.kron(rng.choice([0, 101, 506], (9, 11)), np.ones((4, 3))).astype(np.uint16)
    polygons = polygons_of(transition, 5, transform=transform, crs=UTM)
    shapes = zip(polygons.outline, map(int, polygons.transition), strict=True)
    burnt = features.rasterize(
        shapes, out_shape=transition.shape, transform=transform, dtype="uint16"
    )
    np.testing.assert_array_equal(burnt, transition)


@pytest.mark.parametrize("row_step", [-10, 10], ids=["north-up", "south-up"])
def test_rings_wind_and_start_canonically(row_step):
    transform = Affine(10, 0, 5e5, 0, row_step, 5e6)
    outline = polygons_of(donut(9, 1), 2, transform=transform, crs=UTM).outline[-1]
    assert outline.exterior.is_ccw
    assert not outline.interiors[0].is_ccw
    assert outline.exterior.coords[0] == (5e5 + 10, 5e6 + row_step)
    assert len(outline.exterior.coords) == 5


def test_polygons_come_in_the_order_of_their_last_row_then_first_pixel():
    transition = [[101, 0, 203, 0], [101, 0, 0, 305], [101, 506, 0, 0], [101, 0, 0, 0]]
    assert polygons_of(transition, 1).transition.tolist() == [203, 305, 506, 101]


def test_a_finished_region_is_given_out_before_the_next_strip_is_read():
    read = []

    def strips():
        for row in range(4):
            read.append(row)
            codes = np.full((1, 3), 101 if row == 0 else 0, dtype=np.uint16)
            yield Strip(row, codes, np.zeros((1, 3), dtype=np.uint8))

    grid = Grid(4, 3, PIXEL_GRID, None)
    ground = measure_ground(grid)
    next(trace(find_runs(strips(), ground), grid, ground))
    assert read == [0, 1]


def test_confidence_is_the_mean_probability_of_the_region():
    transition = [[101, 101, 0], [0, 101, 203]]
    probability = np.array([[90, 70, 5], [0, 50, 33]], dtype=np.uint8)
    polygons = polygons_of(transition, 1, probability=probability)
    assert dict(zip(polygons.transition.tolist(), polygons.confidence, strict=True)) == {
        101: pytest.approx(0.7),
        203: pytest.approx(0.33),
    }


def test_perimeter_counts_holes():
    transition = np.full((5, 5), 101)
    transition[2, 2] = 0
    polygons = polygons_of(transition, 2)
    assert polygons.perimeter.tolist() == [24.0]
    assert polygons.area.tolist() == [24.0]


@pytest.mark.parametrize("strange", [101, 255])
def test_a_change_without_a_probability_is_refused(strange):
    probability = np.array([[10, 20], [30, strange]], dtype=np.uint8)
    with pytest.raises(InputError, match=rf"row 1, column 1 .* 203 .* {strange};"):
        polygons_of([[0, 0], [0, 203]], 1, probability=probability)
