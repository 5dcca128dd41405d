"""Longitudes that differ by whole turns: scenes across the antimeridian, and from 0 to 360."""

import re
from dataclasses import replace

import numpy as np
from affine import Affine
from pyproj.exceptions import ProjError
from rasterio.crs import CRS

from scdcli.rasters.alignment import edge_points
from scdcli.rasters.grid import Grid

TURN = 360.0  # degrees
PRIME_MERIDIAN = re.compile(r'PRIMEM\["[^"]*",([^,\]]+)(,AUTHORITY\["[^"]*","[^"]*"\])?\]')
NUMBER = re.compile(r',AUTHORITY\["[^"]*","[^"]*"\]\]$')  # of the whole, which it no longer is


def on_one_turn(before: Grid, after: Grid) -> Grid:
    """AFTER's grid, with longitudes that meet those of BEFORE where both mean the same place.

    Most pairs are left as they are. Where BEFORE is geographic too, AFTER is turned by multiples of
    360 degrees. Elsewhere its longitudes count from its own middle, so that no place it shows is
    beyond the 180 degrees at which a transformation starts anew.
    """
    if before.crs is None or after.crs is None or not after.crs.is_geographic:
        return after
    middles = [(grid.bounds[0] + grid.bounds[2]) / 2 for grid in (before, after)]
    if before.crs == after.crs:
        return _moved(after, TURN * round((middles[0] - middles[1]) / TURN))
    try:
        longitudes = edge_points(before, after.crs)[0]
    except ProjError:  # which `align` refuses with both names
        return after
    reaches = after.bounds[0] < -TURN / 2 or after.bounds[2] > TURN / 2
    if not reaches and not (np.isfinite(longitudes).all() and np.ptp(longitudes) > TURN / 2):
        return after
    return replace(_moved(after, -middles[1]), crs=_counted_from(after.crs, middles[1]))


def _moved(grid: Grid, degrees: float) -> Grid:
    transform = Affine.translation(degrees, 0) @ grid.transform if degrees else grid.transform
    return replace(grid, transform=transform)


def _counted_from(crs: CRS, degrees: float) -> CRS:
    """The CRS with another prime meridian."""

    def other(found: re.Match[str]) -> str:
        return f'PRIMEM["middle of the image",{float(found[1]) + degrees!r}]'

    wkt = PRIME_MERIDIAN.sub(other, crs.to_wkt())
    return CRS.from_wkt(NUMBER.sub("]", wkt))
