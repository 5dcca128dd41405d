"""Both images of a pair as small pictures, and parts of them."""

from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.glance import Display, Glanced, display_of, small_shape
from scdcli.rasters.pair.open import Pair
from scdcli.reporting.encoding import resized
from scdcli.reporting.overview import LONGEST


class Photo(NamedTuple):
    """One date: all of it as the page shows it, and a way to look closer."""

    whole: NDArray[np.uint8]  # (h, w, 3)
    display: Display
    grid: Grid

    def look(self, window: Window, longest: int) -> NDArray[np.uint8]:
        """A part, (h, w, 3) uint8, no side longer than so many pixels.

        Raises:
            InputError: The image cannot be read there.
        """
        shape = small_shape((window.height, window.width), longest)
        # A large part is not read again: in a scene without overviews that is all its pixels.
        height, width = (a / b for a, b in zip(self.whole.shape, self.grid.shape, strict=False))
        if shape[0] > window.height * height or shape[1] > window.width * width:
            return self.display.picture(window, shape)
        rows = _span(window.row_off * height, window.height * height)
        cols = _span(window.col_off * width, window.width * width)
        return resized(self.whole[rows, cols], shape)


def _span(start: float, length: float) -> slice:
    """The pixels that a part of an axis touches, but for what is due to rounding."""
    return slice(int(start + 1e-6), ceil(start + length - 1e-6))


Photos = tuple[Photo, Photo]
"""Before and after."""


def take_photos(pair: Pair) -> Photos:
    """Both dates of an open pair.

    Raises:
        InputError: An image cannot be read.
    """
    before, after = (_take(source, pair.grid) for source in pair.glances)
    return before, after


def _take(source: Glanced, grid: Grid) -> Photo:
    window = Window(0, 0, grid.width, grid.height)
    pixels = source.read(window, small_shape(grid.shape, LONGEST))
    display = display_of(source, pixels)
    return Photo(display.colors(pixels), display, grid)
