"""Rings with fewer vertices, simplified alike on both sides of every border.

Douglas-Peucker on arcs (`arcs`) whose shortcuts sweep over no vertex of the map (`shortcuts`). The
result of an arc depends on nothing but its own shape and the vertices of the unsimplified map
around it, so neighbors agree without knowing of each other, and polygons can still be finished one
by one.
"""

from typing import NamedTuple

import numpy as np

from scdcli.polygons.area import Floats, Ground
from scdcli.polygons.simplify.arcs import Points, cut_arcs, join, ring_points
from scdcli.polygons.simplify.borders import Borders
from scdcli.polygons.simplify.ragged import Counts, batches, ranges, starts
from scdcli.polygons.simplify.shortcuts import Sections, are_free
from scdcli.polygons.trace.outlines import Bools, Rings

MOST = 1_000_000  # vertices simplified together


class _Lines(NamedTuple):
    """Vertices of arcs, on the lattice and on the ground."""

    row: Counts  # (n,)
    col: Counts
    x: Floats  # metres (pixels without a CRS) from the first vertex of the arc
    y: Floats


class _Open(NamedTuple):
    """Sections that are still to be decided, by the numbers of their ends among the vertices."""

    first: Counts
    last: Counts
    whole: Bools  # a whole arc keeps a vertex, so that two arcs with the same ends stay apart


def simplify(rings: Rings, borders: Borders, ground: Ground, tolerance: float) -> Rings:
    """The same rings with fewer vertices.

    Every border between two regions stays within the tolerance and goes through some of its own
    vertices, all junctions among them. Regions neither vanish nor overlap, and no gap opens.

    Args:
        rings: Rings of complete regions.
        borders: The map's borders, at least in the rows of the rings.
        ground: Sizes on the ground.
        tolerance: How far a vertex left out may lie from the outline, metres (pixels without a
            CRS).
    """
    points = ring_points(rings, borders)
    arcs = cut_arcs(points, borders)
    kept = np.zeros(len(points.row), dtype=bool)
    for some in batches(np.diff(arcs.start), MOST):
        start = arcs.start[some.start : some.stop + 1]
        point = arcs.point[start[0] : start[-1]]
        start = start - start[0]
        chosen = _chosen(_lines(points, point, start, ground), start, borders, tolerance)
        kept[point[chosen]] = True
    row, col, ring_start = join(points, kept)
    return Rings(row, col, ring_start, rings.component_start)


def _lines(points: Points, point: Counts, start: Counts, ground: Ground) -> _Lines:
    row, col = (field[point].astype(np.int64) for field in (points.row, points.col))
    begin, length = start[:-1], np.diff(start)
    middle = (
        0.5 * (np.minimum.reduceat(field, begin) + np.maximum.reduceat(field, begin))
        for field in (row, col)
    )
    across, down = (np.repeat(size, length) for size in ground.pixel_size(*middle))
    x = (col - np.repeat(col[begin], length)) * across
    y = (row - np.repeat(row[begin], length)) * down
    return _Lines(row, col, x, y)


def _chosen(lines: _Lines, start: Counts, borders: Borders, tolerance: float) -> Bools:
    """Which vertices of the arcs stay, (n,) bool."""
    kept = np.zeros(len(lines.row), dtype=bool)
    kept[start[:-1]] = kept[start[1:] - 1] = True
    todo = _longer(_Open(start[:-1], start[1:] - 1, np.ones(len(start) - 1, dtype=bool)))
    while len(todo.first):
        farthest, distance = _farthest(lines, todo)
        split = todo.whole | (distance > tolerance)
        near = np.flatnonzero(~split)
        split[near] = ~are_free(_sections(lines, todo, near), borders)
        first, last, at = todo.first[split], todo.last[split], farthest[split]
        kept[at] = True
        # half of a closed arc has the same ends as the other half
        closed = (lines.row[first] == lines.row[last]) & (lines.col[first] == lines.col[last])
        todo = _longer(
            _Open(
                np.concatenate([first, at]),
                np.concatenate([at, last]),
                np.concatenate([closed, closed]),
            )
        )
    return kept


def _longer(sections: _Open) -> _Open:
    """The sections with a vertex between their ends."""
    return _Open._make(field[sections.last - sections.first > 1] for field in sections)


def _farthest(lines: _Lines, sections: _Open) -> tuple[Counts, Floats]:
    """The vertex farthest from the line between the ends of each section, and its distance."""
    length = sections.last - sections.first - 1
    vertex = ranges(sections.first + 1, length)
    head, tail = np.repeat(sections.first, length), np.repeat(sections.last, length)
    x, y = lines.x[vertex] - lines.x[head], lines.y[vertex] - lines.y[head]
    right, down = lines.x[tail] - lines.x[head], lines.y[tail] - lines.y[head]
    square = right * right + down * down
    share = np.clip((x * right + y * down) / np.where(square > 0, square, 1.0), 0.0, 1.0)
    x, y = x - share * right, y - share * down
    distance = x * x + y * y
    begin = starts(length)[:-1]
    largest = np.maximum.reduceat(distance, begin)
    is_largest = distance == np.repeat(largest, length)
    first = np.minimum.reduceat(np.where(is_largest, vertex, len(lines.row)), begin)
    return first, np.sqrt(largest)


def _sections(lines: _Lines, sections: _Open, which: Counts) -> Sections:
    first = sections.first[which]
    length = sections.last[which] - first + 1
    vertex = ranges(first, length)
    return Sections(lines.row[vertex], lines.col[vertex], starts(length))
