"""The scores of semantic change, from confusion matrices (Yang et al., section V).

Matrices are oriented as in the paper: ``q[i, j]`` pixels are predicted as ``i`` and labelled ``j``;
index 0 is unchanged, the paper's first type. Nothing here is rounded before the last division.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scdcli.legend import UNCHANGED
from scdcli.scoring.counting import JointCounts, Margins, from_to_margins, stacked_matrix

MIOU_SHARE, SEK_SHARE = 0.3, 0.7


@dataclass(frozen=True)
class Undefined:
    """A score that has no value, and why."""

    reason: str


Value = float | Undefined

NO_PIXELS = Undefined("no pixel is valid in both the labels and the predictions")
NO_CHANGE = Undefined("nothing changed, neither in the labels nor in the predictions")
NO_UNCHANGED = Undefined("everything changed, in the labels and in the predictions")
ONE_CELL = Undefined("all pixels are of one type, labelled and predicted: agreement by chance is 1")
ONE_TYPE = Undefined(
    "only one type of change occurs, so that kappa without the unchanged pixels cannot tell "
    "agreement from chance; two types are needed"
)
ONE_CLASS = Undefined(
    "the legend has one class, so that there is only one type of change; two are needed"
)
NOT_PREDICTED = Undefined("nothing is predicted as changed")
NOT_LABELLED = Undefined("nothing is labelled as changed")
ABSENT = Undefined("occurs neither in the labels nor in the predictions")
NOT_MAPPED = Undefined(
    "the class of every pixel is not predicted for all pairs; scd predict --land-cover writes it"
)


@dataclass(frozen=True)
class ChangeScores:
    """The scores of one matrix; all lie in [0, 1] but the kappas, which may be negative."""

    oa: Value
    kappa: Value
    miou: Value
    iou_unchanged: Value
    iou_changed: Value
    sek: Value
    fscd: Value
    score: Value


# The scores a set is known by, under the names they bear in files: matrix and field.
HEADLINE = {
    "oa": ("from_to", "oa"),
    "kappa": ("from_to", "kappa"),
    "miou": ("from_to", "miou"),
    "iou_unchanged": ("from_to", "iou_unchanged"),
    "iou_changed": ("from_to", "iou_changed"),
    "sek_from_to": ("from_to", "sek"),
    "sek_stacked": ("stacked", "sek"),
    "fscd_from_to": ("from_to", "fscd"),
    "fscd_stacked": ("stacked", "fscd"),
    "score_from_to": ("from_to", "score"),
    "score_stacked": ("stacked", "score"),
}


@dataclass(frozen=True)
class Scores:
    """All scores of a set.

    Attributes:
        from_to: Of the matrix over the K·K + 1 types of change: the paper's.
        stacked: Of the matrix over the K + 1 classes, both dates stacked: most later papers'.
        class_iou: Per class 1..K, of the stacked matrix.
        categorical_sek_masked: Per transition in code order, (1, 1), (1, 2) … (K, K).
        categorical_sek_unmasked: Likewise.
    """

    from_to: ChangeScores
    stacked: ChangeScores
    class_iou: tuple[Value, ...]
    categorical_sek_masked: tuple[Value, ...]
    categorical_sek_unmasked: tuple[Value, ...]

    def headline(self) -> dict[str, Value]:
        """The scores of `HEADLINE`."""
        return headline(self.from_to, self.stacked)


def headline(from_to: ChangeScores, stacked: ChangeScores) -> dict[str, Value]:
    """The scores of `HEADLINE`, of both matrices."""
    sides = {"from_to": from_to, "stacked": stacked}
    return {name: getattr(sides[matrix], field) for name, (matrix, field) in HEADLINE.items()}


def known(value: Value) -> float | None:
    """The value of a score, None where it is undefined."""
    return None if isinstance(value, Undefined) else value


def reasons(values: Mapping[str, Value]) -> dict[str, str]:
    """Why scores are undefined, of those that are, by the same names."""
    return {name: value.reason for name, value in values.items() if isinstance(value, Undefined)}


def scores(counts: JointCounts, classes: int, identified: JointCounts | None = None) -> Scores:
    """All scores of the pixels counted; pixels with nodata do not take part.

    Args:
        counts: Joint counts of one set; all indices are 0..K or nodata.
        classes: K, the number of classes of the legend.
        identified: Of the pixels labelled as changed, with the predicted class of every pixel
            instead of the map of changes; None where that is not predicted.
    """
    from_to = from_to_margins(counts, classes)
    stacked = Margins.of(stacked_matrix(counts, classes))
    return Scores(
        from_to=change_scores(from_to),
        stacked=change_scores(stacked),
        class_iou=tuple(_iou(stacked, index) for index in range(1, classes + 1)),
        categorical_sek_masked=tuple(
            categorical_sek_masked(from_to, index) for index in range(1, classes**2 + 1)
        ),
        categorical_sek_unmasked=_unmasked(identified, _iou_changed(from_to), classes),
    )


def change_scores(margins: Margins) -> ChangeScores:
    """Equations 13-18 of the paper, F_scd and Score, of one matrix."""
    total = int(margins.labelled.sum())
    iou_unchanged = _iou(margins, UNCHANGED, absent=NO_UNCHANGED if total else NO_PIXELS)
    iou_changed = _iou_changed(margins)
    miou = _weighted(0.5, iou_unchanged, 0.5, iou_changed)
    sek = separated_kappa(margins)
    return ChangeScores(
        oa=int(margins.hits.sum()) / total if total else NO_PIXELS,
        kappa=_kappa(margins) if total else NO_PIXELS,
        miou=miou,
        iou_unchanged=iou_unchanged,
        iou_changed=iou_changed,
        sek=sek,
        fscd=_fscd(margins),
        score=_weighted(MIOU_SHARE, miou, SEK_SHARE, sek),
    )


def separated_kappa(margins: Margins) -> Value:
    """SeK (Eq. 18): kappa without the unchanged-as-unchanged pixels, times e^(IoU_changed - 1).

    With one type of change the formula gives at most 0, and 0 / 0 for a perfect prediction, so
    it is undefined there.
    """
    iou_changed = _iou_changed(margins)
    if isinstance(iou_changed, Undefined):
        return iou_changed
    changed = slice(1, None)
    if np.count_nonzero(margins.predicted[changed] + margins.labelled[changed]) == 1:
        return ONE_CLASS if len(margins.hits) == 2 else ONE_TYPE
    return _times_exp(_kappa(margins.separated()), iou_changed)


def detection(margins: Margins) -> dict[str, Value]:
    """Precision, recall and F1 of change, whatever the type."""
    total, hits = int(margins.labelled.sum()), int(margins.hits[UNCHANGED])
    predicted = total - int(margins.predicted[UNCHANGED])
    labelled = total - int(margins.labelled[UNCHANGED])
    right = predicted + labelled - (total - hits)
    nothing = NO_CHANGE if total else NO_PIXELS
    return {
        "precision": right / predicted if predicted else NOT_PREDICTED,
        "recall": right / labelled if labelled else NOT_LABELLED,
        "f1": 2 * right / (predicted + labelled) if predicted + labelled else nothing,
    }


def categorical_sek_masked(margins: Margins, index: int) -> Value:
    """e^(IoU - 1) · kappa of the 2×2 matrix "this type against everything else", of all pixels.

    It says how well one type is mapped: found where it is, and nowhere else.
    """
    binary = _one_against_the_rest(margins, index)
    return _times_exp(_kappa(binary), _iou(binary, 1))


def categorical_sek_unmasked(identified: Margins, iou_changed: Value, index: int) -> Value:
    """SeK of one type of change as the paper's Table II must have it: e^(IoU_changed - 1) · kappa.

    Kappa is that of "this type against the rest" among the pixels labelled as changed, whatever
    the map of changes says of them. Eq. 18 itself cannot exceed 0 for a 2×2 matrix.

    Args:
        identified: Margins of the pixels labelled as changed.
        iou_changed: Eq. 16 of all pixels.
        index: The type.
    """
    if not int(identified.labelled[index]) + int(identified.predicted[index]):
        return ABSENT
    return _times_exp(_kappa(_one_against_the_rest(identified, index)), iou_changed)


def _unmasked(
    identified: JointCounts | None, iou_changed: Value, classes: int
) -> tuple[Value, ...]:
    if identified is None:
        return (NOT_MAPPED,) * classes**2
    margins = from_to_margins(identified, classes)
    types = range(1, classes**2 + 1)
    return tuple(categorical_sek_unmasked(margins, iou_changed, index) for index in types)


def _one_against_the_rest(margins: Margins, index: int) -> Margins:
    """The 2×2 matrix of one type, the rest first."""
    total = int(margins.labelled.sum())
    labelled, predicted = int(margins.labelled[index]), int(margins.predicted[index])
    hits = int(margins.hits[index])
    return Margins(
        np.array([total - labelled - predicted + hits, hits]),
        np.array([total - predicted, predicted]),
        np.array([total - labelled, labelled]),
    )


def _kappa(margins: Margins) -> Value:
    """Eq. 14 in whole numbers: a square of 10¹⁰ pixels does not fit int64, a Python int does."""
    total = int(margins.labelled.sum())
    pairs = zip(margins.predicted.tolist(), margins.labelled.tolist(), strict=True)
    chance = sum(predicted * labelled for predicted, labelled in pairs)
    if chance == total * total:
        return ONE_CELL
    return float((total * int(margins.hits.sum()) - chance) / (total * total - chance))


def _iou(margins: Margins, index: int, absent: Undefined = ABSENT) -> Value:
    hits = int(margins.hits[index])
    union = int(margins.predicted[index]) + int(margins.labelled[index]) - hits
    return hits / union if union else absent


def _iou_changed(margins: Margins) -> Value:
    """Eq. 16: pixels changed in both over pixels changed in either, whatever the type."""
    total, unchanged = int(margins.labelled.sum()), int(margins.hits[UNCHANGED])
    either = total - unchanged
    if not either:
        return NO_CHANGE if total else NO_PIXELS
    one_unchanged = int(margins.predicted[UNCHANGED]) + int(margins.labelled[UNCHANGED])
    return (total - one_unchanged + unchanged) / either


def _fscd(margins: Margins) -> Value:
    """F1 of the semantic change: precision and recall of the right type among changed pixels."""
    changed = slice(1, None)
    either = int(margins.predicted[changed].sum()) + int(margins.labelled[changed].sum())
    if not either:
        return NO_CHANGE if margins.labelled.any() else NO_PIXELS
    return 2 * int(margins.hits[changed].sum()) / either


def _weighted(first_share: float, first: Value, second_share: float, second: Value) -> Value:
    if isinstance(first, Undefined):
        return first
    if isinstance(second, Undefined):
        return second
    return first_share * first + second_share * second


def _times_exp(kappa: Value, iou: Value) -> Value:
    if isinstance(iou, Undefined):
        return iou
    if isinstance(kappa, Undefined):
        return kappa
    return math.exp(iou - 1) * kappa
