"""Zones from files: names, layers, places, and what is wrong with them."""

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from shapely import to_geojson

from scdcli.datasets.zonefile import place_zones, read_zones
from scdcli.errors import InputError, PairError
from scdcli.rasters.grid import UNPLACED, Grid

GRID = Grid(100, 200, Affine(10, 0, 5e5, 0, -10, 5e6), CRS.from_epsg(32633))
WEST, MIDDLE, EAST, SOUTH, NORTH = 499_000, 501_000, 503_000, 4_998_000, 5_001_000
HALVES = [shapely.box(WEST, SOUTH, MIDDLE, NORTH), shapely.box(MIDDLE, SOUTH, EAST, NORTH)]


def write(path, outlines=HALVES, crs="EPSG:32633", layer="zones", append=False, **columns):
    columns = columns or {"name": ["west", "east"]}
    pyogrio.raw.write(
        path,
        np.array([None if each is None else each.wkb for each in outlines], dtype=object),
        [
            np.array(values, dtype=object if isinstance(values[0], str) else None)
            for values in columns.values()
        ],
        [*columns],
        geometry_type="Unknown",
        crs=crs,
        layer=layer,
        append=append,
    )
    return path


def geojson(path, outline):
    """A file that does not name its CRS."""
    path.write_text(f'{{"type": "Feature", "properties": {{}}, "geometry": {to_geojson(outline)}}}')
    return path


def names(path, field=None):
    return read_zones(str(path), field).names


def test_a_zone_in_another_crs_lies_where_it_does(tmp_path):
    move = Transformer.from_crs(32633, 4326, always_xy=True)
    dense = shapely.segmentize(HALVES, 100)
    degrees = shapely.transform(dense, lambda xy: np.stack(move.transform(*xy.T), axis=1))
    path = write(tmp_path / "z.geojson", degrees, "EPSG:4326")
    placed = place_zones(read_zones(str(path)), GRID, "before.tif")
    whole = shapely.box(0, 0, 200, 100)
    share = shapely.area(shapely.intersection(placed.outlines, whole))
    assert share == pytest.approx([10_000, 10_000], abs=0.01)
    assert placed.names == ["west", "east"]


def test_long_sides_bend_with_the_crs(tmp_path):
    grid = Grid(1000, 1000, Affine(100, 0, 2e5, 0, -100, 60e5), CRS.from_epsg(32633))
    degrees = shapely.box(8, 53, 14, 53.5)  # along a parallel, which bends in UTM
    path = write(tmp_path / "z.geojson", [degrees], "EPSG:4326", name=["strip"])
    placed = place_zones(read_zones(str(path)), grid, "before.tif")
    move = Transformer.from_crs(4326, 32633, always_xy=True)
    fine = shapely.segmentize(degrees, 0.001)
    exact = shapely.transform(fine, lambda xy: np.stack(move.transform(*xy.T), axis=1))
    exact = shapely.transform(exact, lambda xy: np.stack(~grid.transform @ (*xy.T,), axis=1))
    off = shapely.symmetric_difference(placed.outlines[0], exact)
    off = shapely.intersection(off, shapely.box(0, 0, 1000, 1000))
    assert shapely.area(off) < 5  # pixels of 100 m, along 100 km


def test_the_whole_earth_has_no_place_in_utm_and_is_cut_first(tmp_path):
    earth = [shapely.box(-180, -90, 15.012, 90), shapely.box(15.012, -90, 180, 90)]
    path = write(tmp_path / "z.gpkg", earth, "EPSG:4326")
    assert place_zones(read_zones(str(path)), GRID, "before.tif").names == ["west", "east"]


@pytest.mark.parametrize(
    ("columns", "field", "told"),
    [
        ({"key": [1, 2], "Name": ["a", "b"]}, None, ["a", "b"]),
        ({"key": [1, 2], "Name": ["a", "b"]}, "KEY", ["1", "2"]),
        ({"kind": ["x", "x"], "gen": ["a", "b"]}, None, ["a", "b"]),
        ({"kind": ["x", "x"], "value": [1.5, 2.5]}, None, ["zone 1", "zone 2"]),
        ({"name": ["a", ""]}, None, ["a", "zone 2"]),
    ],
)
def test_names_stand_in_a_field_or_are_numbers(tmp_path, columns, field, told):
    path = write(tmp_path / "z.gpkg", **columns)
    assert names(path, field) == told
    numbered = any("no field of names" in note for note in read_zones(str(path), field).notes)
    assert numbered == ("value" in columns)


def test_polygons_of_one_name_are_one_zone(tmp_path):
    found = read_zones(str(write(tmp_path / "z.gpkg", name=["island", "island"])))
    assert found.names == ["island"]
    assert found.notes == [f"2 polygons of {tmp_path / 'z.gpkg'} are 1 zones by name."]
    assert shapely.area(found.outlines[0]) == sum(shapely.area(HALVES))


def test_zones_that_cross_themselves_are_repaired_and_points_left_out(tmp_path):
    bow = shapely.Polygon([(5e5, 4_999_000), (501_000, 5e6), (501_000, 4_999_000), (5e5, 5e6)])
    found = read_zones(str(write(tmp_path / "z.gpkg", [bow, shapely.Point(0, 0)])))
    assert shapely.is_valid(found.outlines).all()
    assert found.names == ["west"]
    assert any("1 zones" in note and "cross themselves" in note for note in found.notes)
    assert any("1 features" in note and "no polygons" in note for note in found.notes)


def test_zones_elsewhere_are_said_with_both_places(tmp_path):
    far = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    path = write(tmp_path / "z.gpkg", far, "EPSG:4326")
    placed = place_zones(read_zones(str(path)), GRID, "before.tif")
    assert placed.names == []
    (told,) = placed.warnings
    assert "lies on the map: the zones cover (0, 0, 2, 1) in EPSG:4326, before.tif" in told


def test_a_layer_is_named_after_the_file(tmp_path):
    path = write(tmp_path / "z.gpkg")
    write(path, layer="more", append=True, name=["one", "two"])
    assert names(f"{path}:more") == ["one", "two"]
    with pytest.raises(InputError, match="has the layers zones, more; name one with --zones"):
        names(path)
    with pytest.raises(InputError, match="not 'less'"):
        names(f"{path}:less")


def test_what_cannot_be_zones_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.gpkg does not exist"):
        names(tmp_path / "none.gpkg")
    (tmp_path / "text.gpkg").write_text("name")
    with pytest.raises(InputError, match="cannot be read"):
        names(tmp_path / "text.gpkg")
    path = write(tmp_path / "p.gpkg", [shapely.Point(0, 0)] * 2)
    with pytest.raises(InputError, match="holds 2 features and no polygon among them"):
        names(path)
    with pytest.raises(InputError, match="has no field 'gen'; it has name"):
        names(write(tmp_path / "z.gpkg"), "gen")
    metres = geojson(tmp_path / "z.geojson", HALVES[0])
    with pytest.raises(PairError, match="is said to be in"):
        place_zones(read_zones(str(metres)), GRID, "before.tif")


def test_pixels_and_places_are_not_mixed(tmp_path):
    pixels = Grid(100, 200, UNPLACED, None)
    found = read_zones(str(write(tmp_path / "z.gpkg")))
    with pytest.raises(PairError, match="has EPSG:32633 and before.tif has no CRS"):
        place_zones(found, pixels, "before.tif")
    path = geojson(tmp_path / "z.geojson", shapely.box(0, -50, 200, 0))
    placed = place_zones(read_zones(str(path)), pixels, "before.tif")
    assert shapely.bounds(placed.outlines[0]).tolist() == [0, 0, 200, 50]


def test_a_file_that_has_changed_is_read_again(tmp_path):
    path = write(tmp_path / "z.gpkg")
    first = read_zones(str(path))
    assert read_zones(str(path)) is first
    path.unlink()
    write(path, name=["north", "south"])
    assert read_zones(str(path)).sha256 != first.sha256
