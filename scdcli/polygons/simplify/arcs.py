"""Rings cut into arcs where borders meet, so that two neighbors share each arc.

An arc is a border between the same two regions, from junction to junction, or a whole ring where
there is none. Its direction depends on its shape alone, so it is the same for both neighbors.
"""

from typing import NamedTuple

import numpy as np

from scdcli.polygons.simplify.borders import Borders
from scdcli.polygons.simplify.ragged import Counts, batches, ranges, starts
from scdcli.polygons.trace.outlines import Bools, Ints, Rings

MOST = 2_000_000  # lattice points in memory together


class Points(NamedTuple):
    """The vertices of rings, first not repeated: corners, and junctions on straight edges."""

    row: Ints
    col: Ints
    ring_start: Counts  # (rings + 1,)


class Arcs(NamedTuple):
    """Arcs in their own direction, both ends included."""

    point: Counts  # number of the vertex among the points
    start: Counts  # (arcs + 1,) where each arc starts


def ring_points(rings: Rings, borders: Borders) -> Points:
    """All vertices of rings; a ring begins at a junction where it has one."""
    ring = np.repeat(np.arange(len(rings.ring_start) - 1), np.diff(rings.ring_start))
    edge = np.flatnonzero(ring[1:] == ring[:-1])
    down = rings.row[edge + 1] - rings.row[edge]
    right = rings.col[edge + 1] - rings.col[edge]
    steps = np.abs(down + right).astype(np.int64)
    vertices = []
    for some in batches(steps, MOST):
        of = np.repeat(np.arange(some.start, some.stop), steps[some])
        step = ranges(np.zeros_like(steps[some]), steps[some]).astype(np.int32)
        row = rings.row[edge[of]] + np.sign(down[of]) * step
        col = rings.col[edge[of]] + np.sign(right[of]) * step
        kept = borders.is_vertex(row, col)
        vertices.append((row[kept], col[kept], ring[edge[of[kept]]]))
    row, col, of_ring = map(np.concatenate, zip(*vertices, strict=True))
    points = Points(row, col, starts(np.bincount(of_ring)))
    # no ring passes a point twice, so each ring has one smallest number of a junction
    number = np.where(borders.is_junction(row, col), np.arange(len(row)), len(row))
    return _rotate(points, number)


def _rotate(points: Points, rank: Counts) -> Points:
    """The same rings, each beginning at its first point of smallest rank."""
    begin, length = points.ring_start[:-1], np.diff(points.ring_start)
    smallest = np.repeat(np.minimum.reduceat(rank, begin), length)
    first = np.minimum.reduceat(np.where(rank == smallest, np.arange(len(rank)), len(rank)), begin)
    place = ranges(first - begin, length) % np.repeat(length, length)
    place += np.repeat(begin, length)
    return points._replace(row=points.row[place], col=points.col[place])


def cut_arcs(points: Points, borders: Borders) -> Arcs:
    """The arcs of rings that begin at a junction where they have one."""
    breaks = borders.is_junction(points.row, points.col)
    breaks[points.ring_start[:-1]] = True
    first = np.flatnonzero(breaks)
    length = np.diff(first, append=len(points.row)) + 1
    point = ranges(first, length)
    start = starts(length)
    ring_end = np.searchsorted(first, points.ring_start[1:]) - 1
    point[start[ring_end + 1] - 1] = points.ring_start[:-1]
    # each arc begins at its upper, then left end, or goes first to such a second vertex
    width = np.int64(points.col.max()) + 1
    place = points.row * width + points.col
    head, tail = place[point[start[:-1]]], place[point[start[1:] - 1]]
    second, second_last = place[point[start[:-1] + 1]], place[point[start[1:] - 2]]
    backward = (head > tail) | ((head == tail) & (second > second_last))
    number = np.arange(len(point))
    mirrored = np.repeat(start[:-1] + start[1:] - 1, length) - number
    return Arcs(point[np.where(np.repeat(backward, length), mirrored, number)], start)


def join(points: Points, kept: Bools) -> tuple[Ints, Ints, Counts]:
    """Closed rings of the points that are kept, each beginning at its topmost, then leftmost.

    Returns:
        Rows, columns, and where each ring starts, as in `Rings`.
    """
    ring = np.repeat(np.arange(len(points.ring_start) - 1), np.diff(points.ring_start))
    fewer = Points(points.row[kept], points.col[kept], starts(np.bincount(ring[kept])))
    place = fewer.row * (np.int64(fewer.col.max()) + 1) + fewer.col
    fewer = _rotate(fewer, place)
    length = np.diff(fewer.ring_start)
    order = ranges(fewer.ring_start[:-1], length + 1)
    ring_start = starts(length + 1)
    order[ring_start[1:] - 1] = fewer.ring_start[:-1]
    return fewer.row[order], fewer.col[order], ring_start
