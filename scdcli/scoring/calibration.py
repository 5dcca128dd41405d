"""Calibration: is change as frequent as its probability says, and at which temperature is it?

All comes from one histogram: pixels by the logit of their probability, and by their label.
Histograms of windows and of pairs add.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from scdcli.datasets.sums import Sums

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]

BINS = 1001  # odd: the middle one is of probability 0.5
LARGEST_LOGIT = 16.0  # 1.1e-7; what is surer than this counts as this sure
CENTERS: Doubles = np.linspace(-LARGEST_LOGIT, LARGEST_LOGIT, BINS)
STEP = 2 * LARGEST_LOGIT / (BINS - 1)
RELIABILITY_BINS = 15  # of equal width in probability
COOLEST, HOTTEST = 0.1, 10.0


@dataclass(frozen=True)
class Histogram(Sums):
    """Pixels by label and logit.

    Attributes:
        pixels: Row 0 unchanged, row 1 changed; a column per logit of `CENTERS`, (2, BINS).
    """

    pixels: NDArray[np.int64]

    @classmethod
    def empty(cls) -> "Histogram":
        """No pixel counted yet."""
        return cls(np.zeros((2, BINS), dtype=np.int64))


@dataclass(frozen=True)
class Reliability:
    """The pixels whose probability lies in one of the bins of equal width.

    Attributes:
        low: Lower end of the bin.
        high: Upper end.
        pixels: How many there are.
        probability: Their mean probability; None without pixels.
        frequency: The share that is labelled as changed; None without pixels.
    """

    low: float
    high: float
    pixels: int
    probability: float | None
    frequency: float | None


def count_confidence(change: Floats, changed: Mask, valid: Mask) -> Histogram:
    """The histogram of one window.

    Args:
        change: Change probability, (H, W).
        changed: Whether the label says changed, (H, W).
        valid: Where it counts, (H, W).
    """
    logits = logit(change[valid].astype(np.float64)).clip(-LARGEST_LOGIT, LARGEST_LOGIT)
    column = np.rint((logits + LARGEST_LOGIT) / STEP).astype(np.int64)
    counted = np.bincount(column + BINS * changed[valid], minlength=2 * BINS)
    return Histogram(counted.reshape(2, BINS))


def fit_temperature(histogram: Histogram) -> float:
    """The temperature at which the labels are likeliest; 1 where no other is better.

    It comes on top of the temperature that the model had: the logits of the model are divided by
    the product of both.
    """
    best = minimize_scalar(
        lambda log: negative_log_likelihood(histogram, np.exp(log)),
        bounds=(np.log(COOLEST), np.log(HOTTEST)),
        method="bounded",
    )
    before = negative_log_likelihood(histogram, 1.0)
    return float(np.exp(best.x)) if best.fun < before else 1.0


def negative_log_likelihood(histogram: Histogram, temperature: float) -> float:
    """Mean over the pixels of -log of the probability given to their label; 0 without pixels."""
    unchanged, changed = histogram.pixels
    surprise = np.logaddexp(0, CENTERS / temperature)  # -log(1 - p); of -logit it is -log(p)
    total = histogram.pixels.sum()
    return float((unchanged @ surprise + changed @ surprise[::-1]) / total) if total else 0.0


def reliability(histogram: Histogram, temperature: float = 1.0) -> list[Reliability]:
    """Probability against frequency of change, a row per bin of equal width."""
    probability = expit(CENTERS / temperature)
    column = np.minimum((probability * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    changed = histogram.pixels[1]
    every = histogram.pixels.sum(axis=0)
    sums = [
        np.bincount(column, weights, minlength=RELIABILITY_BINS).tolist()
        for weights in (every, every * probability, changed)
    ]
    return [
        Reliability(
            number / RELIABILITY_BINS,
            (number + 1) / RELIABILITY_BINS,
            int(pixels),
            expected / pixels if pixels else None,
            observed / pixels if pixels else None,
        )
        for number, (pixels, expected, observed) in enumerate(zip(*sums, strict=True))
    ]


def expected_calibration_error(histogram: Histogram, temperature: float = 1.0) -> float:
    """Mean over the pixels of how far probability and frequency lie apart; 0 without pixels."""
    rows = reliability(histogram, temperature)
    total = sum(row.pixels for row in rows)
    gaps = sum(
        row.pixels * abs(row.probability - row.frequency)
        for row in rows
        if row.probability is not None and row.frequency is not None
    )
    return gaps / total if total else 0.0
