"""The temperature and the threshold that suit a labelled set best."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scdcli.datasets.sums import Sums
from scdcli.legend import NODATA, UNCHANGED
from scdcli.prediction.decode import Reading, apply_temperature
from scdcli.scoring.calibration import (
    COOLEST,
    HOTTEST,
    Histogram,
    count_confidence,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)
from scdcli.scoring.counting import ClassMap
from scdcli.scoring.mappairs import ScoredWindow
from scdcli.scoring.metrics import NOT_PREDICTED, Value, known
from scdcli.scoring.sweep import THRESHOLDS, SweepCounts, ThresholdScores, count_sweep, sweep

FLAT = 0.001  # of a score: thresholds that lie no further below the best are as good
FEWEST_CHANGED = 1000  # labelled pixels, below which a set says nothing of a threshold
DECIMALS = 4
GIVEN = "given"  # in place of the score that a threshold maximizes
AT_A_BOUND = 1.01  # a factor of this much from the end of the range is at the end


@dataclass(frozen=True)
class Confidence(Sums):
    """All that temperature and threshold are fitted to, counted over the pixels of a set."""

    histogram: Histogram
    sweep: SweepCounts

    @classmethod
    def empty(cls, classes: int) -> "Confidence":
        """No pixel counted yet, of K classes."""
        return cls(Histogram.empty(), SweepCounts.empty(classes))


@dataclass
class ConfidenceTally:
    """Labels and probabilities of a set, counted window by window while a model is scored.

    Attributes:
        confidence: The counts of all windows so far.
    """

    confidence: Confidence

    def add(self, window: ScoredWindow) -> None:
        """Count a window, which must have a reading."""
        reading, valid = window.predicted.reading, window.predicted.valid
        assert reading is not None
        classes = self.confidence.sweep.classes
        self.confidence += count_both(*window.labels, reading, classes, valid)


@dataclass
class ReliabilityTally:
    """How often change is labelled by its probability, counted while a model is scored.

    Attributes:
        histogram: The counts of all windows so far.
    """

    histogram: Histogram

    def add(self, window: ScoredWindow) -> None:
        """Count a window, which must have a reading."""
        reading = window.predicted.reading
        assert reading is not None
        valid = _scored(*window.labels, window.predicted.valid)
        self.histogram += count_confidence(reading.change, window.labels[0] != UNCHANGED, valid)


class Plateau(NamedTuple):
    """The thresholds around the best one that are as good.

    Attributes:
        score: What was maximized: ``sek_from_to`` or ``f1``.
        best: Its value at the best of `THRESHOLDS`.
        low: Lowest threshold of the plateau.
        high: Highest.
        tells_apart: Whether a map that is all changed, or all unchanged, is worse.
    """

    score: str
    best: float
    low: float
    high: float
    tells_apart: bool = True

    @property
    def middle(self) -> float:
        """The threshold that is furthest from where the score falls."""
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Fit:
    """Temperature and threshold for a model, and what they were fitted to.

    Attributes:
        temperature: T.
        threshold: τ, of the probability that T calibrates.
        by: What τ maximizes, ``sek_from_to`` or ``f1``; ``given`` if τ was chosen; None where
            it was left as it was.
        bound: What was best at the end of its range and left as it was: ``temperature``,
            ``threshold`` (then both were left), or None.
        best: The value of that score; None without it.
        pixels: Pixels with a label.
        changed_pixels: Of them those labelled as changed.
        ece_before: Expected calibration error at the temperature that the model had.
        ece_after: At T.
        nll_before: Mean negative log likelihood of the labels at that temperature.
        nll_after: At T.
    """

    temperature: float
    threshold: float
    by: str | None
    bound: str | None
    best: float | None
    pixels: int
    changed_pixels: int
    ece_before: float
    ece_after: float
    nll_before: float
    nll_after: float

    def record(self) -> dict[str, Any]:
        """For a model's header, which has temperature and threshold already."""
        described = asdict(self)
        del described["temperature"], described["threshold"]
        return described

    def at(self, threshold: float) -> "Fit":
        """The same temperature with a threshold that somebody chose, whatever would fit best."""
        return replace(self, threshold=threshold, by=self.by and GIVEN, best=None)


@dataclass(frozen=True)
class ThresholdSweep:
    """One system with one test-time augmentation at every threshold.

    Attributes:
        title: What its results are called.
        system: Its short name.
        tta: Its test-time augmentation.
        threshold: The threshold that was scored.
        temperature: The temperature of the model.
        tally: Labels and probabilities; all of the set are counted before anything is asked.
    """

    title: str
    system: str
    tta: str | None
    threshold: float
    temperature: float
    tally: ConfidenceTally

    @property
    def confidence(self) -> Confidence:
        """Labels and probabilities, counted over the set."""
        return self.tally.confidence

    @cached_property
    def rows(self) -> list[ThresholdScores]:
        """The scores at every threshold."""
        return sweep(self.confidence.sweep)

    @cached_property
    def best(self) -> Plateau | None:
        """The best thresholds."""
        return plateau(self.rows)

    @cached_property
    def best_fit(self) -> Fit:
        """The temperature and the threshold that suit the set best."""
        return fit(self.confidence, self.temperature, self.threshold)

    def to_dict(self) -> dict[str, Any]:
        """The best thresholds, and how well calibrated the probabilities are; JSON-ready."""
        best = self.best
        return {
            "best": best and {**best._asdict(), "middle": best.middle},
            "fit": asdict(self.best_fit),
        }


def count_both(
    truth_from: ClassMap,
    truth_to: ClassMap,
    reading: Reading,
    classes: int,
    measured: NDArray[np.bool_] | None = None,
) -> Confidence:
    """The counts of one window, arrays (H, W); nodata in a label or an image does not take part."""
    valid = _scored(truth_from, truth_to, measured)
    return Confidence(
        count_confidence(reading.change, truth_from != UNCHANGED, valid),
        count_sweep(truth_from, truth_to, reading, valid, classes),
    )


def _scored(
    truth_from: ClassMap, truth_to: ClassMap, measured: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """Where labels and images are known, (H, W)."""
    valid: NDArray[np.bool_] = (truth_from != NODATA) & (truth_to != NODATA)
    return valid if measured is None else valid & measured


def fit(confidence: Confidence, temperature: float = 1.0, threshold: float = 0.5) -> Fit:
    """The best temperature and threshold for a model.

    A set with fewer than `FEWEST_CHANGED` pixels labelled as changed, or as unchanged, leaves the
    temperature and the threshold as they are. So does one for which a map that is all changed, or
    all unchanged, would be as good as the best: there the model tells nothing apart. A temperature
    that is best at the end of its range (of labels without a single error, for example) stays.
    """
    histogram, counts = confidence.histogram, confidence.sweep
    changed = counts.changed_pixels
    enough = min(changed, counts.pixels - changed) >= FEWEST_CHANGED
    flat = plateau(sweep(counts)) if enough else None
    factor, bound = 1.0, None
    if flat and not flat.tells_apart:
        flat, bound = None, "threshold"
    elif flat:
        factor = fit_temperature(histogram)
        if not COOLEST * AT_A_BOUND < factor < HOTTEST / AT_A_BOUND:
            factor, bound = 1.0, "temperature"
    return Fit(
        round(temperature * factor, DECIMALS),
        _recalibrated(flat, factor) if flat else threshold,
        flat.score if flat else None,
        bound,
        flat.best if flat else None,
        counts.pixels,
        changed,
        expected_calibration_error(histogram),
        expected_calibration_error(histogram, factor),
        negative_log_likelihood(histogram, 1.0),
        negative_log_likelihood(histogram, factor),
    )


def plateau(rows: list[ThresholdScores]) -> Plateau | None:
    """The thresholds of the best SeK (from-to), or F1 of change where no SeK is defined.

    Returns:
        The longest stretch around the best that is nowhere `FLAT` below it; None where neither
        score is defined.
    """
    scores: dict[str, list[Value]] = {
        "sek_from_to": [row.from_to.sek for row in rows],
        "f1": [row.f1 for row in rows],
    }
    for name, values in scores.items():
        levels = np.array([known(value) for value in values], float)  # None becomes nan
        if not np.isnan(levels).all():
            levels = np.nan_to_num(levels, nan=-np.inf)
            first = last = int(levels.argmax())
            enough = levels >= levels[first] - FLAT
            while first > 0 and enough[first - 1]:
                first -= 1
            while last < len(rows) - 1 and enough[last + 1]:
                last += 1
            low, high = rows[first].threshold, rows[last].threshold
            # From 0 on everything is changed; at the last one usually nothing.
            one_sided = low == THRESHOLDS[0] or rows[last].precision is NOT_PREDICTED
            return Plateau(name, float(levels[levels.argmax()]), low, high, not one_sided)
    return None


def _recalibrated(flat: Plateau, factor: float) -> float:
    """The middle of a plateau where the probabilities have a temperature more.

    Never 0 or 1, at which a map is all changed or all unchanged whatever the model says.
    """
    low, high = apply_temperature(np.array([flat.low, flat.high], np.float32), factor)
    least = 10.0**-DECIMALS
    return min(max(round(float(low + high) / 2, DECIMALS), least), 1 - least)
