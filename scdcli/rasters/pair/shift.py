"""By how many pixels AFTER lies beside BEFORE although both have the same georeference."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import fft
from scipy.ndimage import gaussian_filter, minimum_filter

from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.open import Pair
from scdcli.rasters.warp import BLOCK

EDGE_WIDTH = 0.7  # pixels, of the smoothing before a gradient is taken
REACH = 2  # pixels on every side that a gradient is made of
SMOOTHING = 20.0  # pixels squared: fine detail is mostly noise, its phases count less
STEPS = (0.1, 0.01)  # pixels, between which the peak is looked for, ever closer
LEAST_HEIGHT = 6.0  # of a peak above the rest, in robust standard deviations of the rest
LEAST_RATIO = 1.5  # of a peak to the next one
PEAK_RADIUS = 4  # pixels: what is as near belongs to the same peak
LARGEST_WINDOW = 256  # pixels
SMALLEST_WINDOW = 32
USUAL_SMALLEST = 64  # of scenes that are large enough: less holds too few edges
ENOUGH = 16  # places with an answer
PER_AXIS = 6  # places tried at most
LEAST_VALID = 0.5  # share of a window
AGREEMENT = 1.0  # pixels
LEAST_AGREEING = 3  # places; of a scene with few, a quarter


def displacement(
    before: NDArray[np.float32], after: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[float, float] | None:
    """(rows, cols) by which what BEFORE shows lies further down and right in AFTER.

    Up to a quarter of either side is looked for.

    Args:
        before: One band of one window, (H, W), any units.
        after: The same window at the later date.
        valid: Where both hold measurements, (H, W).

    Returns:
        Pixels, to a hundredth; None when no single displacement stands out.
    """
    inside = minimum_filter(valid, size=2 * REACH + 1, mode="nearest")
    slopes = (np.hanning(side + 2)[1:-1].astype(np.float32) for side in valid.shape)
    taper = np.multiply.outer(*slopes) * inside
    spectra = [fft.fft2(_edge_directions(picture, inside) * taper) for picture in (before, after)]
    crossed = spectra[1] * np.conj(spectra[0])
    size = np.abs(crossed)
    if not size.any():
        return None
    fades = (np.exp(-SMOOTHING * fft.fftfreq(side) ** 2) for side in valid.shape)
    weight = np.multiply.outer(*fades).astype(np.float32)
    phases = crossed * (weight / np.maximum(size, np.finfo(np.float32).tiny))
    near = _whole_pixels(fft.ifft2(phases).real)
    return None if near is None else _refined(phases, near)


def _edge_directions(
    picture: NDArray[np.float32], inside: NDArray[np.bool_]
) -> NDArray[np.csingle]:
    """Gradients as complex numbers, (H, W): long ones of length near 1, faint ones near 0."""
    down, right = (
        gaussian_filter(picture, EDGE_WIDTH, order=order, radius=REACH)
        for order in ((1, 0), (0, 1))
    )
    gradient = right + np.complex64(1j) * down
    height = np.abs(gradient)
    usual = height[inside].mean() if inside.any() else 0.0
    return np.asarray(gradient / (height + usual) if usual > 0 else np.zeros_like(gradient))


def _whole_pixels(surface: NDArray[np.float32]) -> tuple[int, int] | None:
    """Where a correlation surface peaks, in whole pixels; None when that could be chance."""
    centered = fft.fftshift(surface)
    middle = [side // 2 for side in surface.shape]
    reach = [side // 4 for side in surface.shape]
    window = tuple(slice(m - r, m + r + 1) for m, r in zip(middle, reach, strict=True))
    near = centered[window]
    row, col = (int(place) for place in np.unravel_index(near.argmax(), near.shape))
    peak, usual = float(near[row, col]), float(np.median(near))
    noise = 1.4826 * float(np.median(np.abs(near - usual)))
    others = near.copy()
    others[
        max(row - PEAK_RADIUS, 0) : row + PEAK_RADIUS + 1,
        max(col - PEAK_RADIUS, 0) : col + PEAK_RADIUS + 1,
    ] = -np.inf
    stands_out = peak - usual > LEAST_HEIGHT * noise and peak > LEAST_RATIO * others.max()
    return (row - reach[0], col - reach[1]) if stands_out else None


def _refined(phases: NDArray[np.csingle], near: tuple[int, int]) -> tuple[float, float]:
    """The peak of the surface between pixels, about one from ``near`` at most."""
    row, col = (float(place) for place in near)
    up, across = (fft.fftfreq(side) for side in phases.shape)
    for step in STEPS:
        around = step * np.arange(-10, 11)
        down = np.exp(2j * np.pi * np.multiply.outer(row + around, up))
        right = np.exp(2j * np.pi * np.multiply.outer(across, col + around))
        surface = (down.astype(np.complex64) @ phases @ right.astype(np.complex64)).real
        best = np.unravel_index(surface.argmax(), surface.shape)
        row, col = (float(place + around[b]) for place, b in zip((row, col), best, strict=True))
    return row, col


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
    when 16 have an answer.

    Returns:
        The shift; None when the scene is too small, too smooth or too different to tell.

    Raises:
        InputError: A file cannot be read.
    """
    places: list[tuple[float, float]] = []
    tried = 0
    for window in _places(pair.grid):
        before, after, valid = pair.read(window)
        if valid.mean() < LEAST_VALID:
            continue
        tried += 1
        moved = displacement(before.mean(axis=0), after.mean(axis=0), valid)
        if moved is not None:
            places.append(moved)
        if len(places) == ENOUGH:
            break
    return _agreed(np.array(places), tried) if places else None


def _agreed(places: NDArray[np.float64], tried: int) -> Shift | None:
    """The middle of the largest group of places that agree; None when too few do.

    A median of all would lie anywhere as soon as half of the places are misled.
    """
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    groups = apart <= AGREEMENT
    largest = groups[groups.sum(axis=1).argmax()]
    if largest.sum() < min(LEAST_AGREEING, tried / 4) or largest.sum() == 1 < len(places):
        return None
    rows, cols = np.median(places[largest], axis=0).tolist()
    spread = float(np.median(np.linalg.norm(places - (rows, cols), axis=1)))
    return Shift(rows, cols, spread, len(places))


def _places(grid: Grid) -> Iterator[Window]:
    """Windows spread over a grid, in an order in which the first ones are spread over it, too."""
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
