"""Polygons of small maps, written and read back in every vector format."""

import json

import numpy as np
import pyogrio
import shapely
from affine import Affine
from pyarrow import parquet
from rasterio.crs import CRS

from scdcli.legend import SECOND
from scdcli.polygons.area import measure_ground
from scdcli.polygons.files.shapefile import SHORT_NAMES
from scdcli.polygons.files.vector import write_polygons
from scdcli.polygons.strips import Strip, find_runs
from scdcli.polygons.trace.trace import trace
from scdcli.rasters.grid import Grid

UTM = CRS.from_epsg(32632)
TRANSFORM = Affine(10, 0, 5e5, 0, -10, 5e6)
GRID = Grid(3, 3, TRANSFORM, UTM)
CODES = np.array([[101, 0, 305], [101, 101, 0], [65535, 0, 203]], dtype=np.uint16)


def write(folder, codes=CODES, *, height=2, crs=UTM, transform=TRANSFORM, legend=SECOND, **options):
    """Write the polygons of a map, read in strips of some height."""
    grid = Grid(*codes.shape, transform, crs)
    ground = measure_ground(grid)
    strips = (
        Strip(row, codes[row : row + height], np.full_like(codes[row : row + height], 80, np.uint8))
        for row in range(0, len(codes), height)
    )
    tolerance = options.pop("tolerance", 0.0)
    polygons = trace(find_runs(strips, ground), grid, ground, tolerance=tolerance)
    return write_polygons(folder, polygons, grid, ground, legend, **options)


def read(path):
    """Column name to values by id, geometries as ``outline``; a shapefile's under our names."""
    fields, geometry, columns = _read_parquet(path) if path.suffix == ".parquet" else _read(path)
    ours = {short: name for name, short in SHORT_NAMES.items()} if path.suffix == ".shp" else {}
    table = {ours.get(name, name): column for name, column in zip(fields, columns, strict=True)}
    table["outline"] = shapely.from_wkb(geometry)
    order = np.argsort(table["id"]) if "id" in table else []  # FlatGeobuf sorts by place
    return {name: column[order] for name, column in table.items()}


def _read(path):
    about, _, geometry, columns = pyogrio.raw.read(path, layer="changes")
    return about["fields"].tolist(), geometry, columns


def _read_parquet(path):
    table = parquet.read_table(path)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    geometry = columns.pop("geometry")
    return list(columns), geometry, list(columns.values())


def geo(path):
    """The ``geo`` entry of a GeoParquet file."""
    return json.loads(parquet.read_metadata(path).metadata[b"geo"])
