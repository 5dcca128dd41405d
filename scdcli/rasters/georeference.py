"""Where a file lies: on its own grid, in a CRS that the user names, or by ground control points."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.io import DatasetReader
from rasterio.transform import GCPTransformer, from_gcps
from rasterio.warp import calculate_default_transform

from scdcli.errors import InputError, PairError
from scdcli.files.naming import name_of
from scdcli.rasters.grid import UNPLACED, Grid
from scdcli.rasters.limits import FOREIGN_ERRORS
from scdcli.rasters.scene import ByPoints, Scene, scene_grid

FEWEST_POINTS = 3


def read_crs(text: str, option: str) -> CRS:
    """A CRS as the user writes it: ``EPSG:32650``, WKT, PROJJSON or a PROJ string.

    Raises:
        PairError: It is none.
    """
    try:
        return CRS.from_user_input(text)
    except (CRSError, ValueError) as error:
        raise PairError(
            f"{option} {name_of(text)} is no CRS that is known; give one such as EPSG:32650, WKT "
            "or a PROJ string."
        ) from error


def place_scene(dataset: DatasetReader, path: str | Path, assumed: CRS | None = None) -> Scene:
    """The scene with the grid it lies on.

    Args:
        dataset: The open file.
        path: Its name.
        assumed: CRS of a file that has a place but no CRS; one that the file has is never replaced.

    Raises:
        InputError: It is placed by a sensor model, or by too few points, or by points without CRS.
    """
    points, crs = dataset.gcps
    if dataset.crs is None and points:
        return _by_points(dataset, path, points, crs or assumed)
    grid = scene_grid(dataset, path)
    if grid.crs is None and grid.transform != UNPLACED:
        grid = replace(grid, crs=assumed)
    return Scene(path, dataset, grid)


def _by_points(
    dataset: DatasetReader, path: str | Path, points: list[GroundControlPoint], crs: CRS | None
) -> Scene:
    if crs is None:
        raise InputError(
            f"{name_of(path)} is placed by {len(points)} ground control points without a CRS; name "
            "it with --assume-crs, for example --assume-crs EPSG:4326."
        )
    try:
        if len(points) < FEWEST_POINTS:
            raise ValueError(f"at least {FEWEST_POINTS} are needed")
        transform, width, height = calculate_default_transform(
            crs, crs, dataset.width, dataset.height, gcps=points
        )
        about = Grid(dataset.height, dataset.width, from_gcps(points), crs)
        residual = _residual(points)
    except (*FOREIGN_ERRORS, ValueError) as error:
        raise InputError(
            f"{name_of(path)} is placed by {len(points)} ground control points, which give no "
            f"position: {error}. Mend them with gdal_edit.py -gcp, or warp the file yourself."
        ) from error
    grid = Grid(height, width, transform, crs)
    return Scene(path, dataset, grid, ByPoints(len(points), residual, about))


def _residual(points: list[GroundControlPoint]) -> float:
    """Largest distance in pixels of a point from where the polynomial through all puts it."""
    with GCPTransformer(points) as fitted:
        rows, cols = fitted.rowcol([p.x for p in points], [p.y for p in points], op=np.asarray)
    apart = np.hypot(rows - [p.row for p in points], cols - [p.col for p in points])
    return float(np.max(apart))
