"""What the styles of the polygons say; what QGIS makes of them is in `test_style_qgis`."""

from xml.etree import ElementTree as ET

import pytest
from affine import Affine
from rasterio.crs import CRS
from vectors import GRID, write

from scdcli.legend import CHANGE, SECOND, LandCover, Legend
from scdcli.polygons.files.style import CONFIDENCE, TRANSITIONS, polygon_styles
from scdcli.rasters.grid import Grid

AWKWARD = Legend("awkward", (LandCover('<grass> & "ä"', (1, 2, 3)), LandCover("b", (4, 5, 6))))
PAIRS = [(a, b) for a, b in SECOND.transitions() if a != b]


def style(name, legend=SECOND, pairs=PAIRS, grid=GRID):
    return ET.fromstring(polygon_styles(legend, pairs, grid)[name].split("\n", 1)[1])


def symbols(root):
    """The options of each symbol by its name."""
    return {
        symbol.get("name"): {o.get("name"): o.get("value") for o in symbol.iter("Option")}
        for symbol in root.iter("symbol")
    }


def test_polygons_are_filled_with_the_new_class_and_edged_with_the_old():
    root = style(TRANSITIONS)
    assert root.find("renderer-v2").get("attr") == "transition"
    categories = {c.get("value"): c for c in root.iter("category")}
    assert len(categories) == 30
    category = categories["305"]
    assert category.get("label") == "low vegetation → building"
    values = symbols(root)[category.get("symbol")]
    assert values["color"].startswith("128,0,0,")
    assert values["outline_color"] == "0,128,0,255"


def test_only_the_transitions_that_occur_are_listed():
    root = style(TRANSITIONS, AWKWARD, [(2, 1)])
    assert [c.get("label") for c in root.iter("category")] == ['b → <grass> & "ä"']


@pytest.mark.parametrize(
    ("grid", "width", "unit"),
    [
        (GRID, 2.0, "RenderMetersInMapUnits"),  # pixels of 10 m
        (
            Grid(30, 40, Affine(1e-4, 0, 10, 0, -2e-4, 60), CRS.from_epsg(4326)),
            1.1,  # a degree of longitude is 55.8 km there, one of latitude 111.4 km
            "RenderMetersInMapUnits",
        ),
        (Grid(30, 40, Affine.identity(), None), 0.2, "MapUnit"),
        (Grid(30, 40, Affine(5, 0, 100, 0, -5, 900), None), 1.0, "MapUnit"),
    ],
    ids=["meters", "degrees", "pixels", "a place without a CRS"],
)
@pytest.mark.parametrize("name", [TRANSITIONS, CONFIDENCE])
def test_edges_are_a_fifth_of_a_pixel_wide_and_at_most_half_a_millimeter(grid, width, unit, name):
    every = symbols(style(name, grid=grid)).values()
    assert every
    for values in every:
        assert float(values["outline_width"]) == pytest.approx(width, rel=0.02)
        assert values["outline_width_unit"] == unit
        assert values["outline_width_map_unit_scale"] == "3x:0,0,0,0,1,0.5"


def test_confidence_is_colored_in_steps_that_leave_nothing_out():
    root = style(CONFIDENCE)
    renderer = root.find("renderer-v2")
    assert (renderer.get("type"), renderer.get("attr")) == ("graduatedSymbol", "confidence")
    ranges = [(float(r.get("lower")), float(r.get("upper"))) for r in root.iter("range")]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 1
    assert [low for low, _ in ranges[1:]] == [high for _, high in ranges[:-1]]
    assert [r.get("label") for r in root.iter("range")][:2] == ["below 50 %", "50 to 60 %"]
    assert len({v["color"] for v in symbols(root).values()}) == len(ranges)


@pytest.mark.parametrize("name", [TRANSITIONS, CONFIDENCE])
@pytest.mark.parametrize("format", ["gpkg", "shp"])
@pytest.mark.parametrize("place", [{}, {"crs": None, "transform": Affine.identity()}])
def test_every_column_has_an_alias_or_is_hidden(tmp_path, name, format, place):
    import pyogrio

    write(tmp_path, formats=[format], **place)
    columns = pyogrio.read_info(tmp_path / f"changes.{format}")["fields"].tolist()
    root = style(name)
    hidden = {c.get("name") for c in root.iter("column") if c.get("hidden") == "1"}
    assert hidden >= {"fid", "id", "from_class", "to_class", "transition"}
    aliases = {a.get("field"): a.get("name") for a in root.iter("alias")}
    assert set(columns) <= hidden | aliases.keys()
    decimals = {
        field.get("name"): option.get("value")
        for field in root.iter("field")
        for option in field.iter("Option")
        if option.get("name") == "Precision"
    }
    assert [decimals[column] for column in columns[-3:]] == (
        ["0", "0"] if place else ["1", "1"]
    ) + ["2"]


def test_the_map_tip_says_what_became_what_how_large_and_how_sure():
    tip = style(TRANSITIONS).findtext("mapTip")
    assert '[% "from_name" %] → [% "to_name" %]' in tip
    assert '[% format_number("area_m2", 1) %] m²' in tip
    assert '[% format_number("confidence", 2) %]' in tip
    tip = style(TRANSITIONS, CHANGE, [(1, 1)], Grid(3, 4, Affine.identity(), None)).findtext(
        "mapTip"
    )
    assert "→" not in tip
    assert '[% format_number("area_px", 0) %] pixels' in tip
