"""Polygons as class maps on a scene's grid, window by window: no raster of the whole is made."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.features import rasterize
from rasterio.windows import Window

from scdcli.changelayer import Layer, read_changes, read_layer
from scdcli.errors import DatasetError
from scdcli.grid import Grid
from scdcli.legend import Legend, split_transition
from scdcli.naming import crs_name

# Polygons with more corners are cut to the window first: handing one over takes time per corner.
MANY_CORNERS = 2000


@dataclass(frozen=True)
class Burner:
    """Polygons with a number each, in pixels of a grid.

    Attributes:
        outline: shapely polygons, x is the column and y the row, (N,).
        number: Above 0, (N,) uint16.
        tree: Finds the polygons of a window.
    """

    outline: NDArray[np.object_]
    number: NDArray[np.uint16]
    tree: shapely.STRtree

    def read(self, window: Window) -> NDArray[np.uint16]:
        """The number of the polygon at each pixel's center, 0 outside all, (h, w).

        Where polygons overlap, the later one in the file counts.
        """
        shape = int(window.height), int(window.width)
        left, top = int(window.col_off), int(window.row_off)
        bounds = (left, top, left + shape[1], top + shape[0])
        found = np.sort(self.tree.query(shapely.box(*bounds)))
        if not len(found):
            return np.zeros(shape, dtype=np.uint16)
        shapes = [_cut(outline, bounds) for outline in self.outline[found]]
        pairs = zip(shapes, self.number[found].tolist(), strict=True)
        burnt: NDArray[np.uint16] = rasterize(
            [pair for pair in pairs if not shapely.is_empty(pair[0])]
            or [(shapely.box(-2, -2, -1, -1), 1)],
            out_shape=shape,
            transform=Affine.translation(left, top),
            dtype="uint16",
        )
        return burnt

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
    outline = _in_crs(path, layer, grid, grid_name)
    to_pixels = np.array(tuple(~grid.transform)[:6]).reshape(2, 3)
    outline = shapely.transform(outline, lambda xy: xy @ to_pixels[:, :2].T + to_pixels[:, 2])
    return Burner(outline, number, shapely.STRtree(outline))


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


def _cut(outline: shapely.Geometry, bounds: tuple[int, int, int, int]) -> shapely.Geometry:
    """A large polygon cut to the window and a pixel around it; others as they are."""
    if shapely.get_num_coordinates(outline) < MANY_CORNERS or not shapely.is_valid(outline):
        return outline
    left, top, right, bottom = bounds
    return shapely.clip_by_rect(outline, left - 1, top - 1, right + 1, bottom + 1)
