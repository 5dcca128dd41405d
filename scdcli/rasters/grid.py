"""The place of a scene on Earth: one immutable object instead of four loose arguments."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

UNPLACED = Affine.scale(1.0, -1.0)
"""Of a file without CRS and place: x is the column, y minus the row, as GIS programs draw it."""


@dataclass(frozen=True)
class Grid:
    """Height and width in pixels, affine transform (pixel to map), and CRS (None: pixel grid)."""

    height: int
    width: int
    transform: Affine
    crs: CRS | None

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in CRS units (the envelope when the grid is rotated)."""
        corners = [
            self.transform @ (col, row) for col in (0, self.width) for row in (0, self.height)
        ]
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Width and height of a pixel in CRS units, both positive."""
        a, b, _, d, e, _ = tuple(self.transform)[:6]
        return (a * a + d * d) ** 0.5, (b * b + e * e) ** 0.5


def spread_windows(shape: tuple[int, int], side: int, count: int) -> Iterator[Window]:
    """Windows of ``side`` pixels, up to ``count`` per axis, spread evenly over a grid.

    Args:
        shape: (height, width) of the grid, all of which is covered where it is small.
        side: Height and width of a window, less at the edge of a small grid.
        count: Windows along either axis.
    """
    height, width = shape
    for row in spread(height, side, count):
        for col in spread(width, side, count):
            yield Window(col, row, min(side, width - col), min(side, height - row))


def spread(length: int, side: int, count: int) -> list[int]:
    """Starts of ``count`` pieces of ``side`` pixels along an axis; all of it where it is short."""
    if length <= side * count:
        return list(range(0, length, side))
    if count == 1:
        return [(length - side) // 2]
    return [round(start) for start in np.linspace(0, length - side, count)]
