"""Polygons of change: read from what people draw and what we write, burnt window by window."""

import numpy as np
import pytest
import shapely
from layers import SQUARE, write
from maps import draw
from rasterio.crs import CRS
from rasterio.windows import Window
from scenes import NORTH_UP, ROTATED, SOUTH_UP, UTM

from scdcli.datasets.drawn import burn_area, burn_changes, has_layer
from scdcli.datasets.legendfile import read_legend
from scdcli.errors import DatasetError, InputError
from scdcli.legend import SECOND, transition_code
from scdcli.polygons.area import measure_ground
from scdcli.polygons.files.vector import write_polygons
from scdcli.polygons.strips import Strip, find_runs
from scdcli.polygons.trace.trace import trace
from scdcli.rasters.grid import UNPLACED, Grid


def grid_of(transform=NORTH_UP, crs=UTM):
    return Grid(20, 30, transform, CRS.from_string(crs) if crs else None)


def burnt(path, grid=None, legend=SECOND):
    grid = grid or grid_of()
    burner = burn_changes(path, grid, "before.tif", legend)
    return burner.read_classes(Window(0, 0, grid.width, grid.height))


def square(value):
    expected = np.zeros((20, 30), int)
    expected[3:10, 2:6] = value
    return expected


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "fgb", "shp"])
@pytest.mark.parametrize(
    "grid",
    [grid_of(), grid_of(ROTATED), grid_of(SOUTH_UP), grid_of(crs=None)],
    ids=["north up", "rotated", "south up", "no CRS"],
)
@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_what_we_write_burns_to_the_map_it_was_made_from(tmp_path, suffix, grid):
    maps = draw(3)
    code = transition_code(*maps)
    ground = measure_ground(grid)
    strips = [Strip(0, code, np.full_like(code, 80, np.uint8))]
    polygons = trace(find_runs(strips, ground), grid, ground)
    write_polygons(tmp_path, polygons, grid, ground, SECOND, formats=[suffix])
    burner = burn_changes(tmp_path / f"changes.{suffix}", grid, "before.tif", SECOND)
    found = np.zeros((2, 20, 30), np.uint8)
    for top in range(0, 20, 7):
        for left in range(0, 30, 11):
            window = Window(left, top, min(11, 30 - left), min(7, 20 - top))
            found[(slice(None), *window.toslices())] = burner.read_classes(window)
    np.testing.assert_array_equal(found, maps)


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_without_a_crs_y_is_minus_the_row(tmp_path):
    grid = Grid(20, 30, UNPLACED, None)
    path = write(tmp_path / "a.gpkg", [shapely.box(2, -10, 6, -3)], crs=None)
    np.testing.assert_array_equal(burnt(path, grid)[0], square(3))
    path = write(tmp_path / "b.gpkg", [shapely.box(2, 3, 6, 10)], crs=None)
    with pytest.raises(DatasetError, match=r"b\.gpkg has .* y from 3 to 10, .*: -20 to 0\. Turn"):
        burnt(path, grid)


def test_layers_in_another_crs_are_moved(tmp_path):
    from pyproj import Transformer

    move = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    moved = shapely.transform(SQUARE, lambda xy: np.column_stack(move.transform(*xy.T)))
    first, _ = burnt(write(tmp_path / "a.geojson", [moved], crs="EPSG:4326"))
    np.testing.assert_array_equal(first, square(3))


def test_a_polygon_of_many_corners_is_cut_and_burns_alike(tmp_path, monkeypatch):
    circle = shapely.Point(500_015, 3_999_990).buffer(8)
    path = write(tmp_path / "a.gpkg", [circle])
    whole, _ = burnt(path)
    monkeypatch.setattr("scdcli.datasets.drawn.MANY_CORNERS", 4)
    burner = burn_changes(path, grid_of(), "before.tif", SECOND)
    part, _ = burner.read_classes(Window(6, 2, 9, 9))
    np.testing.assert_array_equal(part, whole[2:11, 6:15])
    assert part.any()
    assert not part.all()


def test_names_numbers_or_both_say_the_class(tmp_path):
    names = {"from_name": ["low vegetation"], "to_name": ["building"]}
    both = names | {"FROM_CLASS": [3], "to_class": [5.0]}
    for number, columns in enumerate((names, both)):
        first, second = burnt(write(tmp_path / f"{number}.gpkg", **columns))
        np.testing.assert_array_equal(first, square(3))
        np.testing.assert_array_equal(second, square(5))


def test_the_later_polygon_lies_on_top(tmp_path):
    inner = shapely.box(500_003, 3_999_991, 500_005, 3_999_996)
    path = write(tmp_path / "a.gpkg", [SQUARE, inner], from_class=[3, 1], to_class=[5, 2])
    first, _ = burnt(path)
    assert first[5, 3] == 1
    assert first[3, 2] == 3


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"from_class": [3]}, "fields from_class; the class of a polygon stands in to_class"),
        ({"from_class": [7], "to_class": [5]}, "feature 1 has from_class 7, but .* has 1 to 6"),
        ({"from_class": [np.nan], "to_class": [5]}, "from_class empty, but legend 'second'"),
        ({"from_class": [2.5], "to_class": [5]}, "from_class np.float64.2.5.; give the whole"),
        (
            {"from_name": ["tree"], "to_name": ["road"]},
            "feature 1 has to_name 'road', which legend 'second' does not know; it has water",
        ),
        (
            {"from_name": ["tree"], "from_class": [3], "to_class": [5]},
            "from_class 3 and from_name 'tree', which is 4 in legend 'second'",
        ),
    ],
)
def test_a_class_that_cannot_be_told_is_refused_with_the_feature(tmp_path, columns, message):
    with pytest.raises(DatasetError, match=message):
        burnt(write(tmp_path / "a.gpkg", **columns))


def test_numbers_are_the_values_of_a_legend_that_has_values(tmp_path):
    file = tmp_path / "legend.json"
    file.write_text(
        '{"name": "two", "classes": [{"name": "dry", "color": "#111111", "value": 40},'
        '{"name": "wet", "color": "#222222", "value": 30}]}'
    )
    legend = read_legend(file)
    columns = {"from_class": [30], "to_class": [40]}
    first, second = burnt(write(tmp_path / "a.gpkg", **columns), legend=legend)
    np.testing.assert_array_equal(first, square(2))
    np.testing.assert_array_equal(second, square(1))
    # Our own outputs write the index, beside the name.
    columns |= {"from_class": [2], "to_class": [1], "from_name": ["wet"], "to_name": ["dry"]}
    first, second = burnt(write(tmp_path / "b.gpkg", **columns), legend=legend)
    np.testing.assert_array_equal(first, square(2))
    with pytest.raises(DatasetError, match="from_class 2, but legend 'two' has 40, 30"):
        burnt(write(tmp_path / "c.gpkg", from_class=[2], to_class=[1]), legend=legend)


def test_what_is_no_layer_of_polygons_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="feature 1 has geometry type POINT, not a polygon"):
        burnt(write(tmp_path / "a.gpkg", [shapely.Point(1, 2)]))
    (tmp_path / "b.gpkg").write_bytes(b"not a database")
    with pytest.raises(InputError, match=r"b\.gpkg cannot be read as a layer of polygons"):
        burnt(tmp_path / "b.gpkg")
    write(tmp_path / "c.gpkg", layer="one")
    write(tmp_path / "c.gpkg", layer="two")
    with pytest.raises(DatasetError, match="has the layers one, two; name the one .* 'changes'"):
        burnt(tmp_path / "c.gpkg")


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_a_crs_on_one_side_only_is_refused_with_both(tmp_path):
    with pytest.raises(DatasetError, match="a.gpkg has EPSG:32650 and before.tif has no CRS"):
        burnt(write(tmp_path / "a.gpkg"), grid_of(crs=None))
    with pytest.raises(DatasetError, match=r"b.gpkg has no CRS and before.tif has EPSG:32650"):
        burnt(write(tmp_path / "b.gpkg", crs=None))


def test_the_area_of_interest_may_be_a_layer_beside_the_changes(tmp_path):
    path = write(tmp_path / "a.gpkg")
    assert not has_layer(path, "aoi")
    write(path, [shapely.box(500_000, 3_999_990, 500_030, 4_000_000)], layer="aoi", id=[1])
    assert has_layer(path, "aoi")
    area = burn_area(path, "aoi", grid_of(), "before.tif").read(Window(0, 0, 30, 20))
    assert area[:10].all()
    assert not area[10:].any()
    np.testing.assert_array_equal(burnt(path)[0], square(3))


def test_an_empty_layer_burns_to_nothing(tmp_path):
    grid = grid_of()
    ground = measure_ground(grid)
    write_polygons(tmp_path, iter(()), grid, ground, SECOND)
    first, second = burnt(tmp_path / "changes.gpkg")
    assert not first.any()
    assert not second.any()


def test_parts_of_one_feature_have_its_class_and_holes_stay_open(tmp_path):
    ring = SQUARE.difference(shapely.box(500_003, 3_999_992, 500_005, 3_999_995))
    parts = shapely.MultiPolygon([ring, shapely.box(500_010, 3_999_995, 500_012, 3_999_996)])
    first, _ = burnt(write(tmp_path / "a.gpkg", [parts]))
    expected = square(3)
    expected[5:8, 3:5] = 0
    expected[4, 10:12] = 3
    np.testing.assert_array_equal(first, expected)
