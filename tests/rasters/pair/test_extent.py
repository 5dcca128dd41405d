import json
import warnings

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.windows import Window
from scenes import NORTH_UP, ROTATED, UTM, noise, write_scene

from scdcli.errors import InputError, PairError
from scdcli.rasters.alignment import offset_in
from scdcli.rasters.grid import UNPLACED, Grid
from scdcli.rasters.pair import extent
from scdcli.rasters.pair.extent import read_aoi
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

GRID = Grid(80, 100, NORTH_UP, CRS.from_string(UTM))
STAR = shapely.Polygon(
    [
        (10.2, 10.3),
        (50, 25.1),
        (89.7, 12),
        (70.1, 40),
        (85, 69.8),
        (45, 55.3),
        (12, 68.6),
        (30.4, 40),
    ]
)
HOLED = shapely.Polygon([(2, 3), (60, 3), (60, 30), (2, 30)], [[(10, 10), (30, 12), (20, 25)]])


def on_ground(shape, transform=NORTH_UP):
    """A shape drawn in pixels (col, row), in map coordinates."""
    matrix = np.array(tuple(transform)[:6]).reshape(2, 3)
    return shapely.transform(shape, lambda xy: xy @ matrix[:, :2].T + matrix[:, 2])


def write_layer(path, shapes, crs=UTM, layer=None, append=False):
    shapes = np.array(list(shapes), dtype=object)
    options = {"layer": layer} if layer else {}
    kind = "Unknown" if len({shape.geom_type for shape in shapes}) != 1 else shapes[0].geom_type
    pyogrio.raw.write(
        path, shapely.to_wkb(shapes), [], [], crs=crs, geometry_type=kind, append=append, **options
    )
    return path


def centers_in(shape, grid):
    rows, cols = np.mgrid[: grid.height, : grid.width] + 0.5
    return shapely.contains_xy(shape, cols, rows)


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp", "fgb"])
def test_pixels_with_their_center_in_the_polygons_are_inside(tmp_path, suffix):
    path = tmp_path / f"area.{suffix}"
    if suffix == "geojson":
        to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
        shape = shapely.transform(
            on_ground(STAR), lambda xy: np.column_stack(to_degrees.transform(*xy.T))
        )
        write_layer(path, [shape], "EPSG:4326")
    else:
        write_layer(path, [on_ground(STAR)])
    area = read_aoi(str(path), GRID, "a.tif")
    row, col = offset_in(GRID, area.grid)
    assert (row, col, *area.grid.shape) == (10, 10, 60, 80)
    mask = area.inside(Window(0, 0, 80, 60))
    expected = centers_in(STAR, GRID)[10:70, 10:90]
    np.testing.assert_array_equal(mask, expected)
    assert area.record["name"] == f"area.{suffix}"
    assert area.record["polygons"] == 1
    assert str(tmp_path) not in json.dumps(area.record)


def spiky(corners, seed):
    """A star-shaped polygon of many corners over the grid."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radii = rng.uniform(10, 38, corners)
    return shapely.Polygon(
        np.column_stack([50 + radii * np.cos(angles), 40 + radii * np.sin(angles)])
    )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    corners=st.integers(3, 60),
    split=st.integers(4, 40),
    windows=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 50)), min_size=1, max_size=3),
)
def test_pieces_and_windows_change_nothing(tmp_path_factory, seed, corners, split, windows):
    path = tmp_path_factory.getbasetemp() / "spiky.fgb"
    shape = spiky(corners, seed)
    write_layer(path, [on_ground(shape)])
    extent.MOST_CORNERS, before = split, extent.MOST_CORNERS
    try:
        area = read_aoi(str(path), GRID, "a.tif")
    finally:
        extent.MOST_CORNERS = before
    row, col = offset_in(GRID, area.grid)
    height, width = area.grid.shape
    whole = area.inside(Window(0, 0, width, height))
    expected = centers_in(shape, GRID)[row : row + height, col : col + width]
    assert (whole != expected).sum() <= 1
    for left, top in windows:
        left, top = min(left, width - 1), min(top, height - 1)
        window = Window(left, top, min(20, width - left), min(30, height - top))
        rows, cols = window.toslices()
        np.testing.assert_array_equal(area.inside(window), whole[rows, cols])


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
def test_outside_the_polygons_nothing_is_measured(tmp_path, transform):
    paths = [
        write_scene(tmp_path / f"{n}.tif", noise((1, 80, 100), seed=n), transform) for n in range(2)
    ]
    shapes = [HOLED, shapely.box(70, 50, 95.2, 90), shapely.box(72, 52, 80, 60)]
    aoi = write_layer(tmp_path / "two.gpkg", [on_ground(s, transform) for s in shapes])
    with open_pair(*paths, PairSettings(aoi=str(aoi))) as pair:
        assert (*offset_in(Grid(80, 100, transform, None), pair.grid), *pair.grid.shape) == (
            *(3, 2, 77, 94),
        )
        before, after, valid = pair.read(Window(0, 0, 94, 77))
    expected = centers_in(shapely.union_all(shapes), GRID)[3:80, 2:96]
    assert (valid != expected).sum() <= 2
    np.testing.assert_array_equal(before[0][valid], noise((1, 80, 100), seed=0)[0, 3:, 2:96][valid])
    assert not before[:, ~valid].any()
    assert not after[:, ~valid].any()
    assert pair.provenance["aoi"]["polygons"] == 3
    assert "Only the 3 polygons of two.gpkg are mapped; what lies outside is nodata." in pair.notes


def test_sides_of_polygons_bend_with_the_crs(tmp_path):
    """A parallel over four degrees lies 7 km off the straight line between its ends."""
    grid = Grid(
        300, 420, NORTH_UP @ Affine.translation(-200_000, -150_000) @ Affine.scale(1000), GRID.crs
    )
    rectangle = shapely.box(115, 35.0005, 119, 36.5005)
    path = write_layer(tmp_path / "a.gpkg", [rectangle], "EPSG:4326")
    area = read_aoi(str(path), grid, "a.tif")
    mask = area.inside(Window(0, 0, area.grid.width, area.grid.height))
    rows, cols = np.mgrid[: area.grid.height, : area.grid.width] + 0.5
    to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    expected = shapely.contains_xy(
        rectangle, *to_degrees.transform(*area.grid.transform @ (cols, rows))
    )
    assert expected.sum() > 50_000
    assert (mask != expected).sum() < 20


def test_polygons_beyond_the_image_do_not_widen_the_part(tmp_path):
    around = [shapely.box(200, 200, 210, 210), shapely.box(-50, 20, 30, 30)]
    path = write_layer(tmp_path / "far.gpkg", [on_ground(shape) for shape in around])
    area = read_aoi(str(path), GRID, "a.tif")
    assert (*offset_in(GRID, area.grid), *area.grid.shape) == (20, 0, 10, 30)
    assert area.inside(Window(0, 0, 30, 10)).all()


def test_bounds_and_polygons_work_together(tmp_path):
    paths = [write_scene(tmp_path / f"{n}.tif", noise((1, 80, 100), seed=n)) for n in range(2)]
    aoi = write_layer(tmp_path / "a.gpkg", [on_ground(shapely.box(20, 20, 90, 70))])
    x, y = NORTH_UP.c, NORTH_UP.f
    with open_pair(*paths, PairSettings(aoi=str(aoi), bounds=(x + 50, y - 40, x + 99, y))) as pair:
        assert offset_in(GRID, pair.grid) == (20, 50)
        assert pair.grid.shape == (20, 40)


def test_windows_outside_are_not_read(tmp_path):
    path = write_scene(tmp_path / "a.tif", noise((1, 700, 100)), blockysize=16, compress="deflate")
    corners = [shapely.box(0, 0, 100, 40), shapely.box(0, 690, 5, 700)]
    aoi = write_layer(tmp_path / "a.gpkg", [on_ground(shape) for shape in corners])
    content = bytearray(path.read_bytes())
    content[len(content) // 2 - 3000 : len(content) // 2 + 3000] = bytes(6000)
    path.write_bytes(content)
    with open_pair(path, path, PairSettings(aoi=str(aoi))) as pair:
        assert pair.grid.shape == (700, 100)
        assert not pair.read(Window(0, 300, 100, 100))[2].any()
    with open_pair(path, path) as pair, pytest.raises(InputError, match="cannot be read"):
        pair.read(Window(0, 300, 100, 100))


def test_a_layer_is_named_behind_a_colon(tmp_path):
    path = write_layer(tmp_path / "a.gpkg", [on_ground(STAR)], layer="city")
    write_layer(path, [on_ground(HOLED)], layer="lake")
    found = read_aoi(f"{path}:lake", GRID, "a.tif")
    assert found.record["layer"] == "lake"
    assert found.grid.shape == (27, 58)
    with pytest.raises(InputError, match=r"has the layers city, lake; name one with .*:LAYER"):
        read_aoi(str(path), GRID, "a.tif")
    with pytest.raises(InputError, match=r"has the layers city, lake, not 'sea'"):
        read_aoi(f"{path}:sea", GRID, "a.tif")


def test_a_file_may_have_a_colon_in_its_name(tmp_path):
    path = write_layer(tmp_path / "old:new.geojson", [on_ground(STAR)], UTM)
    assert read_aoi(str(path), GRID, "a.tif").record["name"] == "old:new.geojson"


def lines(tmp_path):
    return write_layer(tmp_path / "bad.gpkg", [shapely.LineString([(0, 0), (1, 1)])])


def text(tmp_path):
    (tmp_path / "bad.gpkg").write_text("no layer at all")
    return tmp_path / "bad.gpkg"


def virtual(tmp_path):
    (tmp_path / "bad.vrt").write_text(
        "<OGRVRTDataSource><OGRVRTLayer name='x'/></OGRVRTDataSource>"
    )
    return tmp_path / "bad.vrt"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "bad.gpkg", "does not exist"),
        (text, "cannot be read: .*Give a GeoPackage"),
        (lines, "holds 1 features and no polygon"),
        (virtual, "is a VRT"),
    ],
    ids=["missing", "text", "lines", "virtual"],
)
def test_what_holds_no_polygons_is_refused(tmp_path, make, words):
    with pytest.raises(InputError, match=rf"--aoi .*bad\.\w+ {words}"):
        read_aoi(str(make(tmp_path)), GRID, "a.tif")


def test_polygons_elsewhere_are_refused_with_both_places(tmp_path):
    """Also where the image lies between them."""
    around = [shapely.box(200, 200, 210, 210), shapely.box(-50, -30, -5, -3)]
    path = write_layer(tmp_path / "far.gpkg", [on_ground(shape) for shape in around])
    message = (
        r"far\.gpkg lies outside a\.tif: it covers \(499950, 3999790, 500210, 4000030\) in "
        r"EPSG:32650, the image \(500000, 3999920, 500100, 4000000\)"
    )
    with pytest.raises(PairError, match=message):
        read_aoi(str(path), GRID, "a.tif")


@pytest.mark.parametrize(("layer_crs", "grid_crs"), [(None, UTM), (UTM, None)])
def test_a_crs_on_one_side_only_is_refused(tmp_path, layer_crs, grid_crs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about the missing CRS
        path = write_layer(tmp_path / "a.gpkg", [on_ground(STAR)], layer_crs)
    grid = Grid(80, 100, NORTH_UP, grid_crs and CRS.from_string(grid_crs))
    message = rf"a\.gpkg has {layer_crs or 'no CRS'} and a\.tif has {grid_crs or 'no CRS'}"
    with pytest.raises(PairError, match=message):
        read_aoi(str(path), grid, "a.tif")


def test_without_crs_polygons_are_in_pixels(tmp_path):
    mirrored = shapely.transform(STAR, lambda xy: xy * [1, -1])
    path = write_layer(tmp_path / "a.geojson", [mirrored], "EPSG:4326")
    grid = Grid(80, 100, UNPLACED, None)
    assert read_aoi(str(path), grid, "a.tif").grid.shape == (60, 80)
    path = write_layer(tmp_path / "b.geojson", [STAR], "EPSG:4326")
    with pytest.raises(
        PairError, match=r"lies outside a\.tif.*, -80, 100, 0\) in pixels, y is minus"
    ):
        read_aoi(str(path), grid, "a.tif")
