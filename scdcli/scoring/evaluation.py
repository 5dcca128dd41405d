"""Scoring a set: a joint table per pair, their sum, then the scores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scdcli.datasets.classmap import unknown_class
from scdcli.errors import DatasetError
from scdcli.legend import MAX_CLASSES, NODATA, TRANSITION_BASE, UNCHANGED, Legend
from scdcli.scoring.counting import JointCounts, count_joint, from_to_margins, stacked_matrix
from scdcli.scoring.mappairs import ScoredPair, WindowTally
from scdcli.scoring.metrics import NOT_MAPPED, Scores, Value, detection, known, reasons, scores

# Scores of every transition, as fields of `Scores` and in files: of the map of changes, and of the
# classes of every pixel.
MASKED, UNMASKED = "categorical_sek_masked", "categorical_sek_unmasked"


@dataclass(frozen=True)
class PairCounts:
    """The joint counts of one pair, nodata included."""

    name: str
    counts: JointCounts


@dataclass(frozen=True)
class Evaluation:
    """The scores of a set, and the counts they are computed from.

    Attributes:
        legend: Names of the classes; None when no file and nobody declared them.
        classes: K, the legend's or else the largest index present.
        parts: The counts of every pair.
        counts: Joint counts of all pairs, nodata included.
        scores: The scores of these counts.
    """

    legend: Legend | None
    classes: int
    parts: tuple[PairCounts, ...]
    counts: JointCounts
    scores: Scores

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return len(self.parts)

    @property
    def pixels(self) -> int:
        """Pixels that were scored: all but nodata."""
        return self.counts.valid().total

    @property
    def nodata_pixels(self) -> int:
        """Pixels left out because a label or a prediction is nodata at either date."""
        return self.counts.total - self.pixels

    @property
    def incomplete_pixels(self) -> int:
        """Scored pixels that the prediction calls changed at one date and unchanged at the other.

        The from-to scores take them as unchanged, the stacked scores as given.
        """
        return self.counts.valid().half_changed(truth=False).total

    @property
    def labelled_like_masks(self) -> bool:
        """Whether labels of classes show no change and some nodata, as masks of 0 and 255 do."""
        truth = self.counts.classes[:2]
        no_class = bool(np.isin(truth, (UNCHANGED, NODATA)).all())
        return not self.change_only and no_class and bool((truth == NODATA).any())

    def class_name(self, index: int) -> str:
        """The legend's name of a class, or its number."""
        return self.legend[index].name if self.legend else f"class {index}"

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready document; what is undefined is None, with its reason in ``undefined``."""
        class_iou = {
            f"class_iou.{index}": value for index, value in enumerate(self.scores.class_iou, 1)
        }
        codes = [before * TRANSITION_BASE + after for before, after in self.transitions()]
        categorical = {
            name: {f"{name}.{code}": value for code, value in zip(codes, values, strict=True)}
            for name, values in self.categorical().items()
        }
        every = {key: value for each in categorical.values() for key, value in each.items()}
        if not self.mapped:
            every[UNMASKED] = NOT_MAPPED
        headline = self.scores.headline() | self.detection()
        return {
            "legend": self.legend.to_dict() if self.legend else None,
            "classes": self.classes,
            "pairs": self.pairs,
            "pixels": self.pixels,
            "nodata_pixels": self.nodata_pixels,
            "incomplete_pixels": self.incomplete_pixels,
            **_known(headline),
            "class_iou": _known(class_iou, "class_iou."),
            **{name: _known(each, f"{name}.") for name, each in categorical.items()},
            **({} if self.mapped else {UNMASKED: None}),
            "transitions": self.transition_pixels(),
            "stacked_matrix": stacked_matrix(self.counts, self.classes).tolist(),
            "undefined": reasons(headline | class_iou | every),
        }

    @property
    def mapped(self) -> bool:
        """Whether the class of every pixel is predicted, changed or not."""
        return NOT_MAPPED not in self.scores.categorical_sek_unmasked

    @property
    def change_only(self) -> bool:
        """Whether the labels are masks of change."""
        return self.legend is not None and self.legend.coding.mask

    def detection(self) -> dict[str, Value]:
        """Precision, recall and F1 of change, where the labels say nothing else."""
        return detection(from_to_margins(self.counts, 1)) if self.change_only else {}

    def categorical(self) -> dict[str, tuple[Value, ...]]:
        """SeK of every transition in code order, `MASKED`, and `UNMASKED` where it is known."""
        masked = {MASKED: self.scores.categorical_sek_masked}
        if not self.mapped:
            return masked
        return masked | {UNMASKED: self.scores.categorical_sek_unmasked}

    def transitions(self) -> list[tuple[int, int]]:
        """All (from, to) pairs in code order, as in `categorical`."""
        indices = range(1, self.classes + 1)
        return [(from_class, to_class) for from_class in indices for to_class in indices]

    def transition_pixels(self) -> list[dict[str, Any]]:
        """Per transition that is labelled or predicted anywhere: its classes and its pixels."""
        margins = from_to_margins(self.counts, self.classes)
        rows = zip(
            self.transitions(),
            margins.labelled[1:].tolist(),
            margins.predicted[1:].tolist(),
            margins.hits[1:].tolist(),
            strict=True,
        )
        return [
            {
                "transition": from_class * TRANSITION_BASE + to_class,
                "from_name": self.class_name(from_class),
                "to_name": self.class_name(to_class),
                "labelled_pixels": labelled,
                "predicted_pixels": predicted,
                "correct_pixels": correct,
            }
            for (from_class, to_class), labelled, predicted, correct in rows
            if labelled or predicted
        ]


def count_set(
    pairs: Iterable[ScoredPair], legend: Legend | None, tallies: Sequence[WindowTally] = ()
) -> tuple[PairCounts, ...]:
    """The counts of every pair; the maps are seen once, a window at a time.

    Raises:
        DatasetError: An index is not in the legend, or a label is changed at one date only.
    """
    return tuple(PairCounts(pair.name, count_pair(pair, legend, tallies)) for pair in pairs)


def score_counts(
    parts: tuple[PairCounts, ...],
    legend: Legend | None,
    classes: int | None = None,
    identified: JointCounts | None = None,
) -> Evaluation:
    """Scores of one matrix over all pairs.

    K is the legend's, or without it the largest index present, if not given.
    """
    counts = sum((part.counts for part in parts), JointCounts.empty())
    classes = classes or (len(legend) if legend else largest_class(counts))
    return Evaluation(legend, classes, parts, counts, scores(counts, classes, identified))


def count_pair(
    pair: ScoredPair, legend: Legend | None, tallies: Sequence[WindowTally] = ()
) -> JointCounts:
    """Joint counts of one pair; for the arguments see `count_set`.

    Raises:
        DatasetError: An index is not in the legend, or a label is changed at one date only.
    """
    counts = JointCounts.empty()
    for window in pair.windows:
        part = count_joint((*window.labels, *window.predicted.classes))
        _require_known(part, pair, legend)
        counts += part
        for tally in tallies:
            tally.add(window)
        del window  # its maps need not stay while those of the next are read
    half = counts.half_changed(truth=True).total
    if half:
        raise DatasetError(
            f"{pair.sources[0]} and {pair.sources[1]} label {half} "
            f"{'pixel' if half == 1 else 'pixels'} as changed at one date and unchanged (0) at the "
            f"other; give both dates a class, or {NODATA} where the class is not known."
        )
    return counts


def _require_known(counts: JointCounts, pair: ScoredPair, legend: Legend | None) -> None:
    last = len(legend) if legend else MAX_CLASSES
    for source, index in zip(pair.sources, counts.classes, strict=True):
        unknown = (index > last) & (index != NODATA)
        if unknown.any():
            value = int(index[unknown][0])
            pixels = int(counts.pixels[index == value].sum())
            raise unknown_class(source, value, pixels, legend)


def largest_class(counts: JointCounts) -> int:
    """The largest class index in any map; at least 1."""
    classes = counts.classes
    return max(1, int(classes[classes != NODATA].max(initial=0)))


def _known(values: dict[str, Value], prefix: str = "") -> dict[str, float | None]:
    return {name.removeprefix(prefix): known(value) for name, value in values.items()}
