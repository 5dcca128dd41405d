"""The polygons of many predictions as one layer, which says of each where it comes from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyogrio
import shapely
from rasterio.crs import CRS

from scdcli.errors import OutputError
from scdcli.legend import Legend
from scdcli.polygons.area import measure_ground
from scdcli.polygons.files.features import (
    CHUNK,
    GEOMETRY,
    feature_schema,
    number_features,
    outlines_of,
)
from scdcli.polygons.files.geojson import lonlat_outlines, require_lonlat
from scdcli.polygons.files.vector import FOREIGN_ERRORS, LAYER, write_features
from scdcli.polygons.strips import find_runs, read_strips
from scdcli.polygons.trace.trace import trace
from scdcli.rasters.alignment import TOLERANCE, moved
from scdcli.rasters.crs import place_alike
from scdcli.rasters.grid import Grid

PAIR = "pair"
LONLAT = CRS.from_epsg(4326)
READ = ("gpkg", "fgb")
"""Formats that hold the polygons as they are, coordinates and columns, and are read in batches."""


class Part(NamedTuple):
    """A finished prediction, as far as its polygons go."""

    name: str
    folder: Path
    grid: Grid
    legend: Legend
    simplify: float  # map units


def common_crs(parts: Sequence[Part]) -> tuple[CRS | None, list[Part], list[Part]]:
    """Where one layer can hold the polygons of all.

    Returns:
        The CRS of the maps, if they have one in common; longitude and latitude on WGS 84 if not;
        None if no map lies anywhere. Then the maps that can be shown in it, and the others.
    """
    placed = [part for part in parts if part.grid.crs is not None]
    others = [part for part in parts if part.grid.crs is None]
    if not placed:
        return None, [], others
    first = placed[0].grid.crs
    if all(_alike(part.grid, first) for part in placed):
        return first, placed, others
    on_earth = [part for part in placed if _has_lonlat(part.grid)]
    return LONLAT, on_earth, [part for part in parts if part not in on_earth]


def write_merged(
    folder: Path,
    parts: Sequence[Part],
    crs: CRS,
    *,
    formats: Iterable[str],
    styles: Mapping[str, str],
) -> list[Path]:
    """Write the polygons of several predictions as ``changes.<format>`` into a folder.

    Their columns are those of a single prediction and ``pair``, the name; ``id`` counts through.
    They are read and written in batches, whatever their number. The parts are those that
    `common_crs` has chosen; earlier files of these names are replaced.

    Raises:
        InputError: A map cannot be read.
        OutputError: The files cannot be written, or one of them would become too large.
    """
    schema = _schema()
    return write_features(
        folder,
        _numbered(parts, crs, schema),
        schema,
        crs.to_wkt(),
        formats=formats,
        styles=styles,
    )


def _alike(grid: Grid, crs: CRS | None) -> bool:
    assert grid.crs is not None
    assert crs is not None
    corners = np.array([(x, y) for x in (0, grid.width) for y in (0, grid.height)], dtype=float)
    points = moved(grid.transform, corners.T)
    return place_alike(grid.crs, crs, points, TOLERANCE * min(grid.pixel_size))


def _has_lonlat(grid: Grid) -> bool:
    try:
        require_lonlat(grid)
    except OutputError:
        return False
    return True


def _schema() -> pa.Schema:
    fields = list(feature_schema("m"))
    return pa.schema([*fields[:2], pa.field(PAIR, pa.string()), *fields[2:]])


def _numbered(parts: Sequence[Part], crs: CRS, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    first = 1
    for part in parts:
        assert part.grid.crs is not None
        own = None if _alike(part.grid, crs) else part.grid.crs.to_wkt()
        for batch in _features(part):
            count = len(batch)
            columns = {name: batch[name] for name in batch.schema.names}
            columns["id"] = pa.array(np.arange(first, first + count), pa.int64())
            columns[PAIR] = pa.array([part.name] * count, pa.string())
            if own is not None:
                columns[GEOMETRY] = shapely.to_wkb(lonlat_outlines(outlines_of(batch), own))
            arrays = [pa.array(columns[field.name], field.type) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
            first += count


def _features(part: Part) -> Iterator[pa.RecordBatch]:
    """The polygons of a prediction: from a file of it, else traced again from its maps."""
    schema = feature_schema("m")
    for name in READ:
        path = part.folder / f"{LAYER}.{name}"
        if path.is_file() and (found := _read(path, schema)) is not None:
            yield from found
            return
    ground = measure_ground(part.grid)
    maps = (part.folder / "transition.tif", part.folder / "probability.tif")
    polygons = trace(
        find_runs(read_strips(*maps), ground), part.grid, ground, tolerance=part.simplify
    )
    yield from number_features(polygons, ground, part.legend)


def _read(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch] | None:
    """The features of a file in batches; None where it has other columns or cannot be read."""
    try:
        about = pyogrio.read_info(path, layer=LAYER)
    except FOREIGN_ERRORS:
        return None
    if not set(schema.names) - {GEOMETRY} <= set(about["fields"].tolist()):
        return None
    return _batches(path, schema)


def _batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with pyogrio.raw.open_arrow(path, layer=LAYER, batch_size=CHUNK, use_pyarrow=True) as (
        about,
        reader,
    ):
        names = [about["geometry_name"] or "wkb_geometry", *schema.names[1:]]
        for batch in reader:
            arrays = [
                batch[name].cast(field.type) for name, field in zip(names, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
