import json
import shutil
import subprocess
from xml.etree import ElementTree as ET

import pytest
from scenes import noise, write_scene

from scdcli.errors import OutputError
from scdcli.legend import SECOND, LandCover, Legend
from scdcli.rasters.sidecar import (
    class_entries,
    cover_entries,
    transition_color,
    transition_entries,
    write_aux_xml,
    write_probability_qml,
    write_qml,
)

AWKWARD = Legend("awkward", (LandCover('<grass> & "ä"', (1, 2, 3)), LandCover("b", (4, 5, 6))))


def table(path):
    """Columns and rows of the attribute table in an .aux.xml."""
    found = ET.parse(path).getroot().find("PAMRasterBand/GDALRasterAttributeTable")
    columns = [column.findtext("Name") for column in found.iter("FieldDefn")]
    return columns, [[cell.text or "" for cell in row] for row in found.iter("Row")]


def test_class_names_are_listed_by_value(tmp_path):
    path = write_aux_xml(tmp_path / "from.tif", class_entries(SECOND))
    assert path.name == "from.tif.aux.xml"
    names = [name.text for name in ET.parse(path).getroot().iter("Category")]
    assert names == ["unchanged", *(cover.name for cover in SECOND.classes)]
    columns, rows = table(path)
    assert columns == ["Value", "Name", "Red", "Green", "Blue"]
    assert rows[5] == ["5", "building", "128", "0", "0"]


def test_transitions_are_named_from_and_to(tmp_path):
    path = write_aux_xml(tmp_path / "transition.tif", transition_entries(SECOND))
    columns, rows = table(path)
    assert columns == ["Value", "Name", "Red", "Green", "Blue", "From", "To"]
    assert len(rows) == 1 + 36
    assert rows[0] == ["0", "unchanged", "255", "255", "255", "", ""]
    building = next(row for row in rows if row[0] == "305")
    assert building[1] == "low vegetation → building"
    assert building[-2:] == ["low vegetation", "building"]
    assert ET.parse(path).getroot().find(".//CategoryNames") is None


def test_transition_colors_differ_and_lean_to_the_new_class():
    colors = {transition_color(SECOND, a, b) for a, b in SECOND.transitions()}
    assert len(colors) == 36
    assert transition_color(SECOND, 1, 5) == (96, 0, 64)
    assert transition_color(SECOND, 5, 5) == (128, 0, 0)


@pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="needs the GDAL programs")
def test_gdal_reads_the_names(tmp_path):
    path = write_scene(tmp_path / "from.tif", noise((1, 30, 40)))
    write_aux_xml(path, class_entries(AWKWARD))
    command = ["gdalinfo", "-json", str(path)]
    run = subprocess.run(command, capture_output=True, check=True)
    band = json.loads(run.stdout)["bands"][0]
    assert band["categories"] == ["unchanged", '<grass> & "ä"', "b"]
    text = subprocess.run(["gdalinfo", str(path)], capture_output=True, check=True, text=True)
    assert "<GDALRasterAttributeTable" in text.stdout


def palette(path):
    entries = ET.parse(path).getroot().iter("paletteEntry")
    return {int(e.get("value")): (e.get("label"), e.get("color"), e.get("alpha")) for e in entries}


def test_the_style_of_a_class_map_lets_the_unchanged_through(tmp_path):
    path = write_qml(tmp_path / "from.tif", class_entries(SECOND))
    assert path.name == "from.qml"
    assert path.read_text().startswith("<!DOCTYPE qgis")
    entries = palette(path)
    assert entries[0] == ("unchanged", "#ffffff", "0")
    assert entries[4] == ("tree", "#00ff00", "255")
    assert ET.parse(path).getroot().find("pipe/rasterrenderer").get("type") == "paletted"


def test_the_style_of_a_transition_map_names_all_pairs(tmp_path):
    entries = palette(write_qml(tmp_path / "transition.tif", transition_entries(SECOND)))
    assert len(entries) == 37
    assert entries[105] == ("water → building", "#600040", "255")


def test_land_cover_has_no_unchanged_pixels(tmp_path):
    entries = cover_entries(SECOND)
    assert list(palette(write_qml(tmp_path / "after_cover.tif", entries))) == [1, 2, 3, 4, 5, 6]
    path = write_aux_xml(tmp_path / "after_cover.tif", entries)
    names = [name.text or "" for name in ET.parse(path).getroot().iter("Category")]
    assert names == ["", *(cover.name for cover in SECOND.classes)]  # listed by value, from 0
    assert table(path)[1][0][:2] == ["1", "water"]


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.334, 0.5, 0.62, 0.99, 1.0])
def test_the_style_of_a_probability_map_is_transparent_below_the_threshold(tmp_path, threshold):
    root = ET.parse(write_probability_qml(tmp_path / "probability.tif", threshold)).getroot()
    renderer = root.find("pipe/rasterrenderer")
    assert renderer.get("type") == "singlebandpseudocolor"
    items = [(int(item.get("value")), item.get("alpha")) for item in renderer.iter("item")]
    percents = [percent for percent, _ in items]
    assert percents == sorted(set(percents))
    assert (percents[0], percents[-1]) == (0, 100)
    least = round(100 * threshold)
    assert {percent: alpha == "255" for percent, alpha in items} == {
        percent: percent >= least for percent in percents
    }
    assert {least, max(least - 1, 0)} <= set(percents)  # nothing is interpolated in between


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(OutputError, match=r"from\.qml cannot be written: No such file"):
        write_qml(tmp_path / "gone" / "from.tif", class_entries(SECOND))
