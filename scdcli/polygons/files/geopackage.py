"""What GDAL does not write into a GeoPackage: the layer's style, and dates that can be repeated."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

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


def finish(path: Path, layer: str, style_qml: str | None) -> None:
    """Store the layer's default style and date everything alike.

    The date is now, or SOURCE_DATE_EPOCH where that is set.

    Args:
        path: A closed GeoPackage.
        layer: Name of its layer; the geometry column is ``geom``.
        style_qml: QGIS layer style; None leaves the styles out.

    Raises:
        sqlite3.Error: The file cannot be written.
    """
    moment = _moment()
    with closing(sqlite3.connect(path)) as database, database:
        if style_qml is not None:
            database.execute(CREATE_STYLES)
            database.execute(REGISTER_STYLES, (STYLES, STYLES, moment))
            database.execute(INSERT_STYLE, (layer, layer, style_qml, moment))
        database.execute("UPDATE gpkg_contents SET last_change = ?", (moment,))


def _moment() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(int(epoch), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
