"""Polygons are written whole in every format, with every attribute, or not at all."""

import json
import sqlite3

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS

from scdcli.changes.area import measure_ground
from scdcli.changes.strips import Strip, find_runs
from scdcli.changes.trace import trace
from scdcli.changes.vector import DRIVERS, write_polygons
from scdcli.errors import InputError, OutputError, UnknownName
from scdcli.grid import Grid
from scdcli.legend import SECOND

UTM = CRS.from_epsg(32632)
TRANSFORM = Affine(10, 0, 5e5, 0, -10, 5e6)
CODES = np.array([[101, 0, 305], [101, 101, 0], [65535, 0, 203]], dtype=np.uint16)
COLUMNS = [
    "id",
    "from_class",
    "to_class",
    "transition",
    "from_name",
    "to_name",
    "area_m2",
    "perimeter_m",
    "confidence",
]


def write(folder, codes=CODES, *, height=2, crs=UTM, transform=TRANSFORM, **options):
    grid = Grid(*codes.shape, transform, crs)
    ground = measure_ground(grid)
    strips = (
        Strip(row, codes[row : row + height], np.full_like(codes[row : row + height], 80, np.uint8))
        for row in range(0, len(codes), height)
    )
    polygons = trace(find_runs(strips, ground), grid, ground)
    return write_polygons(folder, polygons, grid, ground, SECOND, **options)


def read(path):
    """Column name to values by id (FlatGeobuf sorts by place), geometries as ``outline``."""
    about, _, geometry, columns = pyogrio.raw.read(path, layer="changes")
    table = dict(zip(about["fields"], columns, strict=True))
    table["outline"] = shapely.from_wkb(geometry)
    order = np.argsort(table["id"]) if "id" in table else []
    return {name: column[order] for name, column in table.items()}


def contents(path):
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT table_name, data_type, last_change FROM gpkg_contents")
        table = {name: (kind, changed) for name, kind, changed in rows}
    database.close()
    return table


@pytest.mark.parametrize("name", DRIVERS)
def test_every_format_reads_back(tmp_path, name):
    write(tmp_path, formats=[name])
    table = read(tmp_path / f"changes.{name}")
    assert table["id"].tolist() == [1, 2, 3]
    assert table["transition"].tolist() == [305, 101, 203]
    assert table["from_class"].tolist() == [3, 1, 2]
    assert table["to_class"].tolist() == [5, 1, 3]
    assert table["from_name"].tolist() == ["low vegetation", "water", "n.v.g. surface"]
    assert table["to_name"].tolist() == ["building", "water", "low vegetation"]
    assert table["area_m2"] == pytest.approx([100, 300, 100], rel=1e-3)
    assert table["confidence"] == pytest.approx([0.8] * 3)
    assert shapely.is_valid(table["outline"]).all()


@pytest.mark.parametrize("name", sorted(set(DRIVERS) - {"geojson"}))
def test_the_crs_and_the_place_are_kept(tmp_path, name):
    write(tmp_path, formats=[name])
    about = pyogrio.read_info(tmp_path / f"changes.{name}", layer="changes")
    assert about["crs"] == "EPSG:32632"
    bounds = shapely.total_bounds(read(tmp_path / f"changes.{name}")["outline"])
    assert bounds.tolist() == [500000, 4999970, 500030, 5000000]


@pytest.mark.parametrize("name", DRIVERS)
def test_no_change_is_a_valid_empty_layer(tmp_path, name):
    write(tmp_path, np.zeros_like(CODES), formats=[name])
    table = read(tmp_path / f"changes.{name}")
    assert len(table["outline"]) == 0


@pytest.mark.parametrize("name", DRIVERS)
def test_a_pixel_grid_is_written_in_pixels(tmp_path, name):
    write(tmp_path, formats=[name], crs=None, transform=Affine.identity())
    table = read(tmp_path / f"changes.{name}")
    assert table["area_px"].tolist() == [1, 3, 1]
    assert shapely.total_bounds(table["outline"]).tolist() == [0, 0, 3, 3]
    if name != "geojson":
        assert pyogrio.read_info(tmp_path / f"changes.{name}", layer="changes")["crs"] is None


def test_all_formats_at_once_in_one_pass(tmp_path):
    written = write(tmp_path, formats=DRIVERS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in written]
    assert {path.suffix[1:] for path in written} >= set(DRIVERS)


def test_columns_are_the_documented_ones(tmp_path):
    write(tmp_path)
    assert pyogrio.read_info(tmp_path / "changes.gpkg")["fields"].tolist() == COLUMNS


def test_shapefile_names_fit_and_stay_apart(tmp_path):
    write(tmp_path, formats=["shp"])
    names = pyogrio.read_info(tmp_path / "changes.shp")["fields"].tolist()
    assert names == [name if name != "perimeter_m" else "perim_m" for name in COLUMNS]
    assert max(map(len, names)) <= 10


def test_shapefile_keeps_large_areas(tmp_path):
    codes = np.full((2, 2), 101, dtype=np.uint16)
    write(tmp_path, codes, formats=["shp", "gpkg"], transform=Affine(1e5, 0, 4e5, 0, -1e5, 5e6))
    shapefile, geopackage = (read(tmp_path / f"changes.{name}") for name in ("shp", "gpkg"))
    assert geopackage["area_m2"][0] > 3e10
    assert shapefile["area_m2"] == pytest.approx(geopackage["area_m2"], rel=1e-12)


def test_geojson_is_lon_lat_and_counter_clockwise(tmp_path):
    write(tmp_path, formats=["geojson"])
    collection = json.loads((tmp_path / "changes.geojson").read_text(encoding="utf-8"))
    assert "crs" not in collection
    ring = collection["features"][1]["geometry"]["coordinates"][0]
    corner = Transformer.from_crs(32632, 4326, always_xy=True).transform(5e5, 5e6)
    assert ring[0] == pytest.approx(corner, abs=1e-7)
    assert all(value == round(value, 7) for point in ring for value in point)
    assert shapely.LinearRing(ring).is_ccw


def test_geojson_is_cut_at_the_antimeridian(tmp_path):
    codes = np.full((4, 4), 101, dtype=np.uint16)
    x, y = Transformer.from_crs(4326, 32601, always_xy=True).transform(-180.0, 10.0)
    transform = Affine(100, 0, x - 200, 0, -100, y + 200)
    write(tmp_path, codes, formats=["geojson"], crs=CRS.from_epsg(32601), transform=transform)
    (outline,) = read(tmp_path / "changes.geojson")["outline"]
    west, east = sorted(outline.geoms, key=lambda part: part.bounds[0])
    assert (west.bounds[0], east.bounds[2]) == (-180, 180)
    assert west.bounds[2] == pytest.approx(-179.998, abs=1e-3)
    assert east.bounds[0] == pytest.approx(179.998, abs=1e-3)


def test_geopackage_has_a_spatial_index_and_its_style(tmp_path):
    write(tmp_path, style_qml="<qgis>Größe → Höhe</qgis>")
    path = tmp_path / "changes.gpkg"
    kinds = {name: kind for name, (kind, _) in contents(path).items()}
    assert kinds == {"changes": "features", "layer_styles": "attributes"}
    with sqlite3.connect(path) as database:
        (style,) = database.execute(
            "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
        ).fetchall()
        (indexed,) = database.execute("SELECT count(*) FROM rtree_changes_geom").fetchone()
        (column,) = database.execute("SELECT column_name FROM gpkg_geometry_columns").fetchone()
    database.close()
    assert style == ("changes", column, 1, "<qgis>Größe → Höhe</qgis>")
    assert indexed == 3


def test_geopackage_without_style_has_one_layer(tmp_path):
    write(tmp_path)
    assert pyogrio.list_layers(tmp_path / "changes.gpkg")[:, 0].tolist() == ["changes"]


def test_source_date_epoch_dates_the_geopackage(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    write(tmp_path, style_qml="<qgis/>")
    dates = {changed for _, changed in contents(tmp_path / "changes.gpkg").values()}
    assert dates == {"2023-11-14T22:13:20.000Z"}


def test_bytes_do_not_depend_on_the_strips(tmp_path, rng, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setattr("scdcli.changes.features.CHUNK", 100)
    codes = rng.choice(np.array([0, 101, 203, 506], dtype=np.uint16), (40, 50))
    bytes_of = []
    for height in (3, 40):
        folder = tmp_path / str(height)
        folder.mkdir()
        written = write(folder, codes, height=height, formats=DRIVERS, style_qml="<qgis/>")
        bytes_of.append({path.name: path.read_bytes() for path in written})
    assert len(read(tmp_path / "3" / "changes.gpkg")["id"]) > 300
    assert bytes_of[0] == bytes_of[1]


def test_ids_run_through_all_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("scdcli.changes.features.CHUNK", 7)
    codes = np.zeros((20, 20), dtype=np.uint16)
    codes[::2, ::2] = 203
    write(tmp_path, codes, height=3, formats=DRIVERS)
    for name in DRIVERS:
        assert read(tmp_path / f"changes.{name}")["id"].tolist() == list(range(1, 101))


def test_an_earlier_file_is_replaced(tmp_path):
    write(tmp_path)
    write(tmp_path, np.zeros_like(CODES))
    assert len(read(tmp_path / "changes.gpkg")["id"]) == 0


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(UnknownName, match="'kml'.*fgb, geojson, gpkg, shp"):
        write(tmp_path, formats=["gpkg", "kml"])


def test_a_class_beyond_the_legend_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match=r"class 7, but the legend 'second' .* 1 to 6"):
        write(tmp_path, np.array([[701]], dtype=np.uint16), formats=DRIVERS)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        write(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["gpkg", "shp"])
def test_a_failing_writer_is_an_error_and_leaves_nothing(tmp_path, monkeypatch, name):
    def full_disk(*_, **__):
        raise pyogrio.errors.FeatureError("disk I/O error")

    monkeypatch.setattr(pyogrio.raw, "write", full_disk)
    with pytest.raises(OutputError, match="disk I/O error"):
        write(tmp_path, formats=["geojson", name])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["dbf", "shx"])
def test_a_file_cut_off_at_its_end_is_noticed(tmp_path, monkeypatch, suffix):
    def write_and_lose(path, geometry, *args, **options):
        pyogrio_write(path, geometry, *args, **options)
        if len(geometry):
            part = path.with_suffix(f".{suffix}")
            part.write_bytes(part.read_bytes()[:-60])

    pyogrio_write = pyogrio.raw.write
    monkeypatch.setattr(pyogrio.raw, "write", write_and_lose)
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path, formats=["shp"])
    assert list(tmp_path.iterdir()) == []
