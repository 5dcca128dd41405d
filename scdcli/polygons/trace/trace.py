"""One polygon per connected region that made the same transition, from strips of any height.

The polygons are those of the whole map traced at once, and memory stays flat: a region is finished
as soon as no later row can reach it.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from scdcli.legend import TRANSITION_NODATA
from scdcli.polygons.area import Ground
from scdcli.polygons.simplify.borders import Borders, between, find_borders, since
from scdcli.polygons.simplify.simplify import simplify
from scdcli.polygons.strips import Runs
from scdcli.polygons.trace.components import Components, merge, no_components, with_runs
from scdcli.polygons.trace.outlines import (
    Corners,
    Rings,
    add_corners,
    link_rings,
    no_corners,
    release,
)
from scdcli.rasters.grid import Grid


class Polygons(NamedTuple):
    """Regions of equal transition; every field is an array (N,)."""

    outline: NDArray[np.object_]  # shapely polygons in map coordinates, exterior counter-clockwise
    transition: NDArray[np.uint16]  # from * 100 + to
    pixels: NDArray[np.int64]
    area: NDArray[np.float64]  # on the ground, square metres (square pixels without a CRS)
    perimeter: NDArray[np.float64]  # on the ground, holes included, metres (pixels without a CRS)
    confidence: NDArray[np.float64]  # mean change probability, 0-1


class _Known(NamedTuple):
    """What was read of unfinished regions."""

    transition: NDArray[np.uint16]  # last row, (1, W)
    part: NDArray[np.int32]  # its component numbers, (1, W); -1 where nothing changed
    components: Components
    corners: Corners
    borders: list[Borders] | None  # in the rows of the components; None: nothing is simplified


def trace(
    runs: Iterable[Runs],
    grid: Grid,
    ground: Ground,
    *,
    tolerance: float = 0.0,
) -> Iterator[Polygons]:
    """The changed regions of a map, ordered by last row, then by first pixel in raster order.

    Regions are 4-connected and consist of one transition; unchanged and nodata pixels give none.
    Rings start at their topmost, then leftmost vertex and have no vertex on a straight edge, so
    the polygons do not depend on the height of the strips.

    Args:
        runs: Strips of the whole map, top to bottom.
        grid: Place of the map.
        ground: Sizes on the ground.
        tolerance: How far outlines may be moved to save vertices, metres (pixels without a CRS); 0
            keeps them as they are. Areas and perimeters are always those of the pixels.

    Yields:
        The regions completed by a strip, where there are any.
    """
    known = _Known(
        np.full((1, grid.width), TRANSITION_NODATA, dtype=np.uint16),
        np.full((1, grid.width), -1, dtype=np.int32),
        no_components(),
        no_corners(),
        [] if tolerance else None,
    )
    for strip in chain(runs, [_closing_row(grid)]):
        known, components, corners = _advance(known, strip)
        if not len(components.code):
            continue
        rings = link_rings(corners, len(components.code))
        fewer = rings
        if known.borders is not None:
            around = between(known.borders, int(rings.row.min()), int(rings.row.max()))
            fewer = simplify(rings, around, ground, tolerance)
        polygons = _assemble(components, rings, fewer, grid, ground)
        del components, corners, rings, fewer  # the reader of the polygons may need the memory
        yield polygons


def _closing_row(grid: Grid) -> Runs:
    """A row of nodata below the map: every region ends above it."""
    nothing = np.zeros(1, dtype=np.int64)
    return Runs(
        grid.height,
        np.full((1, grid.width), TRANSITION_NODATA, dtype=np.uint16),
        nothing,
        np.array([grid.width]),
        np.full(1, TRANSITION_NODATA, dtype=np.uint16),
        nothing,
        np.zeros(1),
    )


def _advance(known: _Known, strip: Runs) -> tuple[_Known, Components, Corners]:
    """Add a strip; also gives the components it finished, and their corners, in order."""
    parts, numbers = with_runs(known.components, strip)
    transition = np.concatenate([known.transition, strip.transition])
    part = np.concatenate([known.part, numbers])
    components, label = merge(parts, *_touching(transition, part))
    corners = add_corners(known.corners, strip.row, transition, part)
    corners = corners._replace(part=label[corners.part])
    row = np.append(label, np.int32(-1))[part[-1:]]  # part -1, no change, stays -1
    unfinished = np.zeros(len(components.code), dtype=bool)
    unfinished[row[row >= 0]] = True
    borders = None
    if known.borders is not None:  # those around unfinished regions, and those of this strip
        width = transition.shape[1]
        oldest = known.components.first.min(initial=strip.row * width) // width
        borders = [*since(known.borders, oldest), find_borders(strip.row, transition)]
    now = _Known(strip.transition[-1:], row, components, corners, borders)
    if 2 * np.count_nonzero(unfinished[corners.part]) > len(corners.part):
        # taking corners out costs a copy of the others, so it waits until it halves them
        return now, no_components(), corners
    return _release(now, unfinished)


def _release(known: _Known, unfinished: NDArray[np.bool_]) -> tuple[_Known, Components, Corners]:
    """Take the finished components and their corners out, in the order of the polygons."""
    closed, pending = np.flatnonzero(~unfinished), np.flatnonzero(unfinished)
    components = known.components
    closed = closed[np.lexsort((components.first[closed], components.last[closed]))]
    place = np.full(len(unfinished) + 1, -1, dtype=np.int32)
    place[closed] = np.arange(len(closed))
    place[pending] = np.arange(len(pending))
    done, rest = release(known.corners, place, unfinished)
    # number -1, no change, finds the -1 at the end
    row = place[known.part]
    left = _Known(known.transition, row, components.take(pending), rest, known.borders)
    return left, components.take(closed), done


def _touching(
    transition: NDArray[np.uint16], part: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Pairs of parts that touch across two rows: each pair of runs once, at its first column."""
    alike = (transition[1:] == transition[:-1]) & (part[1:] >= 0)
    goes_on = alike[:, 1:] & alike[:, :-1] & (transition[1:, 1:] == transition[1:, :-1])
    alike[:, 1:] &= ~goes_on
    where = np.flatnonzero(alike)
    return part[:-1].ravel()[where], part[1:].ravel()[where]


def _assemble(
    components: Components, rings: Rings, fewer: Rings, grid: Grid, ground: Ground
) -> Polygons:
    """Polygons of finished components from their rings, drawn with those of fewer vertices."""
    edge = ground.edge_length(rings.row, rings.col)
    edge[rings.ring_start[1:-1] - 1] = 0.0  # from the end of one ring to the start of the next
    vertex_start = rings.ring_start[rings.component_start]
    perimeter = np.add.reduceat(edge, vertex_start[:-1])
    outline = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON,
        _map_coordinates(fewer, grid.transform),
        (fewer.ring_start, fewer.component_start),
    )
    return Polygons(
        outline,
        components.code,
        components.pixels,
        components.area,
        perimeter,
        components.certainty / (components.pixels * 100.0),
    )


def _map_coordinates(rings: Rings, transform: Affine) -> NDArray[np.float64]:
    """Map coordinates of the vertices, (n, 2); exteriors counter-clockwise in the map."""
    row, col = rings.row, rings.col
    if transform.determinant > 0:  # south-up: the screen is a mirror of the map
        mirror = np.repeat(
            rings.ring_start[:-1] + rings.ring_start[1:] - 1, np.diff(rings.ring_start)
        )
        mirror -= np.arange(len(row))
        row, col = row[mirror], col[mirror]
    a, b, c, d, e, f = tuple(transform)[:6]
    return np.stack([a * col + b * row + c, d * col + e * row + f], axis=1)
