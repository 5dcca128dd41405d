"""What a network sees of a pair, chip by chip."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.prediction.tiling import Supertile
from scdcli.rasters.pair.open import Pair


@dataclass(frozen=True)
class Chip:
    """What both dates show in one window, filled up to the chip's size."""

    window: Window
    before: NDArray[np.float32]  # (C, chip, chip)
    after: NDArray[np.float32]
    valid: NDArray[np.bool_]  # (h, w) of the part inside the scene


def read_chips(pair: Pair, tile: Supertile, mean: NDArray[np.float32]) -> Iterator[Chip]:
    """The chips of a supertile, in order.

    Args:
        pair: The two scenes.
        tile: Whose chips to read.
        mean: What stands where a date has no measurement, (C,).

    Raises:
        InputError: An image cannot be read.
    """
    for window in tile.chips:
        height = min(window.height, pair.grid.height - window.row_off)
        width = min(window.width, pair.grid.width - window.col_off)
        inside = Window(window.col_off, window.row_off, width, height)
        before, after, valid = pair.read(inside)
        before[:, ~valid] = mean[:, None]
        after[:, ~valid] = mean[:, None]
        # Mirrored, not zero: an edge the network never saw would look like a change of cover.
        pad = ((0, 0), (0, window.height - height), (0, window.width - width))
        before, after = (np.pad(x, pad, mode="symmetric") for x in (before, after))
        yield Chip(window, before, after, valid)


def mark(valid: NDArray[np.bool_], core: Window, chip: Chip) -> None:
    """Enter in ``valid``, (H, W) of ``core``, where both dates of a chip have measurements."""
    top, left = chip.window.row_off - core.row_off, chip.window.col_off - core.col_off
    height, width = chip.valid.shape
    rows = slice(max(top, 0), max(top + height, 0))
    cols = slice(max(left, 0), max(left + width, 0))
    part = valid[rows, cols]
    part[:] = chip.valid[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
