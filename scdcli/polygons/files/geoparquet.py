"""GeoParquet 1.1, written in row groups with pyarrow, which is an optional part of the install."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from pyproj import CRS

from scdcli.errors import OutputError
from scdcli.polygons.files.features import Features

if TYPE_CHECKING:
    import pyarrow as pa

GEOMETRY = "geometry"
ROWS = 50_000  # of a row group; readers skip whole groups
VERSION = "1.1.0"


def require_pyarrow() -> None:
    """Refuse the format where its library is missing.

    Raises:
        OutputError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise OutputError(
            "the vector format parquet needs pyarrow, which is not installed; "
            "add it with: pip install 'scdcli[parquet]', or choose gpkg or fgb."
        )


@contextmanager
def open_geoparquet(
    path: Path, crs: str | None, empty: Features
) -> Iterator[Callable[[Features], None]]:
    """A function that appends features to a new GeoParquet file.

    Args:
        path: File to write.
        crs: WKT of the outlines' CRS; None leaves it unknown (pixels).
        empty: The columns, without a feature.

    Raises:
        OutputError: pyarrow is not installed.
        OSError: The file cannot be written.
    """
    require_pyarrow()
    import pyarrow as pa
    from pyarrow import parquet

    waiting: list[pa.Table] = []
    bounds: list[np.ndarray] = []
    try:
        schema = _table(empty).schema
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:

            def flush() -> None:
                writer.write_table(pa.concat_tables(waiting).combine_chunks())
                waiting.clear()

            def put(features: Features) -> None:
                waiting.append(_table(features))
                bounds.append(shapely.total_bounds(features.outline))
                if sum(map(len, waiting)) >= ROWS:
                    flush()

            yield put
            waiting.append(_table(empty))
            flush()
            writer.add_key_value_metadata({"geo": json.dumps(_metadata(crs, bounds))})
    except pa.ArrowException as error:
        raise OSError(f"{path.name}: {error}") from error


def _table(features: Features) -> "pa.Table":
    import pyarrow as pa

    columns = {GEOMETRY: pa.array(shapely.to_wkb(features.outline), pa.binary())}
    for name, column in features.columns.items():
        columns[name] = pa.array(column, pa.string() if column.dtype == object else None)
    return pa.table(columns)


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
