"""GeoParquet has the metadata its readers rely on."""

import numpy as np
from affine import Affine
from pyarrow import parquet
from pyproj import CRS
from vectors import geo, write


def written(folder, codes=None, **options):
    arguments = () if codes is None else (codes,)
    write(folder, *arguments, formats=["parquet"], **options)
    return folder / "changes.parquet"


def test_the_metadata_describes_the_geometry(tmp_path):
    about = geo(written(tmp_path))
    column = about["columns"]["geometry"]
    assert about["version"] == "1.1.0"
    assert about["primary_column"] == "geometry"
    assert CRS.from_json_dict(column.pop("crs")).to_epsg() == 32632
    assert column == {
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        "orientation": "counterclockwise",
        "edges": "planar",
        "bbox": [500000.0, 4999970.0, 500030.0, 5000000.0],
    }


def test_an_unknown_crs_is_null_and_not_longitude_and_latitude(tmp_path):
    column = geo(written(tmp_path, crs=None, transform=Affine.identity()))["columns"]["geometry"]
    assert column["crs"] is None


def test_an_empty_file_has_all_columns_and_no_box(tmp_path):
    path = written(tmp_path, np.zeros((3, 3), dtype=np.uint16))
    table = parquet.read_table(path)
    assert len(table) == 0
    assert table.column_names[0] == "geometry"
    assert {"from_name", "area_m2", "confidence"} <= set(table.column_names)
    assert "bbox" not in geo(path)["columns"]["geometry"]


def test_row_groups_are_filled_from_several_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("scdcli.polygons.files.features.CHUNK", 7)
    monkeypatch.setattr("scdcli.polygons.files.geoparquet.ROWS", 20)
    codes = np.zeros((20, 20), dtype=np.uint16)
    codes[::2, ::2] = 203
    file = parquet.ParquetFile(written(tmp_path, codes))
    groups = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    assert groups == [21, 21, 21, 21, 16]
    assert file.read()["id"].to_pylist() == list(range(1, 101))
    assert geo(tmp_path / "changes.parquet")["columns"]["geometry"]["bbox"] == [
        *(500000.0, 4999810.0),
        *(500190.0, 5000000.0),
    ]


def test_types_are_those_of_the_columns(tmp_path):
    schema = parquet.read_schema(written(tmp_path))
    types = {field.name: str(field.type) for field in schema}
    assert types["geometry"] == "binary"
    assert types["id"] == "int64"
    assert types["from_name"] == "string"
    assert types["confidence"] == "double"
