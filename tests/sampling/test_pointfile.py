"""The file of a sample: its rows, its form in QGIS, and that it appears whole or not at all."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pyogrio
import pytest
import shapely
from predictions import patches, write_map

from scdcli.errors import OutputError
from scdcli.legend import SECOND
from scdcli.sampling.changemap import fingerprint, open_map
from scdcli.sampling.design import SampleSettings, draw_sample
from scdcli.sampling.pointfile import HIDDEN, write_points

SETTINGS = SampleSettings(size=60, minimum=10, buffer=20)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = write_map(tmp_path_factory.mktemp("map") / "p", patches())
    return draw_sample(open_map(folder), SETTINGS)


def read(path, layer="points"):
    about, _, geometry, columns = pyogrio.raw.read(path, layer=layer)
    return about, shapely.from_wkb(geometry), dict(zip(about["fields"], columns, strict=True))


def test_every_row_says_of_which_stratum_it_is(sample, tmp_path):
    write_points(tmp_path / "points.gpkg", sample)
    about, points, rows = read(tmp_path / "points.gpkg")
    assert about["crs"] == "EPSG:32632"
    assert rows["id"].tolist() == list(range(1, 61))
    assert np.isnan(rows["reference_from"]).all()
    assert set(rows["map"]) == {fingerprint(sample.change_map)}
    assert set(rows["map_from"]) == {3, 5, 0}  # near a change nothing changed
    for place, stratum in enumerate(sample.strata):
        mine = rows["stratum"] == stratum.name
        assert mine.sum() == stratum.drawn == rows["drawn"][mine][0]
        assert set(rows["stratum_units"][mine]) == {stratum.units}
        assert set(rows["stratum_area"][mine]) == {stratum.area}
        assert np.array_equal(mine, sample.stratum == place)
        assert rows["inclusion"][mine] == pytest.approx(stratum.drawn / stratum.units)
    _, outlines, units = read(tmp_path / "points.gpkg", "units")
    assert units["id"].tolist() == rows["id"].tolist()
    assert shapely.contains(outlines, points).all()
    # nothing about the order tells the stratum
    assert len(set(sample.stratum[:10].tolist())) > 1


def test_the_form_shows_the_legend_and_hides_the_map(sample, tmp_path):
    write_points(tmp_path / "points.gpkg", sample)
    with closing(sqlite3.connect(tmp_path / "points.gpkg")) as database:
        styles = dict(database.execute("SELECT f_table_name, styleQML FROM layer_styles"))
    assert styles.keys() == {"points", "units"}
    form = ET.fromstring(styles["points"]).find("fieldConfiguration")
    fields = {each.get("name"): each for each in form}
    kinds = {name: each.find("editWidget").get("type") for name, each in fields.items()}
    assert {name for name, kind in kinds.items() if kind == "Hidden"} == {"fid", *HIDDEN}
    for name in ("reference_from", "reference_to"):
        shown = {
            option.get("name"): option.get("value")
            for option in fields[name].iter("Option")
            if option.get("type") == "QString"
        }
        expected = {"unchanged": "0"} | {c: str(k) for k, c in enumerate(SECOND.names, 1)}
        assert shown == expected
    assert kinds["confidence"] == "ValueMap"


def test_a_file_is_replaced_only_when_asked(sample, tmp_path):
    path = tmp_path / "points.gpkg"
    write_points(path, sample)
    with pytest.raises(OutputError, match="exists; replace it with --overwrite"):
        write_points(path, sample)
    write_points(path, replace(sample, map="other"), overwrite=True)
    assert set(read(path)[2]["map"]) == {"other"}
    with pytest.raises(OutputError, match="not called .gpkg"):
        write_points(tmp_path / "points.csv", sample)
    with pytest.raises(OutputError, match="cannot be written"):
        write_points(tmp_path / "nowhere" / "points.gpkg", sample)
    assert [each.name for each in tmp_path.iterdir()] == ["points.gpkg"]
