"""What is drawn and judged: single pixels, square blocks of them, or whole polygons of change.

A unit is found by its rank in its stratum, from top to bottom and left to right, so that the same
units are drawn however the map is cut into strips.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from scdcli.legend import TRANSITION_NODATA, UNCHANGED
from scdcli.polygons.area import Ground
from scdcli.polygons.strips import Strip, find_runs
from scdcli.polygons.trace.trace import trace
from scdcli.rasters.grid import Grid
from scdcli.sampling.changemap import BUFFER, CODES, CodeStrip, areas_of_runs
from scdcli.sampling.strata import Strata

PIXEL, BLOCK, POLYGON = KINDS = ("pixel", "block", "polygon")

Reading = Callable[[int], Iterator[CodeStrip]]
"""Opens a map anew, in strips of a multiple of so many rows."""


@dataclass(frozen=True)
class Population:
    """A map that units are drawn of.

    Attributes:
        read: Its strips, from the first on at every call.
        grid: Where it lies.
        ground: Sizes of pixels.
        kind: A name in `KINDS`; of polygons, what is unchanged is drawn as pixels.
        block: Rows and columns of a block.
    """

    read: Reading
    grid: Grid
    ground: Ground
    kind: str = PIXEL
    block: int = 1


class Units(NamedTuple):
    """Units of a map, (n,) each."""

    code: NDArray[np.uint16]
    area: NDArray[np.float64]
    outline: NDArray[np.object_]  # shapely polygons in the coordinates of the map
    row: NDArray[np.float64]  # of a place inside, in pixels of the map
    col: NDArray[np.float64]


class Census(NamedTuple):
    """All units of a map, by code, (65536,) each."""

    units: NDArray[np.int64]
    area: NDArray[np.float64]


def count_units(population: Population) -> Census:
    """How many units there are, and their area, by code."""
    units, area = np.zeros(CODES, dtype=np.int64), np.zeros(CODES)
    for batch in _batches(population):
        code = batch.codes.ravel()
        units += np.bincount(code, minlength=CODES)
        area += batch.areas()
    units[TRANSITION_NODATA] = 0
    area[TRANSITION_NODATA] = 0
    return Census(units, area)


def find_units(
    population: Population, strata: Strata, ranks: list[NDArray[np.int64]]
) -> list[Units]:
    """The units of each stratum that have these ranks, in the order of the ranks.

    Args:
        population: The map.
        strata: Its strata.
        ranks: Of each stratum, different numbers from 0 on, below the number of its units.
    """
    order = [np.argsort(each) for each in ranks]
    wanted = [each[by] for each, by in zip(ranks, order, strict=True)]
    found: list[list[Units]] = [[] for _ in ranks]
    passed = np.zeros(len(ranks), dtype=np.int64)
    for batch in _batches(population):
        codes = batch.codes.ravel()
        here = strata.sums(np.bincount(codes, minlength=CODES)).astype(np.int64)
        for place, each in enumerate(wanted):
            low, high = np.searchsorted(each, (passed[place], passed[place] + here[place]))
            if low < high:
                members = np.flatnonzero(_among(codes, np.flatnonzero(strata.table == place)))
                found[place].append(batch.units(members[each[low:high] - passed[place]]))
        passed += here
    nothing = _nothing()
    joined = [Units._make(map(np.concatenate, zip(nothing, *f, strict=True))) for f in found]
    return [
        Units._make(field[np.argsort(by)] for field in units)
        for units, by in zip(joined, order, strict=True)
    ]


def _among(codes: NDArray[np.uint16], own: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a code is one of a few: comparing is several times faster than looking up."""
    among: NDArray[np.bool_] = codes == own[0]
    for code in own[1:]:
        among |= codes == code
    return among


def _nothing() -> Units:
    empty = np.empty(0)
    outline = np.empty(0, dtype=object)
    return Units(empty.astype(np.uint16), empty, outline, empty, empty)


class _Batch(NamedTuple):
    """Units by code, and how to get at their areas and at some of them."""

    codes: NDArray[np.uint16]
    areas: Callable[[], NDArray[np.float64]]  # sums by code
    units: Callable[[NDArray[np.int64]], Units]


def _sums(
    code: NDArray[np.uint16], amount: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Sum of amounts by code, or how often each code occurs, (65536,)."""
    return np.bincount(code, amount, minlength=CODES).astype(np.float64)


def _batches(population: Population) -> Iterator[_Batch]:
    if population.kind == BLOCK:
        yield from (_blocks(strip, population) for strip in population.read(population.block))
        return
    polygons = population.kind == POLYGON
    for strip in population.read(1):
        yield _pixels(_unchanged(strip) if polygons else strip, population)
    if polygons:
        yield from _polygons(population)


def _unchanged(strip: CodeStrip) -> CodeStrip:
    left = (strip.codes == UNCHANGED) | (strip.codes == BUFFER)
    return CodeStrip(strip.row, np.where(left, strip.codes, np.uint16(TRANSITION_NODATA)))


def _pixels(strip: CodeStrip, population: Population) -> _Batch:
    codes, ground = strip.codes, population.ground

    def areas() -> NDArray[np.float64]:
        if ground.area.shape == (1, 1):
            return _sums(codes.ravel()) * float(ground.area[0, 0])
        return _sums(*areas_of_runs(codes, strip.row, ground))

    def units(members: NDArray[np.int64]) -> Units:
        row, col = np.divmod(members, codes.shape[1])
        row += strip.row
        area = ground.run_area(row, col, np.ones_like(row))
        return _boxes(codes.ravel()[members], area, row, col, 1, population)

    return _Batch(codes, areas, units)


def _blocks(strip: CodeStrip, population: Population) -> _Batch:
    """Blocks have the code of most of their pixels, the lower one of equally many."""
    side = population.block
    codes, valid = _majority(strip.codes, side)
    height, width = codes.shape
    row, col = np.indices((height, width))
    row, col = row.ravel() * side + strip.row, col.ravel() * side
    each = population.ground.run_area(row + side // 2, col + side // 2, np.ones_like(row))
    area = valid.ravel() * each

    def units(members: NDArray[np.int64]) -> Units:
        code = codes.ravel()[members]
        return _boxes(code, area[members], row[members], col[members], side, population)

    def areas() -> NDArray[np.float64]:
        return _sums(codes.ravel(), area)

    return _Batch(codes, areas, units)


def _majority(codes: NDArray[np.uint16], side: int) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Code of most valid pixels of each block, nodata without any, and the valid pixels."""
    height, width = (size + -size % side for size in codes.shape)
    whole = np.full((height, width), TRANSITION_NODATA, dtype=np.uint16)
    whole[: codes.shape[0], : codes.shape[1]] = codes
    shape = (height // side, width // side)
    tiles = whole.reshape(shape[0], side, shape[1], side)
    blocks = tiles.transpose(1, 3, 0, 2).reshape(side * side, -1)  # a row for each pixel of a block
    best = blocks[0].copy()
    mixed = np.flatnonzero((blocks != best).any(axis=0))
    best[mixed] = TRANSITION_NODATA
    most = np.zeros(len(mixed), dtype=np.int64)
    within = blocks[:, mixed]
    for code in np.unique(within[within != TRANSITION_NODATA]):
        count = (within == code).sum(axis=0)
        best[mixed[count > most]] = code
        np.maximum(most, count, out=most)
    valid = (blocks != TRANSITION_NODATA).sum(axis=0)
    return best.reshape(shape), valid.reshape(shape)


def _boxes(
    code: NDArray[np.uint16],
    area: NDArray[np.float64],
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    side: int,
    population: Population,
) -> Units:
    height, width = population.grid.shape
    bottom, right = np.minimum(row + side, height), np.minimum(col + side, width)
    outline = _on_map(shapely.box(col, row, right, bottom), population.grid.transform)
    return Units(code, area, outline, (row + bottom) / 2, (col + right) / 2)


def _on_map(outline: NDArray[np.object_], transform: Affine) -> NDArray[np.object_]:
    a, b, c, d, e, f = tuple(transform)[:6]
    matrix, offset = np.array([[a, d], [b, e]]), np.array([c, f])
    moved: NDArray[np.object_] = shapely.transform(outline, lambda xy: xy @ matrix + offset)
    return moved


def _polygons(population: Population) -> Iterator[_Batch]:
    """Polygons of change, as `scd predict` outlines them."""
    strips = (
        Strip(
            row,
            np.where(codes == BUFFER, np.uint16(UNCHANGED), codes),
            np.zeros(codes.shape, dtype=np.uint8),  # how sure the model was is not asked
        )
        for row, codes in population.read(1)
    )
    inverse = ~population.grid.transform
    runs = find_runs(strips, population.ground)
    for polygons in trace(runs, population.grid, population.ground):
        codes, area, outline = polygons.transition, polygons.area, polygons.outline

        def areas(
            codes: NDArray[np.uint16] = codes, area: NDArray[np.float64] = area
        ) -> NDArray[np.float64]:
            return _sums(codes, area)

        def units(
            members: NDArray[np.int64],
            codes: NDArray[np.uint16] = codes,
            area: NDArray[np.float64] = area,
            outline: NDArray[np.object_] = outline,
        ) -> Units:
            inside = shapely.point_on_surface(outline[members])
            col, row = inverse @ (shapely.get_x(inside), shapely.get_y(inside))
            return Units(codes[members], area[members], outline[members], row, col)

        yield _Batch(codes, areas, units)
