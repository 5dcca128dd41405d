"""Connected components of a change map, strip by strip.

A part of a component is a row of `Components`; a run of pixels is the smallest part. Parts that
touch are merged into one, so a component is complete as soon as no later row can reach it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scdcli.polygons.strips import Runs, is_change


class Components(NamedTuple):
    """Components, or their parts in the strips so far; every field is an array (N,)."""

    code: NDArray[np.uint16]  # transition
    first: NDArray[np.int64]  # first pixel, row-major index in the map
    last: NDArray[np.int64]  # last row with a pixel
    pixels: NDArray[np.int64]
    certainty: NDArray[np.int64]  # sum of the change probability, percent
    area: NDArray[np.float64]  # square metres (square pixels without a CRS)

    def take(self, which: NDArray[np.int64]) -> "Components":
        """The components with these numbers, in this order."""
        return Components._make(field[which] for field in self)


def no_components() -> Components:
    """No components."""
    counts = np.empty(0, dtype=np.int64)
    return Components(np.empty(0, np.uint16), counts, counts, counts, counts, np.empty(0))


def with_runs(pending: Components, runs: Runs) -> tuple[Components, NDArray[np.int32]]:
    """The pending parts followed by one part per changed run.

    Returns:
        The parts, and for every pixel of the strip the number of its part, (h, W) int32; -1 where
        nothing changed.
    """
    height, width = runs.transition.shape
    changed = is_change(runs.code)
    number = np.full(len(changed), -1, dtype=np.int32)
    number[changed] = np.arange(np.count_nonzero(changed)) + len(pending.code)
    first = runs.start[changed] + runs.row * width
    fresh = Components(
        runs.code[changed],
        first,
        first // width,
        runs.length[changed],
        runs.certainty[changed],
        runs.area[changed],
    )
    parts = Components._make(map(np.concatenate, zip(*[pending, fresh], strict=True)))
    return parts, np.repeat(number, runs.length).reshape(height, width)


def merge(
    parts: Components, one: NDArray[np.int32], other: NDArray[np.int32]
) -> tuple[Components, NDArray[np.int32]]:
    """The components that parts form where they touch.

    Args:
        parts: N parts.
        one: Numbers of parts, (m,)
        other: The part each of them touches, (m,); of the same transition.

    Returns:
        The merged components, and for every part the number of its component, (N,) int32.
    """
    size = len(parts.code)
    touch = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(size, size))
    count, label = connected_components(touch, directed=False)
    code = np.empty(count, dtype=np.uint16)
    code[label] = parts.code
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, label, parts.first)
    last = np.zeros(count, dtype=np.int64)
    np.maximum.at(last, label, parts.last)
    # bincount adds in float64, which is exact here: every sum stays below 2 ** 53
    pixels, certainty, area = (
        np.bincount(label, weights=field, minlength=count).astype(field.dtype, copy=False)
        for field in parts[3:]
    )
    return Components._make([code, first, last, pixels, certainty, area]), label
