"""What GDAL does not write into a GeoPackage: styles of the layer, dates that can be repeated."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from scdcli.files.folder import timestamp

STYLES = "layer_styles"
CREATE_STYLES = f"""
CREATE TABLE IF NOT EXISTS {STYLES} (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
    f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT CURRENT_TIMESTAMP
)"""
REGISTER_STYLES = """
INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier, description, last_change)
VALUES (?, 'attributes', ?, 'QGIS layer styles', ?)"""
INSERT_STYLE = f"""
INSERT INTO {STYLES} (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,
    styleQML, styleSLD, useAsDefault, description, owner, ui, update_time)
VALUES ('', '', ?, 'geom', ?, ?, '', ?, ?, '', '', ?)"""


def finish(path: Path, layer: str, styles: Mapping[str, str]) -> None:
    """Store the layer's styles, and set all dates to `files.folder.timestamp`.

    Args:
        path: A closed GeoPackage.
        layer: Name of its layer; the geometry column is ``geom``.
        styles: QGIS layer styles by name, the default one first; without any the table of styles
            is left out.

    Raises:
        OutputError: ``SOURCE_DATE_EPOCH`` is not a number of seconds.
        sqlite3.Error: The file cannot be written.
    """
    moment = timestamp().strftime("%Y-%m-%dT%H:%M:%S.000Z")  # the format wants milliseconds
    with closing(sqlite3.connect(path)) as database, database:
        if styles:
            database.execute(CREATE_STYLES)
            database.execute(REGISTER_STYLES, (STYLES, STYLES, moment))
        for number, (name, qml) in enumerate(styles.items()):
            row = (layer, name, qml, number == 0, f"{layer} by {name}", moment)
            database.execute(INSERT_STYLE, row)
        database.execute("UPDATE gpkg_contents SET last_change = ?", (moment,))
