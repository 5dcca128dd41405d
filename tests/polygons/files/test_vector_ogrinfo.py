"""What GDAL's own tools see in the files, where they are installed; they may be years older."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from vectors import GRID, read, write

from scdcli.legend import SECOND
from scdcli.polygons.files.style import polygon_styles
from scdcli.polygons.files.vector import DRIVERS

needs_ogrinfo = pytest.mark.skipif(not shutil.which("ogrinfo"), reason="ogrinfo is not installed")
OPENED_EVERYWHERE = sorted(set(DRIVERS) - {"parquet"})  # GDAL needs a driver built in for that


def ogrinfo(path, *options):
    done = subprocess.run(
        ["ogrinfo", "-ro", *options, str(path)], capture_output=True, text=True, check=True
    )
    assert "Warning" not in done.stderr, done.stderr
    assert "ERROR" not in done.stderr, done.stderr
    return done.stdout


@needs_ogrinfo
@pytest.mark.parametrize("name", OPENED_EVERYWHERE)
def test_layer_crs_fields_and_features(tmp_path, name):
    write(tmp_path, formats=[name])
    said = ogrinfo(tmp_path / f"changes.{name}", "-so", "-al")
    assert "Layer name: changes" in said
    assert "Feature Count: 3" in said
    assert re.search(r"Geometry: (Polygon|Multi Polygon)", said)
    assert ("WGS 84 / UTM zone 32N" if name != "geojson" else 'GEOGCRS["WGS 84"') in said
    for field, kind in (
        ("id", "Integer(64)?"),
        ("transition", "Integer(64)?"),
        ("from_name", "String"),
        ("area_m2", "Real"),
        ("confidence", "Real"),
    ):
        assert re.search(rf"^{field}: {kind} \(", said, re.MULTILINE), (field, said)


@needs_ogrinfo
def test_the_geopackage_opens_with_its_styles(tmp_path):
    write(tmp_path, styles=polygon_styles(SECOND, [(3, 5)], GRID))
    said = ogrinfo(tmp_path / "changes.gpkg", "-sql", "SELECT * FROM layer_styles")
    assert "f_table_name (String) = changes" in said
    assert "f_geometry_column (String) = geom" in said
    assert re.search(r"useAsDefault \(Integer\(Boolean\)\) = 1", said)
    assert "renderer-v2" in said
    counted = ogrinfo(
        tmp_path / "changes.gpkg",
        "-sql",
        "SELECT count(*) AS n, sum(ST_IsValid(geom)) AS valid FROM changes",
    )
    assert "n (Integer) = 3" in counted


@needs_ogrinfo
def test_a_window_is_found_through_the_spatial_index(tmp_path):
    write(tmp_path)
    place = ["500021", "4999991", "500029", "4999999"]
    said = ogrinfo(tmp_path / "changes.gpkg", "-al", "-geom=NO", "-spat", *place)
    assert "Feature Count: 1" in said
    assert "transition (Integer) = 305" in said


def test_the_same_ground_has_the_same_area_in_three_crss(tmp_path):
    """A square kilometre, rasterized finely in UTM, Web Mercator and longitude and latitude."""
    center = Transformer.from_crs(4326, 32632, always_xy=True).transform(10.3, 48.1)
    areas = {}
    for epsg, size in ((32632, 2.0), (3857, 3.0), (4326, 2e-5)):
        there = Transformer.from_crs(32632, epsg, always_xy=True).transform(*center)
        transform = Affine(size, 0, there[0] - 450 * size, 0, -size, there[1] + 450 * size)
        col, row = np.meshgrid(np.arange(900) + 0.5, np.arange(900) + 0.5)
        back = Transformer.from_crs(epsg, 32632, always_xy=True)
        east, north = back.transform(*(transform @ (col, row)))
        inside = (abs(east - center[0]) < 500) & (abs(north - center[1]) < 500)
        folder = tmp_path / str(epsg)
        folder.mkdir()
        codes = np.where(inside, 203, 0).astype(np.uint16)
        write(folder, codes, height=300, crs=CRS.from_epsg(epsg), transform=transform)
        areas[epsg] = read(folder / "changes.gpkg")["area_m2"].sum()
    assert areas[32632] == pytest.approx(1e6, rel=1e-3)
    assert areas[3857] == pytest.approx(areas[32632], rel=1e-3)
    assert areas[4326] == pytest.approx(areas[32632], rel=1e-3)
