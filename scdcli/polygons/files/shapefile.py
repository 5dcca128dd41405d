"""What a shapefile cannot do: names longer than ten characters, and more than two gigabytes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from scdcli.errors import OutputError
from scdcli.polygons.files.features import outlines_of

SHORT_NAMES = {"perimeter_m": "perim_m", "perimeter_px": "perim_px"}
"""Of columns with longer names than a shapefile holds: GDAL cuts off after ten characters."""

MOST_BYTES = 2_000_000_000  # much software reads offsets as signed 32-bit numbers

RECORD = 8 + 44  # bytes of a polygon besides its rings
PART = 4
VERTEX = 16


def changed_names(unit: str) -> dict[str, str]:
    """The columns that a shapefile has under another name, where lengths are in this unit."""
    return {name: short for name, short in SHORT_NAMES.items() if name.endswith(f"_{unit}")}


def with_short_names(features: pa.Table) -> pa.Table:
    """The features with the columns' names in a shapefile."""
    return features.rename_columns([SHORT_NAMES.get(name, name) for name in features.column_names])


def require_room(path: Path, batch: pa.RecordBatch) -> None:
    """Refuse to let a shapefile grow over two gigabytes.

    Raises:
        OutputError: It would become too large.
    """
    outlines = outlines_of(batch)
    shapes = (
        RECORD * len(outlines)
        + PART * int(np.sum(1 + shapely.get_num_interior_rings(outlines)))
        + VERTEX * int(np.sum(shapely.get_num_coordinates(outlines)))
    )
    table = path.with_suffix(".dbf")
    rows = _record_length(table) * len(outlines)
    for file, more in ((path, shapes), (table, rows)):
        if file.stat().st_size + more > MOST_BYTES:
            raise OutputError(
                f"{file.name} would become larger than {MOST_BYTES:,} bytes, the most a shapefile "
                "may have; write gpkg or fgb instead, or fewer polygons with --mmu, or fewer "
                "vertices with --simplify."
            )


def _record_length(table: Path) -> int:
    with table.open("rb") as file:
        file.seek(10)
        return int.from_bytes(file.read(2), "little")
