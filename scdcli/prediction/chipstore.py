"""Chips on the border of two supertiles, predicted once and kept on disk for the second.

Without it a large scene costs 1.6 times the forward passes: a supertile of four strides takes five
chips a side. What is kept is what was computed, to the bit, so results do not depend on it.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.prediction.tiling import Supertile


class PredictedChip(NamedTuple):
    """A chip with what the network says of it.

    Attributes:
        window: Where it lies; may reach beyond the scene.
        valid: Where both dates have measurements, (h, w) bool of the part inside the scene.
        probabilities: (P, height, width) float32.
        again: Whether it was looked at again, in other views than the plain one.
    """

    window: Window
    valid: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    again: bool = False


class ChipStore:
    """Predicted chips, each until the last supertile that it belongs to has taken it."""

    def __init__(self, folder: Path, tiles: Iterable[Supertile]) -> None:
        """Made by `chip_store`."""
        self._folder = folder
        self._wanted = Counter(_name(window) for tile in tiles for window in tile.chips)

    def take(self, window: Window) -> PredictedChip | None:
        """A chip that an earlier supertile has predicted; None if there is none."""
        path = self._path(window)
        try:
            with path.open("rb") as stream:
                valid, values, again = (np.load(stream, allow_pickle=False) for _ in range(3))
        except (OSError, ValueError, EOFError):  # not there, or cut off by a full disk
            return None
        if self._wanted[path.stem] <= 1:
            path.unlink(missing_ok=True)
        self._wanted[path.stem] -= 1
        return PredictedChip(window, valid, values, bool(again))

    def keep(self, chip: PredictedChip) -> None:
        """Keep a chip, if another supertile wants it and there is room."""
        path = self._path(chip.window)
        self._wanted[path.stem] -= 1
        if self._wanted[path.stem] > 0:
            with suppress(OSError):  # it is predicted again then
                self._folder.mkdir(exist_ok=True)
                with path.open("wb") as stream:
                    np.save(stream, chip.valid)
                    np.save(stream, chip.probabilities)
                    np.save(stream, chip.again)

    def _path(self, window: Window) -> Path:
        return self._folder / f"{_name(window)}.npy"


def _name(window: Window) -> str:
    return f"{window.row_off}_{window.col_off}"


@contextmanager
def chip_store(tiles: Iterable[Supertile], folder: Path | None = None) -> Iterator[ChipStore]:
    """A store that is gone at the end.

    Args:
        tiles: The supertiles that are to be predicted.
        folder: Where to keep chips; made when there is one to keep. By default a temporary one.
    """
    made = folder or Path(tempfile.mkdtemp(prefix="scd-"))
    try:
        yield ChipStore(made, tiles)
    finally:
        shutil.rmtree(made, ignore_errors=True)
