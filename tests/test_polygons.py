"""Polygons from strips are those of the whole map, for every map and every strip height."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import features
from rasterio.crs import CRS

from scdcli.changes.area import measure_ground
from scdcli.changes.strips import Strip, find_runs
from scdcli.changes.trace import Polygons, trace
from scdcli.errors import InputError
from scdcli.grid import Grid

NODATA = 65535
PIXEL_GRID = Affine.identity()
UTM = CRS.from_epsg(32632)


def polygons_of(transition, height, *, probability=None, transform=PIXEL_GRID, crs=None, **options):
    transition = np.asarray(transition, dtype=np.uint16)
    if probability is None:
        probability = np.full(transition.shape, 50, dtype=np.uint8)
    grid = Grid(*transition.shape, transform, crs)
    ground = measure_ground(grid)
    strips = (
        Strip(row, transition[row : row + height], probability[row : row + height])
        for row in range(0, len(transition), height)
    )
    batches = list(trace(find_runs(strips, ground), grid, ground, **options))
    if not batches:
        return Polygons(*(np.empty(0, dtype=object) for _ in Polygons._fields))
    return Polygons(*(np.concatenate(field) for field in zip(*batches, strict=True)))


def traced_whole(transition):
    """The same by GDAL, from the whole map at once: sorted (WKT, transition)."""
    transition = np.asarray(transition, dtype=np.int32)
    changed = (transition != 0) & (transition != NODATA)
    shapes = features.shapes(transition, mask=changed)
    return sorted(
        (shapely.normalize(shapely.geometry.shape(shape)).wkt, int(code)) for shape, code in shapes
    )


def canonical(polygons):
    outlines = shapely.normalize(polygons.outline)
    return sorted(zip([o.wkt for o in outlines], map(int, polygons.transition), strict=True))


def spiral(size):
    """One long arm of 101 that winds inwards, with unchanged ground between."""
    drawn = np.zeros((size, size), dtype=np.uint16)
    row, col, step, turned = 0, 0, (0, 1), 0
    drawn[0, 0] = 101
    while turned < 2:
        ahead = [(row + k * step[0], col + k * step[1]) for k in (1, 2)]
        inside = [0 <= r < size and 0 <= c < size for r, c in ahead]
        if not inside[0] or (inside[1] and drawn[ahead[1]]):
            step, turned = (step[1], -step[0]), turned + 1
        else:
            row, col = ahead[0]
            drawn[row, col] = 101
            turned = 0
    return drawn


def donut(size, margin):
    drawn = np.zeros((size, size), dtype=np.uint16)
    drawn[margin:-margin, margin:-margin] = 203
    drawn[margin + 2 : -margin - 2, margin + 2 : -margin - 2] = 0
    drawn[size // 2, size // 2] = 203
    return drawn


def checkerboard(size, other):
    drawn = np.full((size, size), other, dtype=np.uint16)
    drawn[::2, ::2] = drawn[1::2, 1::2] = 101
    return drawn


def touching_itself():
    """A ring closed only by two pixels that touch at a corner: hole and outside meet there."""
    return [
        [101, 101, 101, 101],
        [101, 0, 0, 101],
        [101, 0, 101, 0],
        [101, 101, 0, 0],
        [0, 101, 101, 0],
    ]


MAPS = {
    "one pixel": [[101]],
    "one unchanged pixel": [[0]],
    "one nodata pixel": [[NODATA]],
    "one row": [[101, 101, 203, 0, 203, NODATA, 203]],
    "one column": [[101], [101], [203], [0], [203], [NODATA], [203]],
    "all one class": np.full((9, 7), 506),
    "all unchanged": np.zeros((9, 7)),
    "checkerboard of unchanged": checkerboard(9, 0),
    "checkerboard of two": checkerboard(10, 203),
    "donut": donut(13, 1),
    "spiral": spiral(17),
    "nodata hole": np.where(donut(13, 1) == 0, NODATA, 203),
    "touching itself": touching_itself(),
    "comb": [*np.tile([[101, 0, 101, 0, 101]], (6, 1)).tolist(), [101] * 5],
    "comb upside down": [[101] * 5, *np.tile([[101, 0, 101, 0, 101]], (6, 1)).tolist()],
}


@pytest.mark.parametrize("height", [1, 2, 3, 100])
@pytest.mark.parametrize("name", MAPS)
def test_known_shapes_are_traced_as_in_the_whole_map(name, height):
    assert canonical(polygons_of(MAPS[name], height)) == traced_whole(MAPS[name])


def test_a_spiral_is_one_polygon():
    assert len(polygons_of(spiral(17), 2).outline) == 1


def test_random_maps_are_traced_as_in_the_whole_map(rng):
    for _ in range(200):
        shape = rng.integers(1, 41, 2)
        codes = rng.permutation([101, 203, 506, 0, NODATA])[: rng.integers(2, 5)]
        weights = rng.dirichlet(np.ones(len(codes)))
        transition = rng.choice(codes, size=shape, p=weights)
        polygons = polygons_of(transition, int(rng.integers(1, 9)))
        assert canonical(polygons) == traced_whole(transition), transition.tolist()


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


def test_min_area_applies_to_whole_regions_cut_by_strips():
    transition = [[101, 0, 203], [101, 0, 0], [101, 0, 203]]
    kept = polygons_of(transition, 1, min_area=3)
    assert kept.transition.tolist() == [101]
    assert len(polygons_of(transition, 1, min_area=4).outline) == 0


@pytest.mark.parametrize("strange", [101, 255])
def test_a_change_without_a_probability_is_refused(strange):
    probability = np.array([[10, 20], [30, strange]], dtype=np.uint8)
    with pytest.raises(InputError, match=rf"row 1, column 1 .* 203 .* {strange};"):
        polygons_of([[0, 0], [0, 203]], 1, probability=probability)
