"""The maps of a prediction made small enough for a page, from their own overviews."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scdcli.legend import NODATA, UNCHANGED, split_transition
from scdcli.rasters.scene import open_scene
from scdcli.reporting.finished import MAPS, Finished

LONGEST = 2048  # pixels of a side on the page


@dataclass(frozen=True)
class Overview:
    """Maps at one pixel in every ``step`` along either axis.

    Attributes:
        step: A power of two.
        from_class: Class before where changed, 0 unchanged, 255 nodata, (h, w) uint8.
        to_class: The same after.
        confidence: Probability of change in percent where changed, else 0, (h, w) uint8.
    """

    step: int
    from_class: NDArray[np.uint8]
    to_class: NDArray[np.uint8]
    confidence: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w)."""
        height, width = self.from_class.shape
        return height, width

    def coarser(self) -> "Overview":
        """Every second pixel of every second row."""
        half = (slice(None, None, 2), slice(None, None, 2))
        layers = (self.from_class[half], self.to_class[half], self.confidence[half])
        return Overview(2 * self.step, *layers)


def read_overview(prediction: Finished, longest: int = LONGEST) -> Overview:
    """The maps, no side longer than ``longest``.

    Raises:
        InputError: A map cannot be read.
    """
    step = 1
    while ceil(max(prediction.grid.shape) / step) > longest:
        step *= 2
    shape = tuple(ceil(side / step) for side in prediction.grid.shape)
    codes, chances = (_read(prediction.folder / name, shape) for name in MAPS)
    from_class, to_class = split_transition(codes)
    changed = (from_class != UNCHANGED) & (from_class != NODATA)
    # Averages of overviews may have lost the nodata of a single pixel.
    sure = np.where(changed & (chances <= 100), chances, 0).astype(np.uint8)
    return Overview(step, from_class, to_class, sure)


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    with open_scene(path) as dataset:
        pixels: NDArray[np.uint16] = dataset.read(1, out_shape=shape)
        return pixels
