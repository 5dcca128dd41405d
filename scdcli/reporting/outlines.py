"""Outlines of polygons as paths of small drawings, however many vertices and holes they have."""

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.rasters.grid import Grid

SIDE = 100.0
"""Of the square that is drawn in."""
FINEST = 0.5  # of the square, by which an outline may be moved
LONGEST = 20_000  # characters of a path
PIECE = 1000  # vertices


def outline_path(outline: shapely.Polygon, window: Window) -> str:
    """An outline as the path of a drawing in which the longer side of a window is 100.

    Vertices and holes too small to be seen are left out, and more of them where the path would be
    longer than 20 000 characters: a region that winds through a large scene has millions.

    Args:
        outline: In columns and rows of the map.
        window: What is drawn of the map.
    """
    scale = SIDE / max(window.width, window.height)
    every = shapely.get_parts(shapely.boundary(outline))  # the outer ring first
    left, top, right, bottom = shapely.bounds(every).T
    size = np.maximum(right - left, bottom - top) * scale
    tolerance = FINEST
    visible = size >= 2 * tolerance
    visible[0] = True
    corner = (window.col_off, window.row_off)
    rings = [(shapely.get_coordinates(ring) - corner) * scale for ring in every[visible]]
    while True:
        rings = [_thinned(ring, tolerance) for ring in rings]
        path = "".join(_drawn(ring) for ring in rings)
        if len(path) <= LONGEST:
            return path
        tolerance *= 2
        rings[1:] = [ring for ring in rings[1:] if np.ptp(ring, axis=0).max() >= 2 * tolerance]


def in_pixels(outline: shapely.Polygon, grid: Grid) -> shapely.Polygon:
    """A polygon of a map in its columns and rows."""
    inverse = ~grid.transform

    def to_pixels(points: NDArray[np.float64]) -> NDArray[np.float64]:
        cols, rows = inverse @ (points[:, 0], points[:, 1])
        return np.stack([cols, rows], axis=1)

    moved: shapely.Polygon = shapely.transform(outline, to_pixels)
    return moved


def _thinned(ring: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """A closed line (n, 2) without vertices that lie so close to the others' line; closed again.

    Each ring by itself, piece by piece: that rings must not cross takes hours for a million
    vertices, and a piece takes the square of its vertices where it is a comb.
    """
    pieces = [
        shapely.LineString(ring[at : at + PIECE + 1]).simplify(tolerance, preserve_topology=False)
        for at in range(0, len(ring) - 1, PIECE)
    ]
    return np.concatenate([*(shapely.get_coordinates(piece)[:-1] for piece in pieces), ring[-1:]])


def _drawn(ring: NDArray[np.float64]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in ring[:-1]) + "Z"
