"""The pixels of a pair that its statistics are made of: windows spread over it.

They are the same whatever is then done; of a scene of at most 1024 by 1024 pixels they are all.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.rasters.grid import spread_windows

SIDE = 128  # pixels: larger windows touch fewer of the blocks that files and warps consist of
PER_AXIS = 8
MOST_BYTES = 256 << 20  # of both dates together: of many bands fewer windows are read
MOST_PLACES = 50_000

ReadPair = Callable[[Window], tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]]


class Sample(NamedTuple):
    """One window of a pair.

    Attributes:
        before: (C, h, w) float32.
        after: The same at the later date.
        valid: Where both are measured, (h, w) bool.
    """

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    valid: NDArray[np.bool_]


def sample_pair(read: ReadPair, sampled: Window, count: int, pairs: int = 1) -> Iterator[Sample]:
    """Up to 64 windows of 128 pixels, spread over a part; all of it where it is small.

    Args:
        read: Reads a window of both dates, stretched.
        sampled: The part, in the pixels that are read.
        count: Bands.
        pairs: How many pairs share the memory.
    """
    most = int((MOST_BYTES / (SIDE * SIDE * 2 * 4 * count * pairs)) ** 0.5)
    shape, (top, left) = (sampled.height, sampled.width), (sampled.row_off, sampled.col_off)
    for each in spread_windows(shape, SIDE, max(1, min(PER_AXIS, most))):
        window = Window(left + each.col_off, top + each.row_off, each.width, each.height)
        yield Sample(*read(window))


def pixels_of(windows: list[Sample]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The valid pixels of either date, (C, N)."""
    before = np.concatenate([each.before[:, each.valid] for each in windows], axis=1)
    after = np.concatenate([each.after[:, each.valid] for each in windows], axis=1)
    return before, after


def places_of(windows: list[Sample], side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of squares of ``side`` pixels that are all measured, (C, N) of either date."""
    dates: tuple[list[NDArray[np.float64]], ...] = ([], [])
    for each in windows:
        valid = _squares(each.valid[None].astype(np.float64), side)[0] == 1
        for date, image in zip(dates, (each.before, each.after), strict=True):
            date.append(_squares(image.astype(np.float64), side)[:, valid])
    before, after = (np.concatenate(date, axis=1) for date in dates)
    step = max(1, -(-before.shape[1] // MOST_PLACES))
    return before[:, ::step], after[:, ::step]


def _squares(image: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """(C, h, w) to the means of whole squares."""
    count, height, width = (len(image), image.shape[1] // side, image.shape[2] // side)
    whole = image[:, : height * side, : width * side]
    return np.asarray(whole.reshape(count, height, side, width, side).mean(axis=(2, 4)))
