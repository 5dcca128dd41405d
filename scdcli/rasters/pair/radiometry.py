"""How bright the two dates of a pair are and how much of them is measured, from samples."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.rasters.grid import spread_windows
from scdcli.rasters.pair.open import Pair

SIDE = 128  # pixels
PER_AXIS = 6  # windows at most, so that memory and time do not grow with the scene
MOST_BYTES = 64 << 20  # of both dates together: of many bands fewer windows are read
PERCENTILES = (2, 50, 98)

BRIGHTER = 0.5  # of the spread within the pictures, between their means
CONTRAST = 2.0  # times
CLIPPED = 0.05  # share of a band at its highest value
BLANK = 0.05  # share of pixels that are 0 in all bands though 0 is not nodata

WHO_MINDS = (
    "The bundled models bring each date to one mean and spread first; another may take this for "
    "change and wants images of like processing."
)


@dataclass(frozen=True)
class BandValues:
    """Values of one band at one date where both dates are measured, in the units of the file.

    Attributes:
        mean: Mean.
        std: Standard deviation.
        percentiles: 2nd, 50th and 98th percentile.
        highest: Highest value.
        clipped: Share of the pixels that hold the highest value.
    """

    mean: float
    std: float
    percentiles: tuple[float, ...]
    highest: float
    clipped: float


@dataclass(frozen=True)
class DateValues:
    """Values of one date.

    Attributes:
        bands: Its bands, in the order they are used.
        nodata: Share of sampled pixels without a measurement.
        blank: Share of sampled pixels that are 0 in all bands.
    """

    bands: tuple[BandValues, ...]
    nodata: float
    blank: float

    @property
    def mean(self) -> float:
        """Mean over all bands."""
        return float(np.mean([band.mean for band in self.bands]))

    @property
    def std(self) -> float:
        """Average standard deviation within a band."""
        return float(np.mean([band.std for band in self.bands]))


@dataclass(frozen=True)
class PairValues:
    """Values of both dates, the share of sampled pixels measured in both, and their number."""

    before: DateValues
    after: DateValues
    valid: float
    sampled: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def sample_values(pair: Pair) -> PairValues:
    """Values in at most 36 windows of 128 pixels, spread over the grid; in all of small scenes.

    Raises:
        InputError: A file cannot be read.
    """
    dates: tuple[list[NDArray[np.float32]], ...] = ([], [])
    valid: list[NDArray[np.bool_]] = []
    per_axis = int((MOST_BYTES / (SIDE * SIDE * 2 * 4 * pair.count)) ** 0.5)
    for window in spread_windows(pair.grid.shape, SIDE, max(2, min(PER_AXIS, per_axis))):
        valid.append(pair.read(window)[2].ravel())
        for date, read in zip(dates, (pair.read_before, pair.read_after), strict=True):
            date.append(read(window).reshape(pair.count, -1))
    both = np.concatenate(valid)
    before, after = (_date_values(np.concatenate(date, axis=1), both) for date in dates)
    return PairValues(before, after, float(both.mean()), both.size)


def findings(values: PairValues, names: tuple[str, str]) -> Iterator[str]:
    """One sentence for each thing that may be taken for change."""
    if not values.valid:
        yield (
            f"No sampled pixel is measured in both {names[0]} and {names[1]}; check their nodata "
            "values and that both show the same place."
        )
        return
    for name, date in zip(names, (values.before, values.after), strict=True):
        yield from _date_findings(name, date)
    yield from _differences(values, names)


def _date_findings(name: str, date: DateValues) -> Iterator[str]:
    for number, band in enumerate(date.bands, start=1):
        if band.std == 0:
            yield (
                f"Band {number} in use of {name} holds one value only ({band.mean:g}); choose "
                "others with --bands."
            )
        elif band.clipped > CLIPPED:
            yield (
                f"{_percent(band.clipped)} of band {number} in use of {name} hold its highest "
                f"value ({band.highest:g}), so it may be clipped; use a version that is not."
            )
    if date.blank > BLANK:
        yield (
            f"{_percent(date.blank)} of {name} are 0 in all bands, which is no nodata value there; "
            f"if they hold no data, say so with gdal_edit.py -a_nodata 0 {name}"
        )


def _differences(values: PairValues, names: tuple[str, str]) -> Iterator[str]:
    before, after = values.before, values.after
    spread = (before.std + after.std) / 2
    if abs(after.mean - before.mean) > BRIGHTER * spread:
        word = "brighter" if after.mean > before.mean else "darker"
        yield (
            f"{names[1]} is {word} than {names[0]}: the mean is {after.mean:.4g} against "
            f"{before.mean:.4g}. {WHO_MINDS}"
        )
    low, high = sorted((before.std, after.std))
    if high > CONTRAST * low > 0:
        yield (
            f"{names[int(after.std > before.std)]} has {high / low:.1f} times the contrast of the "
            f"other image: the spread is {before.std:.4g} before and {after.std:.4g} after. "
            f"{WHO_MINDS}"
        )


def _date_values(pixels: NDArray[np.float32], both: NDArray[np.bool_]) -> DateValues:
    """From (C, N) values, NaN where not measured, and where both dates are, (N,)."""
    measured = np.isfinite(pixels[0])
    blank = (pixels == 0).all(axis=0)
    bands = tuple(_band_values(band[both]) for band in pixels) if both.any() else ()
    return DateValues(bands, float(1 - measured.mean()), float(blank.mean()))


def _band_values(values: NDArray[np.float32]) -> BandValues:
    highest = values.max()
    return BandValues(
        mean=float(values.mean(dtype=np.float64)),
        std=float(values.std(dtype=np.float64)),
        percentiles=tuple(np.percentile(values, PERCENTILES).tolist()),
        highest=float(highest),
        clipped=float((values == highest).mean()),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
