"""Where the borders of a change map turn and meet: one bit per lattice point.

A border runs between two pixels of different transition, which unchanged and nodata are, too. At a
vertex a border turns or meets others; a junction is a vertex where three or four borders meet. The
corners of the map are junctions, so that its edge stays where it is.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scdcli.legend import TRANSITION_NODATA
from scdcli.polygons.trace.outlines import Ints

Bits = NDArray[np.uint8]
BITS = 8
BESIDE = TRANSITION_NODATA - 1  # left and right of the map; above and below it lies nodata


class Borders(NamedTuple):
    """Vertices and junctions of consecutive lattice rows, eight columns to a byte."""

    row: int  # of the first one
    vertex: Bits  # (n, (W + 8) // 8)
    junction: Bits  # same shape

    def is_vertex(self, row: Ints, col: Ints) -> NDArray[np.bool_]:
        """Whether borders turn or meet at these lattice points; all must be in these rows."""
        return _bit(self.vertex, row - np.int32(self.row), col)

    def is_junction(self, row: Ints, col: Ints) -> NDArray[np.bool_]:
        """Whether three or four borders meet at these lattice points."""
        return _bit(self.junction, row - np.int32(self.row), col)


def find_borders(row: int, transition: NDArray[np.uint16]) -> Borders:
    """The borders around the lattice rows between rows of pixels.

    Args:
        row: Lattice row between the first two rows given.
        transition: Last row of the strip before, then the rows of this one, (h + 1, W).
    """
    code = np.pad(transition, ((0, 0), (1, 1)), constant_values=BESIDE)
    beside = code[:, 1:] != code[:, :-1]
    across = code[1:] != code[:-1]
    up, down, left, right = beside[:-1], beside[1:], across[:, :-1], across[:, 1:]
    vertex = (up | down) & (left | right)
    junction = vertex & ((up & down) | (left & right))
    return Borders(row, np.packbits(vertex, axis=1), np.packbits(junction, axis=1))


def between(borders: list[Borders], first: int, last: int) -> Borders:
    """The borders of lattice rows ``first`` to ``last``; all of these must be among them."""
    needed = [part for part in borders if part.row <= last and part.row + len(part.vertex) > first]
    return Borders(
        needed[0].row,
        np.concatenate([part.vertex for part in needed]),
        np.concatenate([part.junction for part in needed]),
    )


def since(borders: list[Borders], first: int) -> list[Borders]:
    """The borders without those that lie wholly above a lattice row."""
    return [part for part in borders if part.row + len(part.vertex) > first]


def _bit(bits: Bits, row: Ints, col: Ints) -> NDArray[np.bool_]:
    bit: NDArray[np.bool_] = (bits[row, col // BITS] >> (BITS - 1 - col % BITS) & 1).astype(bool)
    return bit
