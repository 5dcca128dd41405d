"""Areas and accuracies from a stratified random sample, with their standard errors.

The estimators of Stehman (2014), which are those of Olofsson et al. (2014) where the classes of the
map are the strata and all units have one size. `docs/explanation/areas.md` has every formula.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z = 1.96
"""Standard errors on either side of an estimate in a 95 % interval."""
SMALL_FRACTION = 0.05
"""Of a stratum in the sample; below it the correction for a finite population is left out."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error."""

    value: float
    error: float

    @property
    def margin(self) -> float:
        """Half of the 95 % interval."""
        return Z * self.error

    def scaled(self, factor: float) -> "Estimate":
        """The same in another unit."""
        return Estimate(self.value * factor, self.error * factor)


@dataclass(frozen=True)
class StratifiedSample:
    """The units that were judged, and the strata they were drawn from.

    Attributes:
        stratum: Place of each unit's stratum in the arrays below, (n,).
        size: Area of each unit, (n,), above 0.
        units: Units in each stratum, (H,), at least as many as were judged.
        area: Area of each stratum, (H,).
    """

    stratum: NDArray[np.int64]
    size: Floats
    units: NDArray[np.int64]
    area: Floats

    @property
    def judged(self) -> NDArray[np.int64]:
        """Judged units in each stratum, (H,)."""
        return np.bincount(self.stratum, minlength=len(self.units)).astype(np.int64)

    @property
    def total(self) -> float:
        """Area of all strata."""
        return float(self.area.sum())

    def weights(self) -> Floats:
        """Area that each judged unit stands for, (n,); they add up to that of the judged strata."""
        seen = np.bincount(self.stratum, self.size, minlength=len(self.units))
        weights: Floats = self.size * (self.area[self.stratum] / seen[self.stratum])
        return weights

    def too_small(self) -> NDArray[np.int64]:
        """Strata of which no error can be estimated, by place: fewer than two units judged.

        A stratum without units or area, and one that was judged whole, is none of them.
        """
        judged = self.judged
        few = (judged < 2) & (judged < self.units) & (self.area > 0)
        return np.flatnonzero(few)


def estimate_area(sample: StratifiedSample, member: Bools) -> Estimate:
    """Area of what the units are judged to be."""
    total, residual = _total(sample, member)
    return Estimate(total, _error(sample, residual))


def estimate_ratio(sample: StratifiedSample, part: Bools, whole: Floats | Bools) -> Estimate | None:
    """Share of one area in another; None where the sample has nothing of the other.

    Args:
        sample: The judged units.
        part: Which units count above the line, (n,).
        whole: Which count below it, or how often, (n,).
    """
    top, above = _total(sample, part)
    bottom, below = _total(sample, whole)
    if bottom <= 0:
        return None
    ratio = top / bottom
    return Estimate(ratio, _error(sample, above - ratio * below) / bottom)


def error_matrix(
    sample: StratifiedSample,
    mapped: NDArray[np.integer],
    judged: NDArray[np.integer],
    codes: Sequence[int],
) -> Floats:
    """Shares of the whole area, (K, K): a row per class of the map, a column per judged class.

    Args:
        sample: The judged units.
        mapped: What the map says of each unit, (n,), values of ``codes``.
        judged: What each unit was judged to be, (n,), values of ``codes``.
        codes: The classes, in order.
    """
    order = np.argsort(codes)
    row, column = (order[np.searchsorted(codes, c, sorter=order)] for c in (mapped, judged))
    cells = np.bincount(row * len(codes) + column, sample.weights(), minlength=len(codes) ** 2)
    matrix: Floats = cells.reshape(len(codes), len(codes)) / sample.total
    return matrix


def _total(sample: StratifiedSample, value: Floats | Bools) -> tuple[float, Floats]:
    """Estimated area of a quantity, and what each unit has more than its stratum's share, (n,)."""
    amount = sample.size * value
    strata = len(sample.units)
    seen = np.bincount(sample.stratum, sample.size, minlength=strata)
    found = np.bincount(sample.stratum, amount, minlength=strata)
    share = np.divide(found, seen, out=np.zeros(strata), where=seen > 0)
    residual: Floats = amount - share[sample.stratum] * sample.size
    return float(sample.area @ share), residual


def _error(sample: StratifiedSample, residual: Floats) -> float:
    """Standard error of a total, from residuals whose mean in each stratum is zero."""
    judged = sample.judged
    squares = np.bincount(sample.stratum, residual**2, minlength=len(sample.units))
    several = judged > 1
    spread = np.divide(squares, judged - 1, out=np.zeros(len(judged)), where=several)
    fraction = np.divide(judged, sample.units, out=np.zeros(len(judged)), where=sample.units > 0)
    left = np.where(fraction < SMALL_FRACTION, 1.0, 1.0 - fraction)
    each = np.divide(left * spread, judged, out=np.zeros(len(judged)), where=several)
    return float(np.sqrt(np.sum(sample.units.astype(np.float64) ** 2 * each)))
