"""What GDAL does not write into a GeoPackage: the layer's style, and dates that can be repeated."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

from scdcli.files.folder import timestamp
from scdcli.legend import TRANSITION_BASE, Color, Legend
from scdcli.rasters.sidecar import QGIS_VERSION, QML_HEADER

STYLES = "layer_styles"
CREATE_STYLES = f"""
CREATE TABLE {STYLES} (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
    f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT CURRENT_TIMESTAMP
)"""
REGISTER_STYLES = """
INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change)
VALUES (?, 'attributes', ?, 'QGIS layer styles', ?)"""
INSERT_STYLE = f"""
INSERT INTO {STYLES} (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,
    styleQML, styleSLD, useAsDefault, description, owner, ui, update_time)
VALUES ('', '', ?, 'geom', ?, ?, '', 1, 'Transitions', '', '', ?)"""
FILL_OPACITY = 150  # of 255, so that the image below shows
EDGE_WIDTH = "0.5"  # mm


def finish(path: Path, layer: str, style_qml: str | None) -> None:
    """Store the layer's default style, and set all dates to `files.folder.timestamp`.

    Args:
        path: A closed GeoPackage.
        layer: Name of its layer; the geometry column is ``geom``.
        style_qml: QGIS layer style; None leaves the styles out.

    Raises:
        OutputError: ``SOURCE_DATE_EPOCH`` is not a number of seconds.
        sqlite3.Error: The file cannot be written.
    """
    moment = timestamp().strftime("%Y-%m-%dT%H:%M:%S.000Z")  # the format wants milliseconds
    with closing(sqlite3.connect(path)) as database, database:
        if style_qml is not None:
            database.execute(CREATE_STYLES)
            database.execute(REGISTER_STYLES, (STYLES, STYLES, moment))
            database.execute(INSERT_STYLE, (layer, layer, style_qml, moment))
        database.execute("UPDATE gpkg_contents SET last_change = ?", (moment,))


def polygon_qml(legend: Legend, transitions: Iterable[tuple[int, int]]) -> str:
    """A QGIS style that colors polygons by their field ``transition``.

    Args:
        legend: Names and colors.
        transitions: The (from, to) pairs to show in the legend.

    Returns:
        The text of a ``.qml`` file or of a style in a GeoPackage.
    """
    root = ET.Element("qgis", version=QGIS_VERSION, styleCategories="Symbology")
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr="transition")
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (from_class, to_class) in enumerate(transitions):
        ET.SubElement(
            categories,
            "category",
            symbol=str(number),
            value=str(from_class * TRANSITION_BASE + to_class),
            type="long",
            label=legend.transition_name(from_class, to_class),
            render="true",
        )
        _symbol(symbols, number, legend[to_class].color, legend[from_class].color)
    ET.SubElement(root, "layerGeometryType").text = "2"
    ET.indent(root)
    return QML_HEADER + ET.tostring(root, encoding="unicode") + "\n"


def _symbol(symbols: ET.Element, number: int, fill: Color, edge: Color) -> None:
    symbol = ET.SubElement(symbols, "symbol", type="fill", name=str(number), alpha="1")
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill"}, enabled="1")
    options = ET.SubElement(layer, "Option", type="Map")
    values = {
        "color": _rgba(fill, FILL_OPACITY),
        "style": "solid",
        "outline_color": _rgba(edge, 255),
        "outline_style": "solid",
        "outline_width": EDGE_WIDTH,
        "outline_width_unit": "MM",
    }
    for name, value in values.items():
        ET.SubElement(options, "Option", type="QString", name=name, value=value)


def _rgba(color: Color, alpha: int) -> str:
    return ",".join(str(part) for part in (*color, alpha))
