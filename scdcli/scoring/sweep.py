"""The scores at every threshold, from one pass over the data.

A pixel's classes do not depend on the threshold, only whether it counts as changed. So the margins
of both confusion matrices, split by the bin of the probability, hold the matrices of all
thresholds: for K classes 3 K² + K + 1 numbers per bin, 1.2 MB for 20 classes and 30 MB for 99.
"""

from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scdcli.datasets.sums import Sums
from scdcli.legend import UNCHANGED
from scdcli.prediction.decode import Reading
from scdcli.scoring.counting import ClassMap, Counts, Margins
from scdcli.scoring.metrics import (
    NO_CHANGE,
    NOT_LABELLED,
    NOT_PREDICTED,
    ChangeScores,
    Value,
    change_scores,
)

NEAR_AN_END = (0.0001, 0.0002, 0.0005, *(n / 1000 for n in range(1, 10)))
THRESHOLDS = tuple(
    sorted({n / 100 for n in range(101)} | {*NEAR_AN_END} | {round(1 - n, 4) for n in NEAR_AN_END})
)
BINS = len(THRESHOLDS) + 1  # of the probability: below the first threshold, between two, ...


@dataclass(frozen=True)
class SweepCounts(Sums):
    """Pixels by the bin of their change probability, the last axis.

    Attributes:
        unchanged: Labelled as unchanged, (BINS,) int64.
        labelled: Per labelled transition in code order, (K², BINS).
        predicted: Per transition that is predicted if any change is, (K², BINS).
        hits: Of them those with the right one, (K², BINS).
        class_hits: Per class, dates with the right one; each pixel counts up to twice, (K, BINS).
    """

    unchanged: Counts
    labelled: Counts
    predicted: Counts
    hits: Counts
    class_hits: Counts

    @classmethod
    def empty(cls, classes: int) -> "SweepCounts":
        """No pixel counted yet."""
        rows = (classes**2,) * 3 + (classes,)
        return cls(np.zeros(BINS, np.int64), *(np.zeros((n, BINS), np.int64) for n in rows))

    @property
    def classes(self) -> int:
        """K."""
        return len(self.class_hits)

    @property
    def changed_pixels(self) -> int:
        """Pixels labelled as changed."""
        return int(self.labelled.sum())

    @property
    def pixels(self) -> int:
        """Pixels counted."""
        return int(self.predicted.sum())


class ThresholdScores(NamedTuple):
    """The scores at one threshold; precision, recall and F1 of change, whatever the classes."""

    threshold: float
    precision: Value
    recall: Value
    f1: Value
    from_to: ChangeScores
    stacked: ChangeScores


def count_sweep(
    truth_from: ClassMap,
    truth_to: ClassMap,
    reading: Reading,
    valid: NDArray[np.bool_],
    classes: int,
) -> SweepCounts:
    """The counts of one window.

    Arrays are (H, W); labels are 0..K where valid, and 0 at both dates or at none.
    """
    place = np.searchsorted(np.array(THRESHOLDS, np.float32), reading.change[valid], side="right")
    labels = [each[valid].astype(np.int64) for each in (truth_from, truth_to)]
    guesses = [each[valid].astype(np.int64) for each in (reading.from_class, reading.to_class)]
    changed = labels[0] != UNCHANGED
    labelled, predicted = ((a - 1) * classes + b - 1 for a, b in (labels, guesses))
    right = changed & (labelled == predicted)

    def count(rows: Counts, chosen: NDArray[np.bool_], length: int) -> Counts:
        table = np.zeros((length, BINS), np.int64)
        np.add.at(table.reshape(-1), rows[chosen] * BINS + place[chosen], 1)
        return table

    types, everywhere = classes**2, np.ones_like(changed)
    first, second = (
        count(b - 1, changed & (a == b), classes) for a, b in zip(labels, guesses, strict=True)
    )
    return SweepCounts(
        np.bincount(place[~changed], minlength=BINS),
        count(labelled, changed, types),
        count(predicted, everywhere, types),
        count(predicted, right, types),
        first + second,
    )


def sweep(counts: SweepCounts) -> list[ThresholdScores]:
    """The scores at each of `THRESHOLDS`, as if the set had been scored at each."""
    # Per bin, the sum over it and all above it.
    reached = SweepCounts(*(x[..., ::-1].cumsum(axis=-1)[..., ::-1] for x in astuple(counts)))
    return [_scores_at(reached, number) for number in range(len(THRESHOLDS))]


def _scores_at(reached: SweepCounts, number: int) -> ThresholdScores:
    """The scores at a threshold, from how many pixels of each kind reach every bin."""
    above = number + 1  # bin 0 is below the first threshold
    total = int(reached.predicted[:, 0].sum())
    unchanged, wrongly = int(reached.unchanged[0]), int(reached.unchanged[above])
    predicted = reached.predicted[:, above]
    labelled = reached.labelled[:, 0]
    above_pixels = int(predicted.sum())
    kept = unchanged - wrongly  # unchanged in both
    from_to = _margins(
        reached.hits[:, above], predicted, labelled, (kept, total - above_pixels, unchanged)
    )
    stacked = _margins(
        reached.class_hits[:, above],
        _by_class(predicted, reached.classes),
        _by_class(labelled, reached.classes),
        (2 * kept, 2 * (total - above_pixels), 2 * unchanged),
    )
    right, changed = above_pixels - wrongly, total - unchanged
    return ThresholdScores(
        THRESHOLDS[number],
        right / above_pixels if above_pixels else NOT_PREDICTED,
        right / changed if changed else NOT_LABELLED,
        2 * right / (above_pixels + changed) if above_pixels + changed else NO_CHANGE,
        change_scores(from_to),
        change_scores(stacked),
    )


def _by_class(types: Counts, classes: int) -> Counts:
    """Pixels per transition as pixels per class at either date, (K,)."""
    table = types.reshape(classes, classes)
    sums: Counts = table.sum(axis=0) + table.sum(axis=1)
    return sums


def _margins(
    hits: Counts, predicted: Counts, labelled: Counts, unchanged: tuple[int, int, int]
) -> Margins:
    sides = zip(unchanged, (hits, predicted, labelled), strict=True)
    return Margins(*(np.concatenate(([first], rest)) for first, rest in sides))
