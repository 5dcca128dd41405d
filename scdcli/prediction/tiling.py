"""Chips over a scene: one lattice, fixed blending weights, supertiles that bound the memory.

The lattice is anchored at the grid's origin and depends on nothing but the scene's size, and every
pixel sums its chips in the same order, so the result is the same however a scene is split into
supertiles, and whatever part of it is wanted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.errors import InputError

MULTIPLE = 32  # pixels: what the coarsest features of the encoders stand for
SMALLEST = 64  # side of a chip, of however small a scene


@dataclass(frozen=True)
class Tiling:
    """Side of a chip, pixels shared by neighboring chips, and the core of a supertile in strides.

    Raises:
        InputError: The overlap leaves no stride.
    """

    chip: int = 512
    overlap: int = 64
    supertile: int = 4

    def __post_init__(self) -> None:
        """Refuse an overlap that would never advance."""
        if not 0 <= self.overlap <= self.chip // 2:
            raise InputError(
                f"the overlap is {self.overlap} pixels, the chip {self.chip}; give an overlap "
                f"from 0 to {self.chip // 2}."
            )

    @property
    def stride(self) -> int:
        """Pixels from one chip to the next."""
        return self.chip - self.overlap


@dataclass(frozen=True)
class Supertile:
    """A rectangle that is finished in one go, and the chips it takes, also from outside.

    Attributes:
        core: The rectangle.
        chips: The chips that touch its reach, in lattice order.
        reach: The core and the pixels around it that have a say in its own.
    """

    core: Window
    chips: tuple[Window, ...]
    reach: Window

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of all its chips."""
        return self.chips[0].height, self.chips[0].width


def lattice(length: int, tiling: Tiling) -> list[int]:
    """Starts of the chips along one axis; the last ends at the edge, none lies outside.

    Example: ``lattice(1000, Tiling(512, 128)) == [0, 384, 488]``.
    """
    last = max(0, length - tiling.chip)
    return [*range(0, last, tiling.stride), last]


def side(length: int, tiling: Tiling) -> int:
    """Side of the chips along an axis: less than a whole chip where the scene is that small."""
    return min(tiling.chip, max(SMALLEST, -(-length // MULTIPLE) * MULTIPLE))


def supertiles(
    height: int, width: int, tiling: Tiling, whole: Window | None = None, around: int = 0
) -> Iterator[Supertile]:
    """Cores that cover a part row by row, each with all chips that touch its reach.

    Args:
        height: Of the part, pixels.
        width: Of the part.
        tiling: Chips and supertiles.
        whole: Where the scene lies, in pixels of the part; by default the part is all of it.
        around: How far a core reaches beyond its edges, pixels; never beyond the scene.
    """
    whole = whole or Window(0, 0, width, height)
    chip_height, chip_width = side(whole.height, tiling), side(whole.width, tiling)
    rows = [start + whole.row_off for start in lattice(whole.height, tiling)]
    cols = [start + whole.col_off for start in lattice(whole.width, tiling)]
    for top, bottom in pairwise(_cuts(height, whole.row_off, tiling)):
        for left, right in pairwise(_cuts(width, whole.col_off, tiling)):
            core = Window(left, top, right - left, bottom - top)
            reach = grown(core, around).intersection(whole)
            chips = tuple(
                Window(col, row, chip_width, chip_height)
                for row in rows
                if row < reach.row_off + reach.height and row + chip_height > reach.row_off
                for col in cols
                if col < reach.col_off + reach.width and col + chip_width > reach.col_off
            )
            yield Supertile(core, chips, reach)


def grown(window: Window, by: int) -> Window:
    """A window with so many pixels more on every side."""
    top, left = window.row_off - by, window.col_off - by
    return Window(left, top, window.width + 2 * by, window.height + 2 * by)


def inside(window: Window, outer: Window) -> tuple[slice, slice]:
    """The rows and columns of a window in the pixels of one that holds it."""
    top, left = window.row_off - outer.row_off, window.col_off - outer.col_off
    return slice(top, top + window.height), slice(left, left + window.width)


def _cuts(length: int, origin: int, tiling: Tiling) -> list[int]:
    """Where cores begin along one axis, and the end: in the middle of chips, from ``origin`` on.

    There a core can reach as far as neighboring chips do not overlap without one chip more. What
    would be left at the end, less than half a chip, belongs to the last core.
    """
    step, half = tiling.supertile * tiling.stride, tiling.chip // 2
    return [0, *range(step - -(origin + half) % tiling.stride, length - half, step), length]


def taper(shape: tuple[int, int], tiling: Tiling) -> NDArray[np.float32]:
    """Blending weights of a chip, (height, width) float32 in (0, 1]: a cosine across the overlap.

    Args:
        shape: Height and width of the chip; along a side that is less than a whole chip's it is
            the only one.
        tiling: Chips and supertiles.
    """
    ramp = np.ones(tiling.chip)
    if tiling.overlap:
        rise = np.sin(np.pi / 2 * (np.arange(tiling.overlap) + 0.5) / tiling.overlap) ** 2
        ramp[: tiling.overlap] = rise
        ramp[-tiling.overlap :] = rise[::-1]
    height, width = (ramp if length == tiling.chip else np.ones(length) for length in shape)
    return np.outer(height, width).astype(np.float32)


class Blend:
    """Weighted mean of overlapping chips over one core.

    Chips are added in lattice order; anything that lies outside the core is dropped.
    """

    def __init__(self, core: Window, channels: int, weights: NDArray[np.float32]) -> None:
        """Start with nothing: (channels, core height, core width) float32 zeros.

        Args:
            core: What is blended.
            channels: Of the values.
            weights: Of a chip, see `taper`.
        """
        self._core = core
        self._weights = weights
        self._sum = np.zeros((channels, core.height, core.width), dtype=np.float32)
        self._weight = np.zeros((core.height, core.width), dtype=np.float32)

    def add(self, window: Window, values: NDArray[np.float32]) -> None:
        """Add a chip's (channels, height, width) float32 at its window."""
        inside, chip = overlap(self._core, window, self._weights.shape)
        weights = self._weights[chip]
        self._sum[(slice(None), *inside)] += weights * values[(slice(None), *chip)]
        self._weight[inside] += weights

    def state(self) -> dict[str, NDArray[np.float32]]:
        """The sums and weights so far, by name; not copied."""
        return {"sum": self._sum, "weight": self._weight}

    def restore(self, state: Mapping[str, NDArray[np.float32]]) -> None:
        """Go on from a `state` of the same core."""
        self._sum[:] = state["sum"]
        self._weight[:] = state["weight"]

    def mean(self) -> NDArray[np.float32]:
        """The blended values, (channels, h, w); 0 where no chip was added. Ends the blend."""
        self._sum /= np.where(self._weight > 0, self._weight, 1)
        return self._sum


def overlap(
    core: Window, chip: Window, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The pixels that a core and a chip share, as rows and columns of the core and of the chip.

    Args:
        core: Window of the core.
        chip: Window of the chip.
        shape: Height and width of the part of the chip that counts, from its first pixel on.
    """
    top, left = max(chip.row_off, core.row_off), max(chip.col_off, core.col_off)
    bottom = min(chip.row_off + shape[0], core.row_off + core.height)
    right = min(chip.col_off + shape[1], core.col_off + core.width)
    in_core, in_chip = (
        (
            slice(top - each.row_off, bottom - each.row_off),
            slice(left - each.col_off, right - each.col_off),
        )
        for each in (core, chip)
    )
    return in_core, in_chip
