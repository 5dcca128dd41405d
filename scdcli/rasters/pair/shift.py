"""By how many pixels AFTER lies beside BEFORE although both say they lie in one place."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.correlation import displacement
from scdcli.rasters.pair.open import Pair
from scdcli.rasters.warp import BLOCK

LARGEST_WINDOW = 256  # pixels
SMALLEST_WINDOW = 32
USUAL_SMALLEST = 64  # of scenes that are large enough: less holds too few edges
ENOUGH = 16  # places that tell
PER_AXIS = 6  # places tried at most
LEAST_VALID = 0.5  # share of a window
AGREEMENT = 1.0  # pixels
LEAST_AGREEING = 3  # places; of a scene with few, a quarter


@dataclass(frozen=True)
class Shift:
    """Where AFTER shows what BEFORE shows, all over the scene.

    Attributes:
        rows: Pixels of the BEFORE grid further down.
        cols: Pixels further right.
        spread: Pixels; half of the places lie within so much of (rows, cols).
        places: How many places the estimate rests on.
    """

    rows: float
    cols: float
    spread: float
    places: int

    @property
    def size(self) -> float:
        """Length in pixels."""
        return hypot(self.rows, self.cols)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, in pixels."""
        return {name: round(value, 2) for name, value in asdict(self).items()}

    def __str__(self) -> str:
        """For example ``2.9 pixels (2.4 rows down, 1.7 columns left)``."""
        down, right = "down" if self.rows >= 0 else "up", "right" if self.cols >= 0 else "left"
        return (
            f"{self.size:.1f} pixels ({abs(self.rows):.1f} rows {down}, "
            f"{abs(self.cols):.1f} columns {right})"
        )


def estimate_shift(pair: Pair) -> Shift | None:
    """The shift that most places of a pair agree on.

    At most 36 windows of 256 pixels are read, whatever the size of the scene, and reading ends
    when 16 have told.

    Returns:
        The shift; None when the scene is too small, too smooth or too different to tell.

    Raises:
        InputError: A file cannot be read.
    """
    found: list[tuple[float, float]] = []
    tried = 0
    for window in _places(pair.grid):
        before, after, valid = pair.read(window)
        if valid.mean() < LEAST_VALID:
            continue
        tried += 1
        place = displacement(before.mean(axis=0), after.mean(axis=0), valid)
        if place is not None:
            found.append(place)
        if len(found) == ENOUGH:
            break
    return _agreed(np.array(found), tried) if found else None


def _agreed(found: NDArray[np.float64], tried: int) -> Shift | None:
    """The middle of the largest group of places that agree; None when too few do.

    A median of all would lie anywhere as soon as half of the places are misled.
    """
    apart = np.linalg.norm(found[:, None] - found[None], axis=2)
    groups = apart <= AGREEMENT
    largest = groups[groups.sum(axis=1).argmax()]
    if largest.sum() < min(LEAST_AGREEING, tried / 4) or largest.sum() == 1 < len(found):
        return None
    rows, cols = np.median(found[largest], axis=0).tolist()
    spread = float(np.median(np.linalg.norm(found - (rows, cols), axis=1)))
    return Shift(rows, cols, spread, len(found))


def _places(grid: Grid) -> Iterator[Window]:
    """Windows spread over a grid, those read first too."""
    shortest = min(grid.shape)
    side = min(LARGEST_WINDOW, max(shortest // 2, USUAL_SMALLEST), shortest)
    if side < SMALLEST_WINDOW:
        return
    starts = [(row, col) for row in _starts(grid.height, side) for col in _starts(grid.width, side)]
    for number in np.random.default_rng(0).permutation(len(starts)).tolist():
        row, col = starts[number]
        yield Window(col, row, side, side)


def _starts(length: int, side: int) -> list[int]:
    """Where windows start along one axis; in one block each where there is room for that."""
    count = min(PER_AXIS, max(1, 2 * length // side - 1))
    spread = (round(start) for start in np.linspace(0, length - side, count))
    within = (start - max(start % BLOCK + side - BLOCK, 0) for start in spread)
    return sorted(set(within))
