"""GeoJSON as RFC 7946 wants it: longitude and latitude, seven decimals, cut at the antimeridian."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from scdcli.errors import OutputError
from scdcli.polygons.files.features import GEOMETRY, outlines_of
from scdcli.rasters.alignment import moved
from scdcli.rasters.grid import Grid

DECIMALS = 7  # of a degree: about a centimetre
HALF_TURN = 180.0
FULL_TURN = np.array([360.0, 0.0])
WGS84 = "OGC:CRS84"
SAMPLES = 9  # per side of a grid, to know whether any of it lies on the Earth

Outlines = NDArray[np.object_]


def require_lonlat(grid: Grid) -> None:
    """Refuse a grid without longitude and latitude on the Earth.

    Raises:
        OutputError: Its CRS is of another planet or of a building site, or it lies off the Earth.
    """
    if grid.crs is None:
        return  # pixels are written as they are
    source = CRS.from_wkt(grid.crs.to_wkt())
    cols, rows = np.meshgrid(*(np.linspace(0, size, SAMPLES) for size in (grid.width, grid.height)))
    try:
        transformer = Transformer.from_crs(source, WGS84, always_xy=True)
        points = moved(grid.transform, np.stack([cols.ravel(), rows.ravel()]))
        lon, _ = transformer.transform(*points)
    except ProjError:
        lon = np.full(1, np.inf)
    if not np.isfinite(lon).any():
        raise OutputError(
            f"geojson holds longitude and latitude on the Earth, and nothing leads there from the "
            f"CRS {source.name!r} of BEFORE; write gpkg or another format with --vector instead."
        )


def write_geojson(path: Path, name: str, crs: str | None, features: pa.RecordBatchReader) -> None:
    """Write batches of `features.feature_schema` as a feature collection.

    The CRS of the outlines is WKT; None leaves the coordinates as they are (pixels).

    Raises:
        OutputError: An outline has no longitude and latitude.
        OSError: The file cannot be written.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{"type": "FeatureCollection", "name": {json.dumps(name)}, "features": [')
        separator = "\n"
        for batch in features:
            for feature in _feature_texts(batch, crs):
                file.write(separator + feature)
                separator = ",\n"
        file.write("\n]}\n")


def _feature_texts(batch: pa.RecordBatch, crs: str | None) -> Iterator[str]:
    outlines = outlines_of(batch)
    geometries = shapely.to_geojson(outlines if crs is None else _lonlat(outlines, crs))
    for geometry, row in zip(geometries, batch.to_pylist(), strict=True):
        del row[GEOMETRY]
        properties = json.dumps(row, ensure_ascii=False)
        yield f'{{"type": "Feature", "properties": {properties}, "geometry": {geometry}}}'


def _lonlat(outlines: Outlines, crs: str) -> Outlines:
    """Outlines on WGS 84, exterior rings counter-clockwise, longitudes between -180 and 180."""
    cut = _cut_at_antimeridian(lonlat_outlines(outlines, crs))
    wound: Outlines = shapely.orient_polygons(
        shapely.transform(cut, lambda xy: np.round(xy, DECIMALS))
    )
    return wound


def lonlat_outlines(outlines: Outlines, crs: str) -> Outlines:
    """Outlines on WGS 84; those across the antimeridian reach beyond 180 degrees.

    Raises:
        OutputError: An outline has no longitude and latitude.
    """
    source = CRS.from_wkt(crs)
    transformer = Transformer.from_crs(source, WGS84, always_xy=True)

    def place(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(transformer.transform(xy[:, 0], xy[:, 1]), axis=1)

    placed: Outlines = shapely.transform(outlines, place)
    if not np.isfinite(shapely.get_coordinates(placed)).all():
        raise OutputError(
            f"a polygon reaches beyond the Earth as {source.name!r} shows it and has no longitude "
            "and latitude there; write gpkg or fgb instead of geojson."
        )
    widest = _widths(outlines) + 1 if source.is_geographic else HALF_TURN
    jumps = np.flatnonzero(_widths(placed) > widest)  # from one side of the map to the other
    placed[jumps] = shapely.transform(
        placed[jumps], lambda xy: np.where(xy[:, :1] < 0, xy + FULL_TURN, xy)
    )
    return placed


def _widths(outlines: Outlines) -> NDArray[np.float64]:
    west, _, east, _ = shapely.bounds(outlines).T
    width: NDArray[np.float64] = east - west
    return width


def _cut_at_antimeridian(outlines: Outlines) -> Outlines:
    """Outlines between -180° and 180°: those across the antimeridian are cut in two."""
    west, _, east, _ = shapely.bounds(outlines).T
    first = np.floor((west + HALF_TURN) / 360).astype(int)  # turns around the Earth
    last = np.ceil((east - HALF_TURN) / 360).astype(int)
    for index in np.flatnonzero((first != 0) | (last != 0)):
        parts = [
            _part_of_turn(outlines[index], turn) for turn in range(first[index], last[index] + 1)
        ]
        polygons = np.concatenate([shapely.get_parts(part) for part in parts])
        # where an outline only touches the antimeridian, a line or point is left
        polygons = polygons[shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON]
        outlines[index] = polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)
    return outlines


def _part_of_turn(outline: shapely.Polygon, turn: int) -> shapely.Geometry:
    box = shapely.box(-HALF_TURN, -90, HALF_TURN, 90)
    moved = shapely.transform(outline, lambda xy: xy - turn * FULL_TURN)
    return shapely.intersection(moved, box)
