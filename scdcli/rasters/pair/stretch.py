"""One linear stretch for both dates of a pair, so that the stretch itself never invents change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.errors import PairError
from scdcli.rasters.scene import Reader

PERCENTILES = (2, 98)
SAMPLE_SIDE = 64  # pixels
SAMPLES_PER_AXIS = 16


@dataclass(frozen=True)
class Stretch:
    """Per band, the value that becomes 0 and the value that becomes 255."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Stretched and clipped to 0..255, (C, H, W) float32; NaN stays NaN."""
        low = np.array(self.low)[:, None, None]
        width = np.array(self.high)[:, None, None] - low
        stretched = ((pixels - low) * (255 / width)).clip(0, 255)
        return np.asarray(stretched, dtype=np.float32)

    @property
    def note(self) -> str:
        """A sentence on what is done."""
        return f"One stretch to 0-255 for both dates: {self}."

    def __str__(self) -> str:
        """For example ``band 1: 120 to 3400``; bands count from 1 in the order they are used."""
        ranges = zip(self.low, self.high, strict=True)
        return ", ".join(
            f"band {band}: {low:.6g} to {high:.6g}"
            for band, (low, high) in enumerate(ranges, start=1)
        )


class DateSource(NamedTuple):
    """One date as a stretch samples it.

    Attributes:
        name: The file, for the errors.
        dtype: Type of its values.
        read: Reads a window of it.
        part: The window that is sampled.
    """

    name: str
    dtype: str
    read: Reader
    part: Window


def find_stretch(
    scale: tuple[float, float] | None, dates: tuple[DateSource, DateSource], count: int
) -> Stretch | None:
    """The stretch of both dates to 0..255; None where uint8 is used as it is.

    Raises:
        InputError: A file cannot be read.
        PairError: The types hardly hold one quantity, or nothing is measured.
    """
    if scale is not None:
        return fixed_stretch(scale, count)
    if is_taken_as_is(dates):
        return None
    samples = [sample(date.read, date.part) for date in dates]
    return joint_stretch(samples, (dates[0].name, dates[1].name))


def is_taken_as_is(dates: tuple[DateSource, DateSource]) -> bool:
    """Whether both dates are uint8, which needs no stretch.

    Raises:
        PairError: The types hardly hold one quantity.
    """
    first, second = dates
    if first.dtype == second.dtype == "uint8":
        return True
    if _family(first.dtype) != _family(second.dtype):
        raise PairError(
            f"{first.name} is {first.dtype} and {second.name} is {second.dtype}: no stretch fits "
            "both. Convert one to the units of the other, or give their common range with "
            "--scale LO,HI."
        )
    return False


def _family(dtype: str) -> str:
    """Types within a family may well hold the same quantity; across families they hardly do."""
    if dtype == "uint8":
        return dtype
    return "float" if dtype.startswith("float") else "integer"


def fixed_stretch(scale: tuple[float, float], count: int) -> Stretch:
    """The stretch the user asked for, the same in every band.

    Raises:
        PairError: The range is empty.
    """
    low, high = scale
    if not low < high:
        raise PairError(f"--scale {low:g},{high:g} is empty; give the lower value first.")
    return Stretch((float(low),) * count, (float(high),) * count)


def joint_stretch(
    samples: Sequence[NDArray[np.float32]], names: tuple[str, str] = ("BEFORE", "AFTER")
) -> Stretch:
    """The 2 to 98 % range per band of all samples together.

    Args:
        samples: One (C, N) float32 array per date, NaN where nothing was measured.
        names: Both files, for the errors.

    Raises:
        PairError: No sample has a measured pixel.
    """
    together = np.concatenate(samples, axis=1)
    together = together[:, np.isfinite(together).all(axis=0)]
    if together.shape[1] == 0:
        raise PairError(
            f"neither {names[0]} nor {names[1]} has a measured pixel where the two overlap: all is "
            "nodata. Check their nodata values with gdalinfo."
        )
    low, high = np.percentile(together, PERCENTILES, axis=1)
    high = np.where(high > low, high, low + 1)
    return Stretch(tuple(low.tolist()), tuple(high.tolist()))


def sample(read: Reader, part: Window, per_axis: int = SAMPLES_PER_AXIS) -> NDArray[np.float32]:
    """Pixels from small windows spread evenly over a part of a scene, (C, N) float32.

    At most 256 windows of 64 pixels are read, whatever the size of the scene, at full resolution:
    overviews are averages and would narrow the percentiles.

    Args:
        read: Reads a window.
        part: What is sampled.
        per_axis: Windows along either side, at least 2.
    """
    windows = [
        Window(part.col_off + col, part.row_off + row, width, height)
        for row, height in _spread(part.height, per_axis)
        for col, width in _spread(part.width, per_axis)
    ]
    pieces = [read(window) for window in windows]
    return np.concatenate([piece.reshape(len(piece), -1) for piece in pieces], axis=1)


def _spread(length: int, count: int) -> Iterator[tuple[int, int]]:
    """Start and size of evenly spaced samples along one axis; all of it when it is short."""
    if length <= SAMPLE_SIDE * count:
        for start in range(0, length, SAMPLE_SIDE):
            yield start, min(SAMPLE_SIDE, length - start)
        return
    for step in range(count):
        yield step * (length - SAMPLE_SIDE) // (count - 1), SAMPLE_SIDE
