"""Polygons as class maps on a scene's grid, window by window: no raster of the whole is made."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.features import rasterize
from rasterio.windows import Window

from scdcli.datasets.drawn import Layer, read_changes, read_layer
from scdcli.errors import DatasetError
from scdcli.files.naming import crs_name
from scdcli.legend import Legend, split_transition
from scdcli.rasters.grid import Grid

# Polygons with more corners are cut to the window first: handing one over takes time per corner.
MANY_CORNERS = 2000


@dataclass(frozen=True)
class Burner:
    """Polygons with a number each, in pixels of a grid.

    Attributes:
        outline: shapely polygons, x is the column and y the row, (N,).
        number: Above 0, (N,) uint16.
        corners: All corners, ring by ring, (M, 2) float64.
        rings: First corner of each ring, and the end of the last.
        polygons: First ring of each polygon, and the end of the last, (N + 1,).
        tree: Finds the polygons of a window.
    """

    outline: NDArray[np.object_]
    number: NDArray[np.uint16]
    corners: NDArray[np.float64]
    rings: NDArray[np.int64]
    polygons: NDArray[np.int64]
    tree: shapely.STRtree

    def read(self, window: Window) -> NDArray[np.uint16]:
        """The number of the polygon at each pixel's center, 0 outside all, (h, w).

        Where polygons overlap, the later one in the file counts.
        """
        height, width = int(window.height), int(window.width)
        left, top = int(window.col_off), int(window.row_off)
        bounds = (left, top, left + width, top + height)
        found = np.sort(self.tree.query(shapely.box(*bounds))).tolist()
        numbers = self.number[found].tolist()
        shapes = ((self._shape(place, bounds), n) for place, n in zip(found, numbers, strict=True))
        wanted = [(shape, number) for shape, number in shapes if shape]
        if not wanted:
            return np.zeros((height, width), dtype=np.uint16)
        burnt: NDArray[np.uint16] = rasterize(
            wanted,
            out_shape=(height, width),
            transform=Affine.translation(left, top),
            dtype="uint16",
        )
        return burnt

    def _shape(self, place: int, bounds: tuple[int, int, int, int]) -> dict[str, Any] | None:
        """A polygon as GeoJSON; of a large one the part in the window and a pixel around it."""
        first, last = self.polygons[place], self.polygons[place + 1]
        ends = self.rings[first : last + 1]
        outline = self.outline[place]
        if ends[-1] - ends[0] >= MANY_CORNERS and shapely.is_valid(outline):
            left, top, right, bottom = bounds
            part = shapely.clip_by_rect(outline, left - 1, top - 1, right + 1, bottom + 1)
            return None if shapely.is_empty(part) else dict(shapely.geometry.mapping(part))
        # A tenth of the time that shapely takes to say the same.
        rings = [self.corners[a:b].tolist() for a, b in pairwise(ends.tolist())]
        return {"type": "Polygon", "coordinates": rings}

    def read_classes(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """From and to classes, (h, w) uint8, where numbers are transitions; 0 outside."""
        return split_transition(self.read(window))


def burn_changes(path: Path, grid: Grid, grid_name: str, legend: Legend | None) -> Burner:
    """Polygons of change on the grid of a scene, numbered by their transition.

    Raises:
        InputError: The file cannot be read.
        DatasetError: It holds no polygons of change, or its CRS does not fit the scene's.
    """
    layer, transition = read_changes(path, legend)
    return _burner(path, layer, transition, grid, grid_name)


def burn_area(path: Path, name: str, grid: Grid, grid_name: str) -> Burner:
    """The polygons of a layer on the grid of a scene, all with the number 1.

    Raises:
        InputError: The file cannot be read.
        DatasetError: It holds no polygons, or its CRS does not fit the scene's.
    """
    layer = read_layer(path, name)
    return _burner(path, layer, np.ones(len(layer.ids), dtype=np.uint16), grid, grid_name)


def _burner(
    path: Path, layer: Layer, number: NDArray[np.uint16], grid: Grid, grid_name: str
) -> Burner:
    outline, owner = shapely.get_parts(_in_crs(path, layer, grid, grid_name), return_index=True)
    to_pixels = np.array(tuple(~grid.transform)[:6]).reshape(2, 3)
    outline = shapely.transform(outline, lambda xy: xy @ to_pixels[:, :2].T + to_pixels[:, 2])
    corners: NDArray[np.float64] = np.empty((0, 2))
    rings: NDArray[Any] = np.zeros(1)
    polygons: NDArray[Any] = np.zeros(1)
    if len(outline):
        _, corners, (rings, polygons) = shapely.to_ragged_array(outline, include_z=False)
    places = (rings.astype(np.int64), polygons.astype(np.int64))
    return Burner(outline, number[owner], corners, *places, shapely.STRtree(outline))


def _in_crs(path: Path, layer: Layer, grid: Grid, grid_name: str) -> NDArray[np.object_]:
    """The outlines in the CRS of the grid."""
    # GeoJSON cannot say that it has no CRS: without one on the grid its coordinates are pixels.
    crs = None if grid.crs is None and path.suffix == ".geojson" else layer.crs
    if (crs is None) != (grid.crs is None):
        raise DatasetError(
            f"{path} has {crs or 'no CRS'} and {grid_name} has {crs_name(grid.crs) or 'no CRS'}; "
            "give the other one a CRS, for example with ogr2ogr -a_srs or gdal_edit.py -a_srs."
        )
    if crs is None or grid.crs is None:
        return layer.outline
    # The libraries carry a PROJ each and share no objects: text goes between them.
    target = grid.crs.to_wkt()
    try:
        move = pyproj.Transformer.from_crs(crs, target, always_xy=True)
        if pyproj.CRS(crs) == pyproj.CRS(target):
            return layer.outline
        moved: NDArray[np.object_] = shapely.transform(
            layer.outline,
            lambda xy: np.column_stack(move.transform(xy[:, 0], xy[:, 1], errcheck=True)),
        )
    except ProjError as error:
        raise DatasetError(
            f"{path} cannot be brought from {crs} to {crs_name(grid.crs)} of {grid_name}: {error}. "
            "Reproject it with ogr2ogr -t_srs."
        ) from error
    return moved
