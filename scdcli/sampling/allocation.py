"""How many units to judge, and how many of them in each stratum: Cochran (1977), section 5."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import InputError, look_up

LEAST = 2  # units of a stratum without which no standard error can be estimated

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def spread(accuracy: Floats) -> Floats:
    """Standard deviation of right and wrong in strata with these user's accuracies, (H,)."""
    deviation: Floats = np.sqrt(accuracy * (1 - accuracy))
    return deviation


def size_for_error(units: Counts, area: Floats, accuracy: Floats, error: float) -> int:
    """Units to judge so that overall accuracy has this standard error, with the best allocation.

    Args:
        units: Units in each stratum, (H,).
        area: Area of each, (H,), in any unit.
        accuracy: The user's accuracy to expect of each, (H,), 0 to 1.
        error: The standard error to aim at, above 0.
    """
    weight = area / area.sum()
    deviation = spread(accuracy)
    within = float(weight @ deviation**2)
    size = float(weight @ deviation) ** 2 / (error**2 + within / float(units.sum()))
    return int(np.ceil(size - 1e-9))


def allocate(
    name: str, size: int, units: Counts, area: Floats, accuracy: Floats, minimum: int
) -> Counts:
    """Units to draw of each stratum, (H,), which add up to ``size`` or to all there are.

    At least two of every stratum are drawn, and never more than it has; what a small stratum cannot
    give is taken from the others.

    Args:
        name: Of a rule in `ALLOCATIONS`.
        size: Units to draw in all.
        units: Units in each stratum, (H,).
        area: Area of each, (H,), in any unit.
        accuracy: The user's accuracy to expect of each, (H,), 0 to 1.
        minimum: Least units of a stratum with the rule ``minimum``.

    Raises:
        UnknownName: No such rule.
        InputError: The size is too small for two units in every stratum.
    """
    rule = look_up("allocation", name, ALLOCATIONS)
    least = np.minimum(units, LEAST)
    if size < least.sum():
        raise InputError(
            f"{size} units are too few for {len(units)} strata, of which each needs {LEAST}; draw "
            f"at least {least.sum()}, or merge strata."
        )
    return _shared_out(size, *rule(area, accuracy, np.minimum(units, minimum)), units)


def _shared_out(size: int, floor: Counts, share: Floats, units: Counts) -> Counts:
    """Whole numbers in proportion to the shares, between a floor and the units there are."""
    floor = np.maximum(floor, np.minimum(units, LEAST))
    if floor.sum() > size:  # the minimum is more than there is to draw: as equal as can be
        floor, share = np.minimum(units, LEAST), np.ones(len(units))
    share = np.maximum(share, 1e-9 * (share.max() or 1.0))  # what has no share comes last
    low, high = 0.0, float(units.max() / share.min())
    for _ in range(200):  # the scale at which clipped shares add up to the size
        scale = (low + high) / 2
        if np.clip(scale * share, floor, units).sum() < size:
            low = scale
        else:
            high = scale
    wanted = np.clip(high * share, floor, units)
    drawn = np.floor(wanted + 1e-9).astype(np.int64)
    for place in np.argsort(drawn - wanted, kind="stable").tolist():  # largest remainder first
        if drawn.sum() < min(size, units.sum()) and drawn[place] < units[place]:
            drawn[place] += 1
    return drawn


ALLOCATIONS: dict[str, Callable[[Floats, Floats, Counts], tuple[Counts, Floats]]] = {
    "proportional": lambda area, accuracy, least: (0 * least, area),
    "equal": lambda area, accuracy, least: (0 * least, np.ones(len(area))),
    "neyman": lambda area, accuracy, least: (0 * least, area * spread(accuracy)),
    "minimum": lambda area, accuracy, least: (least, area),
}
"""Least units of each stratum and the shares of the rest, by the name of the rule."""
