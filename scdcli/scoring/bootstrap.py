"""Confidence intervals of scores by the bootstrap: pairs drawn again and again, with replacement.

A pair is drawn whole, since its pixels are no independent samples. All that scores need of it are
its margins, so that one resample of the set is one weighted sum of their rows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scdcli.legend import UNCHANGED
from scdcli.scoring.counting import JointCounts, Margins, from_to_margins, stacked_matrix
from scdcli.scoring.metrics import HEADLINE, MIOU_SHARE, SEK_SHARE

CONFIDENCE = 0.95
# Resamples at a time: the weights of 1694 pairs stay below 7 MB.
BLOCK = 512

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """The interval in which 95 % of the resamples lie.

    Attributes:
        low: The 2.5 % point.
        high: The 97.5 % point.
        undefined: Resamples in which the score has no value, and which are left out.
    """

    low: float
    high: float
    undefined: int


def resampled_scores(
    systems: Sequence[Sequence[JointCounts]], classes: int, resamples: int, seed: int
) -> list[dict[str, Floats]]:
    """The scores of resamples of one set, the same resamples for every system.

    Args:
        systems: Per system, the counts of every pair, in the same order of pairs.
        classes: K.
        resamples: R, how many to draw.
        seed: Which resamples are drawn.

    Returns:
        Per system, each score of `HEADLINE` as (R,) float64, nan where it is undefined.
    """
    stacks = [_stacks(pairs, classes) for pairs in systems]
    blocks: list[list[dict[str, Floats]]] = [[] for _ in systems]
    for weights in draw_weights(len(systems[0]), resamples, seed):
        for drawn, matrices in zip(blocks, stacks, strict=True):
            sides = {name: row_scores(weighted(each, weights)) for name, each in matrices.items()}
            drawn.append({key: sides[matrix][field] for key, (matrix, field) in HEADLINE.items()})
    return [
        {key: np.concatenate([part[key] for part in drawn]) for key in HEADLINE} for drawn in blocks
    ]


def draw_weights(pairs: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each resample holds each pair, (up to `BLOCK`, P); every row sums to P."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, BLOCK):
        rows = min(BLOCK, resamples - start)
        drawn = rng.integers(0, pairs, (rows, pairs)) + pairs * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * pairs)
        yield times.reshape(rows, pairs).astype(np.float64)


def stack_margins(
    pairs: Sequence[JointCounts], margins_of: Callable[[JointCounts], Margins]
) -> Margins:
    """Margins of one matrix for each of P pairs, a row each: (P, C) float64, whole numbers.

    Types that occur in no pair are left out, but for unchanged.
    """
    whole = margins_of(sum(pairs, JointCounts.empty()))
    occurring = whole.predicted + whole.labelled > 0
    occurring[UNCHANGED] = True
    sides = zip(*map(margins_of, pairs), strict=True)
    return Margins(*(np.array([row[occurring] for row in side], np.float64) for side in sides))


def weighted(margins: Margins, weights: Floats) -> Margins:
    """Margins of R resamples, (R, C) each; exact, as sums of whole numbers below 2⁵³.

    Args:
        margins: Those of the pairs, (P, C) each.
        weights: How often each resample holds each pair, (R, P).
    """
    return Margins(*(weights @ side for side in margins))


def row_scores(margins: Margins) -> dict[str, Floats]:
    """The scores of `metrics.ChangeScores` for each row of margins, (R,); nan where undefined."""
    total, both_unchanged = margins.labelled.sum(axis=1), margins.hits[:, UNCHANGED]
    unchanged_in_one = margins.predicted[:, UNCHANGED] + margins.labelled[:, UNCHANGED]
    separated = total - both_unchanged
    iou_unchanged = _ratio(both_unchanged, unchanged_in_one - both_unchanged)
    iou_changed = _ratio(total - unchanged_in_one + both_unchanged, separated)
    miou = (iou_unchanged + iou_changed) / 2
    sek = _separated_kappa(margins) * np.exp(iou_changed - 1)
    changed_hits, *changed_once = (side[:, 1:].sum(axis=1) for side in margins)
    return {
        "oa": _ratio(margins.hits.sum(axis=1), total),
        "kappa": _kappa(margins),
        "miou": miou,
        "iou_unchanged": iou_unchanged,
        "iou_changed": iou_changed,
        "sek": sek,
        "fscd": _ratio(2 * changed_hits, sum(changed_once)),
        "score": MIOU_SHARE * miou + SEK_SHARE * sek,
    }


def interval(values: Floats) -> Interval | None:
    """The middle 95 % of resampled values, (R,); None where none is defined."""
    defined = values[~np.isnan(values)]
    if not defined.size:
        return None
    edges = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    low, high = np.quantile(defined, edges).tolist()
    return Interval(low, high, len(values) - len(defined))


def share_not_better(differences: Floats) -> float:
    """Share of the defined differences, (R,), that are zero or less."""
    defined = differences[~np.isnan(differences)]
    return float((defined <= 0).mean())


def _stacks(pairs: Sequence[JointCounts], classes: int) -> dict[str, Margins]:
    return {
        "from_to": stack_margins(pairs, lambda each: from_to_margins(each, classes)),
        "stacked": stack_margins(pairs, lambda each: Margins.of(stacked_matrix(each, classes))),
    }


def _separated_kappa(margins: Margins) -> Floats:
    types = np.count_nonzero(margins.predicted[:, 1:] + margins.labelled[:, 1:], axis=1)
    return np.where(types == 1, np.nan, _kappa(margins.separated()))


def _kappa(margins: Margins) -> Floats:
    """Eq. 14 from disagreement, 1 - ρ over 1 - η: where one type is nearly all, η rounds to 1."""
    total = margins.labelled.sum(axis=1, keepdims=True)
    scale = np.where(total > 0, total, np.nan)
    missed = (total - margins.hits.sum(axis=1, keepdims=True)) / scale
    by_chance = margins.predicted / scale * ((total - margins.labelled) / scale)
    return 1 - _ratio(missed[:, 0], by_chance.sum(axis=1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(part / np.where(whole == 0, np.nan, whole))
