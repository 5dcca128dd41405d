"""Ground lengths and areas are geodesic, exact in sum, and the same whatever the CRS."""

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.crs import CRS

from scdcli.errors import InputError
from scdcli.polygons.area import central_pixel, measure_ground
from scdcli.rasters.grid import Grid

LOCAL = (
    'ENGCRS["site",EDATUM["site"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],'
    'LENGTHUNIT["foot",0.3048]]'
)


def grid_over(epsg, pixels, size):
    """A grid of ``pixels`` x ``pixels``, each ``size`` CRS units wide, around 10° E 60° N."""
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(10.0, 60.0)
    half = pixels * size / 2
    return Grid(pixels, pixels, Affine(size, 0, x - half, 0, -size, y + half), CRS.from_epsg(epsg))


def total_area(grid):
    rows = np.arange(grid.height)
    lengths = np.full(grid.height, grid.width)
    return float(measure_ground(grid).run_area(rows, np.zeros_like(rows), lengths).sum())


def geodesic(grid, polygon):
    """Area and perimeter by Geod on a densified polygon in pixel coordinates."""
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    to_lonlat = Transformer.from_crs(grid.crs, 4326, always_xy=True)

    def place(xy):
        col, row = xy.T
        return np.stack(to_lonlat.transform(a * col + b * row + c, d * col + e * row + f), axis=1)

    dense = shapely.segmentize(polygon, min(grid.shape) / 200)
    area, perimeter = Geod(ellps="WGS84").geometry_area_perimeter(shapely.transform(dense, place))
    return abs(area), perimeter


@pytest.mark.parametrize(
    ("epsg", "size", "expected"),
    [
        (32632, 5.0, (5.0, 5.0)),
        (3857, 1.0, (0.5, 0.5)),  # at 60 degrees north a meter of the map is half of one
        (4326, 1 / 3600, (15.5, 30.95)),  # a second of arc
        (2263, 1.0, None),  # feet, far from their place: only that it is no meter
    ],
)
def test_the_central_pixel_is_measured_on_the_ground(epsg, size, expected):
    across, down = central_pixel(grid_over(epsg, 1001, size))
    if expected is None:
        assert across < 1
        return
    assert (across, down) == pytest.approx(expected, rel=3e-3)


def test_pixels_without_a_crs_have_no_size_on_the_ground():
    assert central_pixel(Grid(10, 10, Affine.scale(0.5), None)) is None
    flat = Grid(10, 10, Affine.scale(2), CRS.from_wkt(LOCAL))
    assert central_pixel(flat) == pytest.approx((0.6096, 0.6096))


@pytest.mark.parametrize(
    ("epsg", "size"),
    [(32632, 50.0), (3857, 100.0), (4326, 0.0005), (3995, 50.0), (3035, 0.5), (4326, 5e-6)],
)
def test_areas_and_lengths_agree_with_geodesics(epsg, size):
    grid = grid_over(epsg, 400, size)
    ground = measure_ground(grid)
    rows = np.arange(100, 300)
    area = ground.run_area(rows, np.full(200, 50), np.full(200, 300)).sum()
    edges = ground.edge_length(
        np.array([100, 300, 300, 100, 100], np.int32), np.array([50, 50, 350, 350, 50], np.int32)
    )
    expected_area, expected_perimeter = geodesic(grid, shapely.box(50, 100, 350, 300))
    assert area == pytest.approx(expected_area, rel=1e-5)
    assert edges.sum() == pytest.approx(expected_perimeter, rel=1e-5)


def test_a_global_grid_has_the_area_of_the_earth():
    grid = Grid(1800, 3600, Affine(0.1, 0, -180, 0, -0.1, 90), CRS.from_epsg(4326))
    assert total_area(grid) == pytest.approx(5.10065622e14, rel=1e-4)


def test_a_rotated_grid_has_the_same_area():
    upright = grid_over(32632, 200, 10.0)
    cos, sin = 8.0, 6.0
    center = upright.transform.c + 1000, upright.transform.f - 1000
    turned = Affine(
        cos, sin, center[0] - 100 * (cos + sin), sin, -cos, center[1] - 100 * (sin - cos)
    )
    rotated = Grid(200, 200, turned, upright.crs)
    assert total_area(rotated) == pytest.approx(total_area(upright), rel=1e-6)


def test_sums_do_not_depend_on_their_order(rng):
    ground = measure_ground(grid_over(3857, 500, 10.0))
    row, col = rng.integers(0, 500, (2, 5000))
    areas = ground.run_area(row, col, rng.integers(1, 50, 5000))
    assert areas.sum() == rng.permutation(areas).sum() == float(np.cumsum(areas)[-1])


def test_a_grid_without_crs_is_measured_in_pixels():
    ground = measure_ground(Grid(10, 10, Affine.identity(), None))
    assert ground.unit == "px"
    assert ground.run_area(np.array([3]), np.array([2]), np.array([4])).tolist() == [4.0]
    assert ground.edge_length(np.array([0, 5]), np.array([1, 1])).tolist() == [5.0]


def test_a_local_crs_is_measured_in_its_unit():
    grid = Grid(10, 10, Affine(2, 0, 0, 0, -2, 0), CRS.from_wkt(LOCAL))
    ground = measure_ground(grid)
    assert ground.unit == "m"
    assert total_area(grid) == pytest.approx(400 * 0.3048**2)
    assert ground.edge_length(np.array([0, 0]), np.array([1, 4])) == pytest.approx(6 * 0.3048)


def test_corners_off_the_earth_take_the_size_next_to_them():
    crs = CRS.from_string("+proj=geos +h=35785831 +lon_0=0 +sweep=y +datum=WGS84")
    full_disk = Grid(100, 100, Affine(1.1e5, 0, -5.5e6, 0, -1.1e5, 5.5e6), crs)
    ground = measure_ground(full_disk)
    assert np.isfinite(ground.area).all()
    assert ground.area[50, 50] == pytest.approx(1.21e10, rel=0.01)


def test_a_grid_wholly_off_the_earth_is_refused():
    crs = CRS.from_string("+proj=geos +h=35785831 +lon_0=0 +sweep=y +datum=WGS84")
    with pytest.raises(InputError, match=r"nothing of .* lies on the Earth"):
        measure_ground(Grid(10, 10, Affine(10, 0, 9e6, 0, -10, 9e6), crs))
