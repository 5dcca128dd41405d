"""Linked corners of finished components as closed rings in a canonical order."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from scdcli.polygons.trace.outlines import Corners, Ints, Positions


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
