"""GeoJSON is what RFC 7946 says, from every CRS and on both sides of the antimeridian."""

import json

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from vectors import read, write

from scdcli.errors import OutputError
from scdcli.polygons.area import measure_ground
from scdcli.rasters.grid import Grid

MERCATOR_EDGE = 20037508.342789244
DONUT = np.array([[101] * 4, [101, 0, 101, 101], [101] * 4, [101] * 4], dtype=np.uint16)


def outline_of(folder, epsg, transform):
    write(folder, DONUT, formats=["geojson"], crs=CRS.from_epsg(epsg), transform=transform)
    (outline,) = read(folder / "changes.geojson")["outline"]
    return outline


def test_the_file_is_lon_lat_with_seven_decimals_and_names_no_crs(tmp_path):
    write(tmp_path, formats=["geojson"])
    collection = json.loads((tmp_path / "changes.geojson").read_text(encoding="utf-8"))
    assert "crs" not in collection
    ring = collection["features"][1]["geometry"]["coordinates"][0]
    corner = Transformer.from_crs(32632, 4326, always_xy=True).transform(5e5, 5e6)
    assert ring[0] == pytest.approx(corner, abs=1e-7)
    assert all(value == round(value, 7) for point in ring for value in point)


@pytest.mark.parametrize(
    ("epsg", "transform"),
    [
        (32632, Affine(10, 0, 5e5, 0, -10, 5e6)),
        (32733, Affine(10, 0, 5e5, 0, -10, 6e6)),
        (3857, Affine(10, 0, 1.1e6, 0, -10, 8.4e6)),
        (4326, Affine(1e-4, 0, 10, 0, -1e-4, 60)),
        (5513, Affine(10, 0, 1.0e6, 0, -10, 7e5)),  # a mirrored one: southing, westing
        (3031, Affine(1000, 0, 1.0e6, 0, 1000, 7e5)),
        (32632, Affine(8, 6, 5e5, 6, -8, 5e6)),
    ],
    ids=["utm", "utm south", "mercator", "degrees", "krovak", "polar, south-up", "rotated"],
)
def test_rings_wind_right_and_lie_at_their_place(tmp_path, epsg, transform):
    outline = outline_of(tmp_path, epsg, transform)
    assert outline.exterior.is_ccw
    assert not outline.interiors[0].is_ccw
    center = Transformer.from_crs(epsg, 4326, always_xy=True).transform(*(transform @ (3, 3)))
    assert outline.contains(shapely.Point(center))
    back = Transformer.from_crs(4326, epsg, always_xy=True)
    there = shapely.transform(outline, lambda xy: np.stack(back.transform(*xy.T), axis=1))
    assert there.area == pytest.approx(15 * abs(transform.determinant), rel=0.01)


def across_in_utm():
    x, y = Transformer.from_crs(4326, 32601, always_xy=True).transform(-180.0, 10.0)
    return Affine(100, 0, x - 200, 0, -100, y + 200)


@pytest.mark.parametrize(
    ("epsg", "transform"),
    [
        (32601, across_in_utm()),
        (3857, Affine(1000, 0, MERCATOR_EDGE - 2000, 0, -1000, 1e6)),
        (4326, Affine(1, 0, 178, 0, -1, 10)),
        (4326, Affine(1, 0, -182, 0, -1, 10)),
    ],
    ids=["utm", "mercator", "beyond 180", "beyond -180"],
)
def test_an_outline_across_the_antimeridian_becomes_two(tmp_path, epsg, transform):
    outline = outline_of(tmp_path, epsg, transform)
    west, east = sorted(outline.geoms, key=lambda part: part.bounds[0])
    assert (west.bounds[0], east.bounds[2]) == (-180, 180)
    assert -180 < west.bounds[2] < -177
    assert 177 < east.bounds[0] < 180
    assert all(part.exterior.is_ccw for part in outline.geoms)
    assert outline.is_valid


@pytest.mark.parametrize(
    ("first", "expected"), [(200, -160), (176, 176), (180, -180), (-180, -180)]
)
def test_longitudes_of_another_turn_come_back(tmp_path, first, expected):
    outline = outline_of(tmp_path, 4326, Affine(1, 0, first, 0, -1, 10))
    assert outline.bounds == (expected, 6, expected + 4, 10)
    assert len(outline.interiors) == 1


def test_a_region_wider_than_half_the_earth_is_not_cut(tmp_path):
    outline = outline_of(tmp_path, 4326, Affine(70, 0, -140, 0, -10, 20))
    assert outline.bounds == (-140, -20, 140, 20)


def test_a_region_that_touches_the_antimeridian_has_no_second_part(tmp_path):
    transform = Affine(1000, 0, MERCATOR_EDGE - 4000, 0, -1000, 1e6)
    outline = outline_of(tmp_path, 3857, transform)
    assert outline.geom_type == "Polygon"
    assert outline.bounds[2] == 180


def test_an_outline_off_the_earth_is_refused(tmp_path):
    crs = CRS.from_string("+proj=geos +h=35785831 +lon_0=0 +sweep=y +datum=WGS84")
    transform = Affine(2e6, 0, -4.5e6, 0, -2e6, 4.5e6)
    with pytest.raises(OutputError, match="beyond the Earth .* write gpkg or fgb"):
        write(tmp_path, DONUT, formats=["geojson"], crs=crs, transform=transform)
    assert list(tmp_path.iterdir()) == []


def test_areas_are_those_of_the_ground(tmp_path):
    transform, crs = Affine(10, 0, 1.1e6, 0, -10, 8.4e6), CRS.from_epsg(3857)
    write(tmp_path, DONUT, formats=["geojson"], crs=crs, transform=transform)
    pixel = measure_ground(Grid(4, 4, transform, crs)).area.mean()
    (area,) = read(tmp_path / "changes.geojson")["area_m2"]
    assert area == pytest.approx(15 * pixel, rel=1e-4)
