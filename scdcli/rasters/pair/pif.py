"""The line per band that maps AFTER to BEFORE, from the places that did not change between them.

Which ones did not change is found together with the line (iteratively reweighted multivariate
alteration detection): differences of the most correlated combinations of the bands of either date,
each place weighed by how likely its difference is where nothing changed. This does not depend on
gains and offsets of either date.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from scdcli.rasters.pair.mappings import Linear

MOST_ROUNDS = 60
NARROWING = 2  # rounds that take the noise for smaller than it is, to settle on one relation
SETTLED = 1e-3  # of the correlations from round to round
LEAST_NOISE = 0.01  # of the variance: so much of two dates is never in common
TRIED_LINES = 500
TRIED_PLACES = 2000
STEEPEST = 10  # times the ratio of the spreads
LIKELY = 0.5  # probability from which a place is taken for unchanged
RIDGE = 1e-6


class PifLine(NamedTuple):
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


def pif_line(before: NDArray[np.float64], after: NDArray[np.float64]) -> PifLine | None:
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
    return PifLine(
        Linear(tuple(gain.tolist()), tuple(offset.tolist())),
        int(likely.sum()),
        float(correlation.min()),
        float((spreads[1] / before.std(axis=1)).min()),
    )


def no_change(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of a difference at least as large as that of each place if unchanged, (N,)."""
    first, second = (
        (each - each.mean(axis=1, keepdims=True)) / each.std(axis=1, keepdims=True)
        for each in (before, after)
    )
    weights = _first_half(first, second)
    visible = 1.0
    known = np.zeros(len(before))
    left = _left_by_weights(len(before))
    for number in range(MOST_ROUNDS):
        square, correlations = _differences(first, second, weights, visible)
        visible = left if number >= NARROWING else 1.0
        weights = chdtrc(len(before), square)
        if number > NARROWING and np.abs(correlations - known).max() < SETTLED:
            break
        known = correlations
    return np.asarray(weights, dtype=np.float64)


def _first_half(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 for the half of the places that one line per band fits best, of lines through two; (N,).

    All places alike would be a start between two relations where a third has changed alike.
    """
    step = -(-first.shape[1] // TRIED_PLACES)
    few, later = first[:, ::step], second[:, ::step]
    one, other = np.random.default_rng(0).integers(few.shape[1], size=(2, TRIED_LINES))
    run = later[:, one] - later[:, other]
    run[run == 0] = np.inf
    gains = ((few[:, one] - few[:, other]) / run).clip(0, STEEPEST)
    offsets = few[:, one] - gains * later[:, one]

    def misses(index: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        line = gains[:, index, None] * y + offsets[:, index, None]
        return np.asarray(((x - line) ** 2).sum(axis=0))

    half = few.shape[1] // 2
    scores = [
        np.partition(misses(index, few, later), half)[: half + 1].mean()
        for index in range(TRIED_LINES)
    ]
    missed = misses(int(np.argmin(scores)), first, second)
    return (missed <= np.median(missed)).astype(np.float64)


def _differences(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    weights: NDArray[np.float64],
    visible: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared differences of the combinations, (N,) in their variances; their correlations (C,).

    With these weights, variances come out as ``visible`` times what they are.
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
    variance = np.maximum(2 * (1 - correlations) / visible, LEAST_NOISE)
    return ((first - second) ** 2 / variance[:, None]).sum(axis=0), correlations


def _left_by_weights(bands: int) -> float:
    """What weights leave of the variance of differences that are only noise.

    Without making up for it each round would take the noise for smaller than the one before.
    """
    step = 0.01
    square = np.arange(step / 2, 40 * bands, step)
    return float((chdtrc(bands, square) ** 2).sum() * step / bands)
