"""GeoParquet 1.1 in row groups, by Arrow itself: GDAL's wheels come without its Parquet driver."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from pyarrow import parquet
from pyproj import CRS

from scdcli.polygons.files.features import GEOMETRY, outlines_of

ROWS = 50_000  # of a row group; readers skip whole groups
VERSION = "1.1.0"


def write_geoparquet(path: Path, crs: str | None, features: pa.RecordBatchReader) -> None:
    """Write batches of `features.feature_schema` as GeoParquet.

    The CRS of the outlines is WKT; None leaves it unknown (pixels).

    Raises:
        OSError: The file cannot be written.
    """
    schema = features.schema
    waiting: list[pa.RecordBatch] = []
    bounds: list[np.ndarray] = []
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_batches(waiting, schema).combine_chunks())
            waiting.clear()

        for batch in features:
            waiting.append(batch)
            bounds.append(shapely.total_bounds(outlines_of(batch)))
            if sum(map(len, waiting)) >= ROWS:
                flush()
        flush()
        writer.add_key_value_metadata({"geo": json.dumps(_metadata(crs, bounds))})


def _metadata(crs: str | None, bounds: list[np.ndarray]) -> dict[str, Any]:
    """The file's ``geo`` entry; a missing CRS would mean longitude and latitude, so it is null."""
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        "crs": None if crs is None else CRS.from_wkt(crs).to_json_dict(),
        "orientation": "counterclockwise",
        "edges": "planar",
    }
    if bounds:
        each = np.stack(bounds)
        column["bbox"] = [*each[:, :2].min(axis=0).tolist(), *each[:, 2:].max(axis=0).tolist()]
    return {"version": VERSION, "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
