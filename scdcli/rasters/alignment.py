"""How AFTER lies on the BEFORE grid: pixel on pixel, shifted by whole pixels, or to be warped."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import shapely
from affine import Affine
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from scdcli.errors import PairError
from scdcli.files.naming import crs_name
from scdcli.rasters.crs import Placed, Points, no_way, place_alike, reproject_points
from scdcli.rasters.grid import UNPLACED, Grid

TOLERANCE = 1e-3  # pixels; two grids that agree this well anywhere in AFTER are one grid
EDGE_POINTS = 33  # per side, so that a side that bends in the other CRS is followed
TURN = 360.0  # degrees
PRIME_MERIDIAN = re.compile(r'PRIMEM\["[^"]*",([^,\]]+)(,AUTHORITY\["[^"]*","[^"]*"\])?\]')
NUMBER = re.compile(r',AUTHORITY\["[^"]*","[^"]*"\]\]$')  # of the whole, which it no longer is


@dataclass(frozen=True)
class Alignment:
    """Where AFTER lies.

    Attributes:
        grid: Where the BEFORE grid lies for AFTER: moved the other way when AFTER is moved.
        offset: (row, col) of AFTER's first pixel on the BEFORE grid; None when it must be warped.
        share: Share of the BEFORE grid that AFTER covers, above 0 to 1.
        detail: Pixels of AFTER along the side of a pixel of BEFORE.
        window: The part of AFTER, in its own pixels, that lies on the BEFORE grid.
        differences: How the grids differ, one phrase with both values each; empty when equal.
    """

    grid: Grid
    offset: tuple[int, int] | None
    share: float
    detail: float
    window: Window
    differences: tuple[str, ...]


def align(
    before: Grid,
    after: Grid,
    names: tuple[str, str],
    shift: tuple[float, float] = (0.0, 0.0),
    part: Grid | None = None,
) -> Alignment:
    """How the second grid lies on the first.

    Args:
        before: Grid of the earlier scene, which rules.
        after: Grid of the later scene.
        names: Both files, for the errors.
        shift: (rows, cols) of the BEFORE grid by which AFTER is moved, down and right.
        part: The part of the BEFORE grid that is read; all of it by default.

    Raises:
        PairError: Only one has a CRS, neither has one and the sizes differ, or they do not overlap.
    """
    part = part or before
    if before.crs is None or after.crs is None:
        _require_pixel_grids(before, after, names)
        differences = []
        # Neither CRS nor transform says where the scenes lie: only their pixels do.
        row, col = offset_in(before, part)
        part = replace(part, transform=UNPLACED @ Affine.translation(col, row))
        after = replace(after, transform=UNPLACED)
    else:
        after = in_crs_of(before, after)
        differences = list(_differences(before, after, ~before.transform @ after.transform))
    # Moving AFTER one way is moving the grid the other way, whatever the CRS of AFTER.
    rows, cols = shift
    grid = replace(part, transform=part.transform @ Affine.translation(-cols, -rows))
    onto = ~grid.transform @ after.transform
    offset = _whole_offset(onto, after) if before.crs == after.crs else None
    covered, share, detail = _overlap(grid, after, names)
    left, top, right, bottom = covered
    window = Window.from_slices(
        (int(top), min(int(np.ceil(bottom)), after.height)),
        (int(left), min(int(np.ceil(right)), after.width)),
    )
    return Alignment(grid, offset, share, detail, window, tuple(differences))


def in_crs_of(before: Grid, after: Grid) -> Grid:
    """AFTER's grid in the CRS of BEFORE, where no pixel of it moves by that."""
    if before.crs is None or after.crs is None or before.crs == after.crs:
        return after
    points = edge_points(after, after.crs)
    tolerance = TOLERANCE * min(after.pixel_size)
    alike = place_alike(after.crs, before.crs, points, tolerance)
    return replace(after, crs=before.crs) if alike else after


def offset_in(whole: Grid, part: Grid) -> tuple[int, int]:
    """(row, col) of the first pixel of a part on the whole."""
    col, row = ~whole.transform @ (part.transform.c, part.transform.f)
    return round(row), round(col)


def _require_pixel_grids(before: Grid, after: Grid, names: tuple[str, str]) -> None:
    """Refuse two scenes of which not both have a CRS, unless neither does and the sizes agree."""
    if (before.crs is None) != (after.crs is None):
        first, second = (crs_name(grid.crs) or "no CRS" for grid in (before, after))
        bare = names[before.crs is not None]
        raise PairError(
            f"{names[0]} has {first} and {names[1]} has {second}; say with --assume-crs in which "
            f"one {bare} is, or in the file itself, for example with gdal_edit.py -a_srs."
        )
    if before.shape != after.shape:
        raise PairError(
            f"neither {names[0]} nor {names[1]} has a CRS, and their sizes differ: "
            f"{_size(before)} and {_size(after)} pixels. Give both a CRS, or crop them alike."
        )


def _whole_offset(onto: Affine, after: Grid) -> tuple[int, int] | None:
    """(row, col) of AFTER's origin if all its corners fall on whole BEFORE pixels."""
    col, row = round(onto.c), round(onto.f)
    corners = [(0, 0), (after.width, 0), (0, after.height), (after.width, after.height)]
    for x, y in corners:
        at = onto @ (x, y)
        if abs(at[0] - x - col) > TOLERANCE or abs(at[1] - y - row) > TOLERANCE:
            return None
    return row, col


def _overlap(
    before: Grid, after: Grid, names: tuple[str, str]
) -> tuple[tuple[float, float, float, float], float, float]:
    """Bounds of the overlap in AFTER's pixels (left, top, right, bottom), its share, the detail."""
    pixels = before.height * before.width
    try:
        outline = _outline(before, after)
        inside = shapely.box(0, 0, after.width, after.height)
        if outline is None:
            # BEFORE reaches beyond what AFTER's CRS can express: AFTER is the small one.
            outline = inside
            own = _outline(after, before)
            whole = shapely.box(0, 0, before.width, before.height)
            share = 0.0 if own is None else own.intersection(whole).area / pixels
            size = pixels if own is None else after.height * after.width / own.area * pixels
        else:
            share = outline.intersection(inside).area / outline.area
            size = outline.area
    except ProjError as error:
        placed = [Placed(name, g.crs, name) for name, g in zip(names, (before, after), strict=True)]
        raise PairError(
            f"{names[1]} cannot be brought from {crs_name(after.crs)} to {crs_name(before.crs)} "
            f"of {names[0]}: {no_way(placed[1], placed[0])}"
        ) from error
    if share * pixels < 1:
        unit = crs_name(before.crs) or "pixels"
        raise PairError(
            f"{names[0]} and {names[1]} do not overlap: they cover "
            f"{bounds_text(before, before)} and {bounds_text(after, before)} "
            f"(left, bottom, right, top in {unit}). "
            "Check that both show the same place and that their CRS is right."
        )
    # Rounding in the CRS must not turn full cover into 99.99999 %.
    share = 1.0 if share > 1 - 1e-6 else share
    return outline.intersection(inside).bounds, share, float((size / pixels) ** 0.5)


def _outline(grid: Grid, onto: Grid) -> BaseGeometry | None:
    """Outline of a grid in pixels (col, row) of another; None where the CRS cannot express it."""
    points = moved(~onto.transform, edge_points(grid, onto.crs))
    if not np.isfinite(points).all():
        return None
    outline: BaseGeometry = shapely.make_valid(shapely.Polygon(points.T))
    return outline if outline.area > 0 else None


def edge_points(grid: Grid, crs: CRS) -> Points:
    """Coordinates in a CRS of points around a grid, in order; infinite where there are none."""
    up = np.linspace(0.0, 1.0, EDGE_POINTS)[:-1]
    low, high = np.zeros_like(up), np.ones_like(up)
    cols = np.concatenate([up, high, 1 - up, low]) * grid.width
    rows = np.concatenate([low, up, high, 1 - up]) * grid.height
    points = moved(grid.transform, np.stack([cols, rows]))
    if grid.crs != crs:
        points = reproject_points(grid.crs, crs, points)
    return points


def moved(transform: Affine, points: Points) -> Points:
    """Points through an affine transform."""
    matrix = np.array(tuple(transform)[:6]).reshape(2, 3)
    return np.asarray(matrix[:, :2] @ points + matrix[:, 2:])


def _differences(before: Grid, after: Grid, onto: Affine) -> Iterator[str]:
    if before.crs != after.crs:
        yield f"CRS is {crs_name(before.crs)} and {crs_name(after.crs)}"
    if not np.allclose(before.pixel_size, after.pixel_size, rtol=1e-6, atol=0):
        yield f"pixel size is {_pixel(before)} and {_pixel(after)}"
    elif before.crs == after.crs:
        yield from _placement(before, after, onto)
    if before.shape != after.shape:
        yield f"extent is {_size(before)} and {_size(after)} pixels"


def _placement(before: Grid, after: Grid, onto: Affine) -> Iterator[str]:
    straight = np.allclose([onto.a, onto.b, onto.d, onto.e], [1, 0, 0, 1], rtol=0, atol=1e-6)
    if not straight:
        axes = [tuple(round(value, 6) for value in tuple(g.transform)[:6]) for g in (before, after)]
        yield f"direction of the axes differs, the transform is {axes[0]} and {axes[1]}"
    elif max(abs(onto.c), abs(onto.f)) > TOLERANCE:
        first, second = (f"({g.transform.c:.10g}, {g.transform.f:.10g})" for g in (before, after))
        shift = f"{onto.c:.4g} columns and {onto.f:.4g} rows"
        yield f"offset: the first corner is at {first} and {second}, {shift} apart"


def bounds_text(grid: Grid, onto: Grid) -> str:
    """Bounds in the CRS of the other grid, or in its own where they cannot be expressed."""
    points = edge_points(grid, onto.crs)
    if not np.isfinite(points).all():
        return f"{bounds_text(grid, grid)} in {crs_name(grid.crs)}"
    corners = [*points.min(axis=1), *points.max(axis=1)]
    return f"({', '.join(f'{value:.8g}' for value in corners)})"


def _pixel(grid: Grid) -> str:
    return " x ".join(f"{size:.6g}" for size in grid.pixel_size)


def _size(grid: Grid) -> str:
    return f"{grid.width} x {grid.height}"


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
        return _turned(after, TURN * round((middles[0] - middles[1]) / TURN))
    try:
        longitudes = edge_points(before, after.crs)[0]
    except ProjError:  # which `align` refuses with both names
        return after
    reaches = after.bounds[0] < -TURN / 2 or after.bounds[2] > TURN / 2
    if not reaches and not (np.isfinite(longitudes).all() and np.ptp(longitudes) > TURN / 2):
        return after
    return replace(_turned(after, -middles[1]), crs=_counted_from(after.crs, middles[1]))


def _turned(grid: Grid, degrees: float) -> Grid:
    transform = Affine.translation(degrees, 0) @ grid.transform if degrees else grid.transform
    return replace(grid, transform=transform)


def _counted_from(crs: CRS, degrees: float) -> CRS:
    """The CRS with another prime meridian."""

    def other(meridian: re.Match[str]) -> str:
        return f'PRIMEM["middle of the image",{float(meridian[1]) + degrees!r}]'

    wkt = PRIME_MERIDIAN.sub(other, crs.to_wkt())
    return CRS.from_wkt(NUMBER.sub("]", wkt))
