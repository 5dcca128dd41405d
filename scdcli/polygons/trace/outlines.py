"""Outlines of the components of a change map: corners found row by row and linked.

A corner is a lattice point where the outline of a component turns; every outline runs with its
component on the left as seen on the screen. Horizontal edges are complete as soon as their two rows
are known. A vertical edge that reaches the last known row stays open and is closed by a later
strip, so strips leave no trace in the outlines and no vertex lies on a straight edge.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from scdcli.polygons.strips import is_change

Bools = NDArray[np.bool_]
Ints = NDArray[np.int32]
Positions = NDArray[np.int64]


class Corners(NamedTuple):
    """Corners of unfinished outlines, (N,) each, and what is still to be decided about them."""

    row: Ints  # lattice row, 0..H
    col: Ints  # lattice column, 0..W
    follower: Ints  # number of the next corner along the outline; -1 not yet known
    part: Ints  # number of the component (part) it belongs to
    loose: Ints  # numbers of the corners whose vertical edge goes on below the last known row
    loose_right: Bools  # for each of those: the component lies right of the edge
    crossings: Ints  # (n, 2) pairs of corners at one point, of diagonal pixels that are alike


class _Edges(NamedTuple):
    """Horizontal edges of one side's components; pixels are row-major indices in the strip."""

    first: Positions  # leftmost pixel
    last: Positions  # rightmost pixel
    convex_left: Bools  # the outline turns around the component at the left end
    convex_right: Bools


def no_corners() -> Corners:
    """No corners."""
    none = np.empty(0, dtype=np.int32)
    return Corners(none, none, none, none, none, np.empty(0, bool), np.empty((0, 2), np.int32))


def add_corners(known: Corners, row: int, transition: NDArray[np.uint16], part: Ints) -> Corners:
    """The known corners and those between the rows of a strip, linked as far as possible.

    Args:
        known: What earlier strips left.
        row: Lattice row between the first two rows given.
        transition: Last row of the strip before, then the rows of this one, (h + 1, W).
        part: Number of each pixel's component part, same shape; -1 where nothing changed.
    """
    width = transition.shape[1]
    below, above = _edges(transition)
    first = np.concatenate([below.first, above.first])
    last = np.concatenate([below.last, above.last])
    lattice_row, left = np.divmod(first, width)
    is_below = np.arange(len(first)) < len(below.first)
    owner = part.ravel()[first + np.where(is_below, width, 0)]
    convex = np.concatenate([below[2], above[2], below[3], above[3]])
    is_left = np.arange(2 * len(first)) < len(first)
    joined = Corners(
        np.concatenate([known.row, np.tile(lattice_row + row, 2)]).astype(np.int32),
        np.concatenate([known.col, left, last % width + 1]).astype(np.int32),
        np.concatenate([known.follower, _along_rows(is_below, len(known.row))]),
        np.concatenate([known.part, owner, owner]),
        known.loose,
        known.loose_right,
        np.concatenate([known.crossings, _crossings(transition, below, above, len(known.row))]),
    )
    return _join_vertically(
        joined, len(known.row), np.tile(is_below, 2) == convex, is_left == convex
    )


def release(corners: Corners, number: Ints, unfinished: Bools) -> tuple[Corners, Corners]:
    """Separate the corners of finished components from the others.

    Args:
        corners: All corners.
        number: For every component, its new number among the finished or the unfinished.
        unfinished: Which components later rows may still reach.

    Returns:
        The corners of the finished components, their rings complete, and the others.
    """
    stays = unfinished[corners.part]
    one, other = corners.crossings.T
    alike = corners.part[one] == corners.part[other]
    follower = corners.follower.copy()
    decided = corners.crossings[alike & ~stays[one]]
    follower[decided] = corners.follower[decided[:, ::-1]]
    complete = corners._replace(
        part=number[corners.part], follower=follower, crossings=corners.crossings[:0]
    )
    undecided = corners._replace(
        part=complete.part, crossings=corners.crossings[stays[one] & stays[other]]
    )
    return _take(complete, ~stays), _take(undecided, stays)


def _take(corners: Corners, which: Bools) -> Corners:
    """Some of the corners, numbered anew; they follow and cross only each other."""
    number = np.cumsum(which, dtype=np.int32) - np.int32(1)
    follower = corners.follower[which]
    loose = which[corners.loose]
    return Corners(
        corners.row[which],
        corners.col[which],
        np.where(follower >= 0, number[follower], np.int32(-1)),
        corners.part[which],
        number[corners.loose[loose]],
        corners.loose_right[loose],
        number[corners.crossings],
    )


def _edges(transition: NDArray[np.uint16]) -> tuple[_Edges, _Edges]:
    """Edges of the components below and above the lattice rows between the rows given."""
    height, width = transition.shape
    joined = np.zeros((height, width + 1), dtype=bool)
    np.equal(transition[:, 1:], transition[:, :-1], out=joined[:, 1:-1])
    changed = is_change(transition)
    border = transition[1:] != transition[:-1]
    straight = border[:, 1:] & border[:, :-1]
    below = _side(border & changed[1:], straight & joined[1:, 1:-1], joined[1:])
    above = _side(border & changed[:-1], straight & joined[:-1, 1:-1], joined[:-1])
    return below, above


def _side(edge: Bools, goes_on: Bools, joined: Bools) -> _Edges:
    starts, stops = edge.copy(), edge.copy()
    starts[:, 1:] &= ~goes_on
    stops[:, :-1] &= ~goes_on
    first, last = np.flatnonzero(starts), np.flatnonzero(stops)
    width = edge.shape[1]
    links = joined.ravel()
    # `joined` has one column more than the strip: whether pixel c goes with pixel c - 1, 0..W
    return _Edges(first, last, ~links[first + first // width], ~links[last + last // width + 1])


def _along_rows(is_below: Bools, known: int) -> Ints:
    """Followers along horizontal edges: leftwards above a component, rightwards below it."""
    size = len(is_below)
    number = np.arange(known, known + size, dtype=np.int32)
    left = np.where(is_below, np.int32(-1), number + np.int32(size))
    right = np.where(is_below, number, np.int32(-1))
    return np.concatenate([left, right])


def _crossings(transition: NDArray[np.uint16], below: _Edges, above: _Edges, known: int) -> Ints:
    """Pairs of corners where two pixels touch only diagonally and are alike."""
    width = transition.shape[1]
    pixel = transition.ravel()
    offset = len(below.first)
    total = offset + len(above.first)
    pairs = []
    for edges, partners, here, diagonal, number, partner_number in (
        (below, above, width, -1, 0, total + offset),
        (above, below, 0, width - 1, offset, total),
    ):
        convex = np.flatnonzero(edges.convex_left & (edges.first % width > 0))
        first = edges.first[convex]
        convex = convex[pixel[first + here] == pixel[first + diagonal]]
        partner = np.searchsorted(partners.last, edges.first[convex] - 1)
        pairs.append(np.stack([convex + number, partner + partner_number], axis=1) + known)
    return np.concatenate(pairs).astype(np.int32)


def _join_vertically(corners: Corners, known: int, down: Bools, right: Bools) -> Corners:
    """Link the upper to the lower end of every vertical edge, following the open ones.

    Args:
        corners: All corners; those from number ``known`` on are new.
        known: Number of the first new corner.
        down: For each new corner, whether its vertical edge goes down from it.
        right: For each new corner, whether its component lies right of that edge.
    """
    number = np.concatenate([corners.loose, np.arange(known, len(corners.row), dtype=np.int32)])
    goes_down = np.concatenate([np.ones(len(corners.loose), dtype=bool), down])
    lies_right = np.concatenate([corners.loose_right, right])
    row, col = corners.row[number], corners.col[number].astype(np.int64)
    height = np.int64(row.max(initial=0)) + 1
    order = np.argsort(((col * 2 + lies_right) * height + row) * 2 + goes_down)
    number, goes_down, lies_right = number[order], goes_down[order], lies_right[order]
    paired = goes_down & ~np.append(goes_down[1:], True)
    upper = np.flatnonzero(paired)
    source = np.where(lies_right[upper], number[upper], number[upper + 1])
    target = np.where(lies_right[upper], number[upper + 1], number[upper])
    corners.follower[source] = target
    loose = goes_down & ~paired
    return corners._replace(loose=number[loose], loose_right=lies_right[loose])


class Rings(NamedTuple):
    """Closed outlines of components: the exterior first, then the holes in raster order."""

    row: Ints  # lattice rows of all vertices; the first vertex of a ring is repeated at its end
    col: Ints
    ring_start: Positions  # (rings + 1,) where each ring starts among the vertices
    component_start: Positions  # (components + 1,) where each component starts among the rings


def link_rings(corners: Corners, count: int) -> Rings:
    """The rings through the corners of ``count`` finished components, in canonical order."""
    size = len(corners.row)
    _, ring = connected_components(_graph(corners.follower), connection="strong")
    place = corners.row * (np.int64(corners.col.max()) + 1) + corners.col
    topmost = np.full(ring.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(topmost, ring, place)
    head = np.flatnonzero(place == topmost[ring])
    head = head[np.lexsort((place[head], corners.part[head]))]
    is_head = np.zeros(size, dtype=bool)
    is_head[head] = True
    tail = np.empty(len(head), dtype=np.int32)
    before_head = np.flatnonzero(is_head[corners.follower])
    tail[ring[before_head]] = before_head
    path = corners.follower.copy()
    path[tail[ring[head[:-1]]]] = head[1:]  # one path through all rings, in their final order
    order = breadth_first_order(_graph(path), head[0], return_predecessors=False)
    ring_start = np.concatenate([[0], np.cumsum(np.bincount(ring)[ring[head]] + 1)])
    closing = np.zeros(size + len(head), dtype=bool)
    closing[ring_start[1:] - 1] = True
    vertex = np.empty(len(closing), dtype=np.int32)
    vertex[~closing] = order
    vertex[closing] = head
    component_start = np.searchsorted(corners.part[head], np.arange(count + 1))
    return Rings(corners.row[vertex], corners.col[vertex], ring_start, component_start)


def _graph(follower: Ints) -> csr_array:
    """The graph with one arrow from every corner to the next."""
    size = len(follower)
    arrows = np.ones(size), follower, np.arange(size + 1, dtype=np.int32)
    return csr_array(arrows, shape=(size, size))
