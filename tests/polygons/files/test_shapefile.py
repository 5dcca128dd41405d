"""A shapefile keeps names, texts and numbers, and refuses to outgrow its format."""

import numpy as np
import pyogrio
import pytest
from affine import Affine
from vectors import read, write

from scdcli.errors import OutputError
from scdcli.legend import LandCover, Legend
from scdcli.polygons.files.shapefile import SHORT_NAMES


def fields(path):
    return pyogrio.read_info(path)["fields"].tolist()


@pytest.mark.parametrize("crs", [{}, {"crs": None, "transform": Affine.identity()}])
def test_every_column_has_a_name_of_its_own_that_fits(tmp_path, crs):
    write(tmp_path, formats=["shp", "gpkg"], **crs)
    names = fields(tmp_path / "changes.shp")
    assert names == [SHORT_NAMES.get(name, name) for name in fields(tmp_path / "changes.gpkg")]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 10


def test_large_areas_keep_their_digits(tmp_path):
    codes = np.full((2, 2), 101, dtype=np.uint16)
    write(tmp_path, codes, formats=["shp", "gpkg"], transform=Affine(1e5, 0, 4e5, 0, -1e5, 5e6))
    shapefile, geopackage = (read(tmp_path / f"changes.{name}") for name in ("shp", "gpkg"))
    assert geopackage["area_m2"][0] > 3e10
    assert shapefile["area_m2"] == pytest.approx(geopackage["area_m2"], rel=1e-12)


def test_names_of_classes_are_utf8_and_may_be_long(tmp_path):
    names = ["Gewässer", "水体", "x" * 120]
    legend = Legend("own", tuple(LandCover(name, (k, 0, 0)) for k, name in enumerate(names)))
    codes = np.array([[102, 203, 301]], dtype=np.uint16)
    write(tmp_path, codes, formats=["shp"], legend=legend)
    assert (tmp_path / "changes.cpg").read_text().strip() == "UTF-8"
    table = read(tmp_path / "changes.shp")
    assert table["from_name"].tolist() == names
    assert table["to_name"].tolist() == [names[1], names[2], names[0]]


def spots():
    codes = np.zeros((30, 30), dtype=np.uint16)
    codes[::2, ::2] = 203
    return codes


def combs():
    codes = np.zeros((30, 60), dtype=np.uint16)
    codes[1::3] = 203
    codes[::3, ::2] = 203
    return codes


@pytest.mark.parametrize(("part", "codes"), [("shp", combs()), ("dbf", spots())])
def test_a_file_that_would_become_too_large_is_refused(tmp_path, monkeypatch, part, codes):
    monkeypatch.setattr("scdcli.polygons.files.features.CHUNK", 3)
    full, refused = tmp_path / "full", tmp_path / "refused"
    full.mkdir()
    refused.mkdir()
    write(full, codes, formats=["shp"])
    size = {name: (full / f"changes.{name}").stat().st_size for name in ("shp", "dbf")}
    assert size[part] == max(size.values())
    monkeypatch.setattr("scdcli.polygons.files.shapefile.MOST_BYTES", size[part])
    write(full, codes, formats=["shp"])
    monkeypatch.setattr("scdcli.polygons.files.shapefile.MOST_BYTES", size[part] - 1)
    with pytest.raises(OutputError, match=rf"changes\.{part} would become larger .* gpkg or fgb"):
        write(refused, codes, formats=["shp", "gpkg"])
    assert list(refused.iterdir()) == []
