"""What maps AFTER to BEFORE, from the places that did not change between them.

Which ones did not is found together with the mapping (iteratively reweighted multivariate
alteration detection): differences of the most correlated combinations of the bands of either date,
each place weighed by how likely its difference is where nothing changed. This does not depend on
gains and offsets of either date.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from scdcli.rasters.normalize import Linear

MOST_ROUNDS = 60
NARROWING = (
    8  # rounds that let the noise become smaller than it is, to settle on one of two relations
)
SETTLED = 1e-3  # of the correlations from round to round
LEAST_NOISE = 0.01  # of the variance: so much of two dates is never in common
LIKELY = 0.5  # probability from which a place is taken for unchanged
RIDGE = 1e-6


class Invariant(NamedTuple):
    """A line per band from AFTER to BEFORE, and what it rests on.

    Attributes:
        line: What maps AFTER.
        places: How many places are taken for unchanged.
        correlation: Of the two dates there, of the worst band, -1 to 1.
        spread: Of BEFORE there against that of all places, of the worst band.
    """

    line: Linear
    places: int
    correlation: float
    spread: float


def invariant_line(before: NDArray[np.float64], after: NDArray[np.float64]) -> Invariant | None:
    """The line per band that fits the places which did not change.

    Args:
        before: (C, N) values, no band of one value only.
        after: The same places at the later date.

    Returns:
        The line; None where no two places are alike.
    """
    likely = no_change(before, after) > LIKELY
    if likely.sum() < 2:
        return None
    x, y = after[:, likely], before[:, likely]
    spreads = x.std(axis=1), y.std(axis=1)
    if min(each.min() for each in spreads) == 0:
        return None
    # Neither date is more exact than the other: the line that treats both alike.
    gain = spreads[1] / spreads[0]
    offset = y.mean(axis=1) - gain * x.mean(axis=1)
    together = (x - x.mean(axis=1, keepdims=True)) * (y - y.mean(axis=1, keepdims=True))
    correlation = together.mean(axis=1) / (spreads[0] * spreads[1])
    return Invariant(
        Linear(tuple(gain.tolist()), tuple(offset.tolist())),
        int(likely.sum()),
        float(correlation.min()),
        float((spreads[1] / before.std(axis=1)).min()),
    )


def no_change(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely a difference as large as that of each place is without change, (N,)."""
    first, second = (
        (each - each.mean(axis=1, keepdims=True)) / each.std(axis=1, keepdims=True)
        for each in (before, after)
    )
    weights = np.ones(before.shape[1])
    seen = 1.0  # in the first round all weigh alike
    known = np.zeros(len(before))
    left = _left_by_weights(len(before))
    for number in range(MOST_ROUNDS):
        square, correlations = _differences(first, second, weights, seen)
        seen = left if number >= NARROWING else 1.0
        weights = chdtrc(len(before), square)
        if number > NARROWING and np.abs(correlations - known).max() < SETTLED:
            break
        known = correlations
    return np.asarray(weights, dtype=np.float64)


def _differences(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    weights: NDArray[np.float64],
    seen: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared differences of the combinations, (N,) in their variances; their correlations (C,).

    The variances that the weights show are ``seen`` of what they are.
    """
    total = weights.sum()
    first = first - (first * weights).sum(axis=1, keepdims=True) / total
    second = second - (second * weights).sum(axis=1, keepdims=True) / total
    ridge = RIDGE * np.eye(len(first))
    within_first = np.linalg.cholesky((first * weights) @ first.T / total + ridge)
    within_second = np.linalg.cholesky((second * weights) @ second.T / total + ridge)
    between = (first * weights) @ second.T / total
    white = np.linalg.solve(within_first, np.linalg.solve(within_second, between.T).T)
    left, correlations, right = np.linalg.svd(white)
    first = left.T @ np.linalg.solve(within_first, first)
    second = right @ np.linalg.solve(within_second, second)
    variance = np.maximum(2 * (1 - correlations) / seen, LEAST_NOISE)
    return ((first - second) ** 2 / variance[:, None]).sum(axis=0), correlations


def _left_by_weights(bands: int) -> float:
    """What weights leave of the variance of differences that are only noise.

    Without making up for it each round would take the noise for smaller than the one before.
    """
    step = 0.01
    square = np.arange(step / 2, 40 * bands, step)
    return float((chdtrc(bands, square) ** 2).sum() * step / bands)
