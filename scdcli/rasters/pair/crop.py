"""A part of a grid: the pixels that touch given bounds, on the same lattice."""

from dataclasses import replace

import numpy as np
from affine import Affine
from pyproj.exceptions import ProjError
from rasterio.crs import CRS

from scdcli.errors import PairError
from scdcli.files.naming import crs_name
from scdcli.rasters.alignment import Points, bounds_text, moved, reproject_points
from scdcli.rasters.grid import Grid

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top."""

EDGE_POINTS = 33  # per side, so that a side that bends in the other CRS is followed
TOUCH = 1e-6  # pixels: bounds that end on an edge do not touch the pixel beyond it


def crop_to_bounds(grid: Grid, bounds: Bounds, crs: CRS | None, name: str) -> Grid:
    """The part of a grid that touches bounds given by the user.

    Args:
        grid: The whole.
        bounds: Left, bottom, right, top.
        crs: What the bounds are in; None for the CRS of the grid.
        name: Whose grid it is, for the errors.

    Raises:
        PairError: The bounds lie outside the grid, or cannot be brought into its CRS.
    """
    if crs is not None and grid.crs is None:
        raise PairError(
            f"--bounds-crs is {crs_name(crs)}, but {name} has no CRS; give --bounds in pixels of "
            "the image: left, bottom, right, top."
        )
    left, bottom, right, top = bounds
    across, up = np.linspace(left, right, EDGE_POINTS), np.linspace(bottom, top, EDGE_POINTS)
    xs = np.concatenate([across, across, np.full_like(up, left), np.full_like(up, right)])
    ys = np.concatenate([np.full_like(across, bottom), np.full_like(across, top), up, up])
    points = np.stack([xs, ys])
    if crs is not None and grid.crs is not None and crs != grid.crs:
        points = _in_crs(points, crs, grid.crs)
    part = crop_to_pixels(grid, moved(~grid.transform, points))
    if part is None:
        unit = crs_name(crs or grid.crs) or "pixels"
        given = ", ".join(f"{value:.10g}" for value in bounds)
        raise PairError(
            f"--bounds {given} ({unit}) lie outside {name}, which covers "
            f"{bounds_text(grid, grid)} (left, bottom, right, top in "
            f"{crs_name(grid.crs) or 'pixels'}). Name the CRS of the bounds with --bounds-crs if "
            "it is another one."
        )
    return part


def crop_to_pixels(grid: Grid, points: Points) -> Grid | None:
    """The part of a grid around points, given as (col, row); None where they lie outside."""
    size = np.array([grid.width, grid.height])
    first = np.clip(np.floor(points.min(axis=1) + TOUCH), 0, size).astype(int)
    last = np.clip(np.ceil(points.max(axis=1) - TOUCH), 0, size).astype(int)
    width, height = (last - first).tolist()
    if width <= 0 or height <= 0:
        return None
    transform = grid.transform @ Affine.translation(*first.tolist())
    return replace(grid, height=height, width=width, transform=transform)


def _in_crs(points: Points, crs: CRS, target: CRS) -> Points:
    try:
        found = reproject_points(crs, target, points)
    except ProjError as error:
        raise PairError(
            f"--bounds cannot be brought from {crs_name(crs)} to {crs_name(target)}: {error}. Give "
            "them in the CRS of the image."
        ) from error
    if not np.isfinite(found).all():
        raise PairError(
            f"--bounds reach beyond what {crs_name(target)} can express; give them in that CRS."
        )
    return found
