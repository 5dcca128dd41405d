"""Polygons are written whole in every format, with every attribute, or not at all."""

import sqlite3

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import CRS, Transformer
from vectors import CODES, geo, read, write

from scdcli.errors import InputError, OutputError, UnknownName
from scdcli.legend import LandCover, Legend
from scdcli.polygons.files.vector import DRIVERS
from scdcli.rasters.grid import UNPLACED

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
STYLES = {"transitions": "<qgis>Größe → Höhe</qgis>", "confidence": "<qgis/>"}


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


def epsg_of(path):
    if path.suffix == ".parquet":
        crs = geo(path)["columns"]["geometry"]["crs"]
        return crs and CRS.from_json_dict(crs).to_epsg()
    crs = pyogrio.read_info(path, layer="changes")["crs"]
    return crs and CRS.from_user_input(crs).to_epsg()


def test_every_format_holds_the_same_features(tmp_path, rng):
    """One map with holes, nodata and names beyond ASCII, in every format beside GeoPackage."""
    names = ("Gewässer", "низкая трава", "建物")
    legend = Legend("own", tuple(LandCover(name, (k, 0, 0)) for k, name in enumerate(names)))
    shares = (0.1, 0.6, 0.1, 0.1, 0.1)
    codes = rng.choice(np.array([0, 102, 203, 301, 65535], dtype=np.uint16), (50, 40), p=shares)
    codes = np.kron(codes, np.ones((2, 2), dtype=np.uint16))
    write(tmp_path, codes, height=7, formats=DRIVERS, legend=legend, tolerance=15.0)
    expected = read(tmp_path / "changes.gpkg")
    assert len(expected["id"]) > 200
    assert shapely.get_num_interior_rings(expected["outline"]).sum() > 5
    for name in set(DRIVERS) - {"gpkg"}:
        table = read(tmp_path / f"changes.{name}")
        assert table.keys() == expected.keys()
        outline, ours = table.pop("outline"), expected["outline"]
        for column, values in table.items():
            assert values.tolist() == expected[column].tolist(), (name, column)
        if name == "geojson":
            ours = shapely.transform(ours, to_lonlat)
            assert shapely.hausdorff_distance(outline, ours).max() < 1e-7
        else:
            assert shapely.equals_exact(shapely.normalize(outline), shapely.normalize(ours)).all()


def to_lonlat(xy):
    move = Transformer.from_crs(32632, 4326, always_xy=True)
    return np.stack(move.transform(*xy.T), axis=1)


@pytest.mark.parametrize("name", sorted(set(DRIVERS) - {"geojson"}))
def test_the_crs_and_the_place_are_kept(tmp_path, name):
    write(tmp_path, formats=[name])
    assert epsg_of(tmp_path / f"changes.{name}") == 32632
    bounds = shapely.total_bounds(read(tmp_path / f"changes.{name}")["outline"])
    assert bounds.tolist() == [500000, 4999970, 500030, 5000000]


@pytest.mark.parametrize("name", DRIVERS)
def test_no_change_is_a_valid_empty_layer(tmp_path, name):
    write(tmp_path, np.zeros_like(CODES), formats=[name])
    table = read(tmp_path / f"changes.{name}")
    assert len(table["outline"]) == 0


@pytest.mark.parametrize("name", DRIVERS)
def test_a_pixel_grid_is_written_in_pixels(tmp_path, name):
    write(tmp_path, formats=[name], crs=None, transform=UNPLACED)
    table = read(tmp_path / f"changes.{name}")
    assert table["area_px"].tolist() == [1, 3, 1]
    assert shapely.total_bounds(table["outline"]).tolist() == [0, -3, 3, 0]
    if name != "geojson":
        assert epsg_of(tmp_path / f"changes.{name}") is None


def test_all_formats_at_once_in_one_pass(tmp_path):
    written = write(tmp_path, formats=DRIVERS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in written]
    assert {path.suffix[1:] for path in written} >= set(DRIVERS)


def test_columns_are_the_documented_ones(tmp_path):
    write(tmp_path)
    assert pyogrio.read_info(tmp_path / "changes.gpkg")["fields"].tolist() == COLUMNS


@pytest.mark.parametrize(
    ("name", "class_type"), [("gpkg", "Integer"), ("fgb", "Integer64"), ("shp", "Integer")]
)
def test_types_are_those_of_the_columns(tmp_path, name, class_type):
    write(tmp_path, formats=[name])
    types = pyogrio.read_info(tmp_path / f"changes.{name}")["ogr_types"]
    classes, texts, numbers = [f"OFT{class_type}"] * 3, ["OFTString"] * 2, ["OFTReal"] * 3
    assert types == ["OFTInteger64", *classes, *texts, *numbers]


def test_geopackage_has_a_spatial_index_and_its_styles(tmp_path):
    write(tmp_path, styles=STYLES)
    path = tmp_path / "changes.gpkg"
    kinds = {name: kind for name, (kind, _) in contents(path).items()}
    assert kinds == {"changes": "features", "layer_styles": "attributes"}
    with sqlite3.connect(path) as database:
        styles = database.execute(
            "SELECT f_table_name, f_geometry_column, styleName, useAsDefault, styleQML "
            "FROM layer_styles ORDER BY id"
        ).fetchall()
        (indexed,) = database.execute("SELECT count(*) FROM rtree_changes_geom").fetchone()
        (column,) = database.execute("SELECT column_name FROM gpkg_geometry_columns").fetchone()
    database.close()
    assert styles == [
        ("changes", column, name, number == 0, qml)
        for number, (name, qml) in enumerate(STYLES.items())
    ]
    assert indexed == 3


def test_geopackage_without_style_has_one_layer(tmp_path):
    write(tmp_path)
    assert pyogrio.list_layers(tmp_path / "changes.gpkg")[:, 0].tolist() == ["changes"]


def test_the_style_lies_beside_formats_that_hold_none(tmp_path):
    for name in DRIVERS:
        folder = tmp_path / name
        folder.mkdir()
        written = write(folder, formats=[name], styles=STYLES)
        style = folder / "changes.qml"
        assert (style in written) == (name != "gpkg")
        assert style.exists() == (name != "gpkg")
        assert name == "gpkg" or style.read_text(encoding="utf-8") == STYLES["transitions"]
    assert write(tmp_path, formats=[], styles=STYLES) == []


def test_source_date_epoch_dates_the_geopackage(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    write(tmp_path, styles=STYLES)
    dates = {changed for _, changed in contents(tmp_path / "changes.gpkg").values()}
    assert dates == {"2023-11-14T22:13:20.000Z"}


def test_bytes_do_not_depend_on_the_strips(tmp_path, rng, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setattr("scdcli.polygons.files.features.CHUNK", 100)
    codes = rng.choice(np.array([0, 101, 203, 506], dtype=np.uint16), (40, 50))
    bytes_of = []
    for height in (3, 40):
        folder = tmp_path / str(height)
        folder.mkdir()
        written = write(folder, codes, height=height, formats=DRIVERS, styles=STYLES)
        bytes_of.append({path.name: path.read_bytes() for path in written})
    assert len(read(tmp_path / "3" / "changes.gpkg")["id"]) > 300
    assert bytes_of[0] == bytes_of[1]


def test_ids_run_through_all_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("scdcli.polygons.files.features.CHUNK", 7)
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
    with pytest.raises(UnknownName, match="'kml'.*fgb, geojson, gpkg, none, parquet, shp"):
        write(tmp_path, formats=["gpkg", "kml"])


def test_a_class_beyond_the_legend_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match=r"class 7, but the legend 'second' .* 1 to 6"):
        write(tmp_path, np.array([[701]], dtype=np.uint16), formats=DRIVERS)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        write(tmp_path / "nowhere")
