"""Which shortcuts of a border may be taken: those that sweep over no vertex of another border.

If no shortcut of any border sweeps over a vertex of another piece of border, no two shortcuts
cross, whoever takes them in whatever order: a piece that a shortcut crossed would have to end in
the area it sweeps over, and pieces end at vertices. So each border needs to know only the vertices
of the unsimplified map around it. All arithmetic is of integers and exact.
"""

from typing import NamedTuple

import numpy as np

from scdcli.polygons.simplify.borders import Borders
from scdcli.polygons.simplify.ragged import Counts, batches, ranges
from scdcli.polygons.trace.outlines import Bools

MOST = 2_000_000  # lattice points or pairs in memory together
HOPELESS = 100_000  # of them for one section: among so many, one will be in the way
LONGEST = 1 << 14  # pixels; the products of longer sections do not fit into 64 bits


class Sections(NamedTuple):
    """Pieces of borders: vertices laid one after the other, both ends included."""

    row: Counts  # (n,)
    col: Counts
    start: Counts  # (sections + 1,)


class _Frames(NamedTuple):
    """A coordinate system along the shortcut of each section.

    Its unit is a lattice step times the shortcut's length, so that all coordinates are integers.
    """

    row: Counts  # of the first vertex, (sections,)
    col: Counts
    down: Counts  # from the first to the last vertex
    right: Counts

    def along(self, which: Counts, row: Counts, col: Counts) -> Counts:
        """How far points lie along the shortcuts of these sections."""
        rows, cols = row - self.row[which], col - self.col[which]
        return self.down[which] * rows + self.right[which] * cols

    def aside(self, which: Counts, row: Counts, col: Counts) -> Counts:
        """How far points lie beside the shortcuts, negative on the other side."""
        rows, cols = row - self.row[which], col - self.col[which]
        return self.right[which] * rows - self.down[which] * cols


def are_free(sections: Sections, borders: Borders) -> Bools:
    """Whether the straight line between the ends of each section may replace it, (sections,) bool.

    A shortcut sweeps over the points on the line, and over those between it and the section along
    its perpendicular. That holds all points that the two enclose, however the section winds.
    """
    begin, length = sections.start[:-1], np.diff(sections.start)
    if not len(length):
        return np.empty(0, dtype=bool)
    head, tail = begin, sections.start[1:] - 1
    row, col = sections.row[head], sections.col[head]
    frames = _Frames(row, col, sections.row[tail] - row, sections.col[tail] - col)
    extent = (
        np.maximum.reduceat(part, begin) - np.minimum.reduceat(part, begin)
        for part in (sections.row, sections.col)
    )
    free: Bools = np.maximum(*extent) <= LONGEST
    spans = _spans(sections, frames, free)
    free &= np.bincount(spans.section, spans.size, minlength=len(length)) <= HOPELESS
    which, row, col = _vertices_in(spans, borders, free)
    # all vertices of the section itself are among them
    others = np.bincount(which, minlength=len(length)) - length
    free &= others * length <= HOPELESS
    undecided = free & (others > 0)
    asked = undecided[which]
    which, row, col = _foreign(sections, which[asked], row[asked], col[asked], undecided)
    free[_swept(sections, frames, which, row, col)] = False
    return free


class _Spans(NamedTuple):
    """The lattice points beside sections, as runs in rows, (n,) each."""

    section: Counts
    row: Counts
    first: Counts  # column
    size: Counts


def _spans(sections: Sections, frames: _Frames, asked: Bools) -> _Spans:
    """The lattice points that lie no farther aside than the section itself does."""
    begin, length = sections.start[:-1], np.diff(sections.start)
    own = np.repeat(np.arange(len(length)), length)
    aside = frames.aside(own, sections.row, sections.col)
    low, high = np.minimum.reduceat(aside, begin), np.maximum.reduceat(aside, begin)
    top, bottom = (f.reduceat(sections.row, begin) for f in (np.minimum, np.maximum))
    left, right = (f.reduceat(sections.col, begin) for f in (np.minimum, np.maximum))
    height = np.where(asked, bottom - top + 1, 0)
    line = np.repeat(np.arange(len(length)), height)
    row = ranges(top, height)
    # low <= right * rows - down * cols <= high, solved for cols
    slope, base = frames.down[line], frames.right[line] * (row - frames.row[line])
    flat = slope == 0
    slope = np.where(flat, 1, slope)
    near, far = base - high[line], base - low[line]
    near, far = np.where(slope > 0, near, far), np.where(slope > 0, far, near)
    first = np.where(flat, left[line], np.maximum(left[line], frames.col[line] - (-near // slope)))
    last = np.where(flat, right[line], np.minimum(right[line], frames.col[line] + far // slope))
    return _Spans(line, row, first, np.maximum(last - first + 1, 0))


def _vertices_in(spans: _Spans, borders: Borders, asked: Bools) -> tuple[Counts, Counts, Counts]:
    """Vertices of the map in the spans of the sections asked about: section, row, column."""
    count = np.where(asked[spans.section], spans.size, 0)
    none = spans.section[:0]
    vertices = [(none, none, none)]
    for some in batches(count, MOST):
        span = np.repeat(np.arange(some.start, some.stop), count[some])
        col = ranges(spans.first[some], count[some])
        hit = borders.is_vertex(spans.row[span].astype(np.int32), col.astype(np.int32))
        vertices.append((spans.section[span[hit]], spans.row[span[hit]], col[hit]))
    section, row, col = map(np.concatenate, zip(*vertices, strict=True))
    return section, row, col


def _foreign(
    sections: Sections, which: Counts, row: Counts, col: Counts, asked: Bools
) -> tuple[Counts, Counts, Counts]:
    """The vertices that do not belong to the section beside which they lie."""
    length = np.diff(sections.start)
    number = np.cumsum(asked) - 1  # among the sections asked about
    own = np.flatnonzero(np.repeat(asked, length))
    section = np.repeat(number, length)[own]
    width = max(int(sections.col.max()), int(col.max(initial=0))) + 1
    size = (max(int(sections.row.max()), int(row.max(initial=0))) + 1) * width
    mine = section * size + sections.row[own] * width + sections.col[own]
    foreign = ~np.isin(number[which] * size + row * width + col, mine)
    return which[foreign], row[foreign], col[foreign]


def _swept(sections: Sections, frames: _Frames, which: Counts, row: Counts, col: Counts) -> Counts:
    """Sections whose shortcut sweeps over one of these points."""
    length = np.diff(sections.start)
    edges = length[which] - 1
    along, aside = frames.along(which, row, col), frames.aside(which, row, col)
    own = np.repeat(np.arange(len(length)), length)
    own_along = frames.along(own, sections.row, sections.col)
    own_aside = frames.aside(own, sections.row, sections.col)
    swept = [which[aside == 0]]  # on the line
    for some in batches(edges, MOST):
        point = np.repeat(np.arange(some.start, some.stop), edges[some])
        vertex = ranges(sections.start[which[some]], edges[some])
        # how far ahead of the point each edge begins and ends, and how far beyond it
        ahead, ahead_next = (own_along[end] - along[point] for end in (vertex, vertex + 1))
        side = np.sign(aside[point])
        beyond, beyond_next = (
            (own_aside[end] - aside[point]) * side for end in (vertex, vertex + 1)
        )
        step = ahead_next - ahead  # where it is 0, the neighboring edges cover its ends
        passes = (step != 0) & (ahead * np.sign(step) <= 0) & (ahead_next * np.sign(step) >= 0)
        over = (beyond * step - (beyond_next - beyond) * ahead) * np.sign(step)
        swept.append(which[point][passes & (over >= 0)])
    return np.unique(np.concatenate(swept))
