"""Arrays of pieces of unequal length, laid one after the other."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def ranges(first: Counts, length: Counts) -> Counts:
    """The numbers ``first, first + 1, ...`` of every piece, one after the other."""
    end = np.cumsum(length)
    number: Counts = np.repeat(first - (end - length), length)
    number += np.arange(len(number))
    return number


def starts(length: Counts) -> Counts:
    """Where each piece begins, and the end of the last."""
    return np.concatenate([[0], np.cumsum(length)])


def batches(length: Counts, most: int) -> Iterator[slice]:
    """Consecutive pieces whose lengths add up to ``most``, or single longer ones, as slices."""
    end = np.cumsum(length)
    first = 0
    while first < len(length):
        done = int(end[first] - length[first])
        last = max(first + 1, int(np.searchsorted(end, done + most, side="right")))
        yield slice(first, last)
        first = last
