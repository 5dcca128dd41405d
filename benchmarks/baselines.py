"""Change without a network: what every model has to beat.

Functions of two images (C, H, W), in any one unit, and of the pixels (H, W) that both measured.
They know no classes: a map says where something changed, not what.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.stats import chi2

from scdcli.legend import NODATA, UNCHANGED

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]

CHANGED = 1
BINS = 256
ALIKE = 1e-9  # of the largest value: what values may differ by and still be one group

MOST_ROUNDS = 50
CONVERGED = 1e-3  # largest change of a canonical correlation
LEAST_WEIGHT = 0.01  # of all pixels: fewer would fit the variates to one patch of ground
SINGULAR = 1e-6  # of the largest eigenvalue: below, bands are copies of each other
EXACT = 1e-6  # variance of a difference, of 2: below, it is the rounding of the pixels
ROUNDING = 1e-9  # standard deviations of a band: below, a difference is that of the arithmetic


class ChangeMap(NamedTuple):
    """Where something changed; (H, W) each."""

    score: NDArray[np.float32]  # 0 to 1, 0.5 at the threshold; 0 where not valid
    changed: NDArray[np.uint8]  # 0 unchanged, 1 changed, 255 not valid


Baseline = Callable[[Image, Image, Mask], ChangeMap]


class Variates(NamedTuple):
    """Differences of canonical variates of two sets of bands."""

    statistic: Doubles  # (N,), sum of their squares in units of their variance
    correlations: Doubles  # (freedom,), descending; freedom is that of the statistic


def nothing(before: Image, after: Image, valid: Mask) -> ChangeMap:
    """Nothing ever changes."""
    return _as_map(np.zeros(int(valid.sum())), 0.0, valid)


def difference(before: Image, after: Image, valid: Mask) -> ChangeMap:
    """The length of the difference, once AFTER has the histograms of BEFORE; Otsu's threshold.

    Args:
        before: The earlier image, (C, H, W).
        after: The later one; no increasing change of a band's values alters the result.
        valid: Where both have measurements, (H, W).
    """
    first, second = _pixels(before, valid), _pixels(after, valid)
    matched = [
        match_histogram(band, reference) for band, reference in zip(second, first, strict=True)
    ]
    length = np.sqrt(((np.stack(matched) - first) ** 2).sum(axis=0))
    return _as_map(length, otsu_threshold(length), valid)


def ir_mad(before: Image, after: Image, valid: Mask) -> ChangeMap:
    """Iteratively reweighted multivariate alteration detection (Nielsen 2007); Otsu's threshold.

    Blind to any linear mixing of the bands of either image, and so to gain and offset. Otsu divides
    the root of the statistic, a length as in `difference`. A quantile of chi-square would call
    most of a real pair changed: the weights favor small differences, so that their variance comes
    out too small and the statistic is some times chi-square even where nothing changed.

    Args:
        before: The earlier image, (C, H, W).
        after: The later one.
        valid: Where both have measurements, (H, W).
    """
    found = alteration(_pixels(before, valid), _pixels(after, valid))
    length = np.sqrt(found.statistic)
    return _as_map(length, otsu_threshold(length), valid)


def alteration(first: Doubles, second: Doubles) -> Variates:
    """Multivariate alteration of pixels, (C, N) each, the unchanged ones weighing most.

    Weights are the probabilities of a larger statistic if nothing changed. It ends when the
    canonical correlations stay, or when hardly any pixel is left that looks unchanged.
    """
    weights = np.ones(first.shape[1])
    found = _variates(first, second, weights)
    for _ in range(MOST_ROUNDS):
        weights = chi2.sf(found.statistic, max(1, len(found.correlations)))
        if weights.sum() < LEAST_WEIGHT * weights.size:
            break
        last, found = found, _variates(first, second, weights)
        if _settled(last.correlations, found.correlations):
            break
    return found


def match_histogram(values: Doubles, reference: Doubles) -> Doubles:
    """Values (N,) mapped in their order so that they are distributed as the reference (M,)."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    known, known_counts = np.unique(reference, return_counts=True)
    # Ties share the middle of the ranks they take, so that equal images stay equal.
    ranks = (np.cumsum(counts) - counts / 2) / max(1, values.size)
    known_ranks = (np.cumsum(known_counts) - known_counts / 2) / max(1, reference.size)
    matched: Doubles = np.interp(ranks, known_ranks, known)[where] if known.size else values
    return matched


def otsu_threshold(values: Doubles) -> float:
    """The value above which values, (N,), are the upper of two groups (Otsu 1979).

    Equal values are one group: the threshold is the largest of them.
    """
    largest = float(values.max(initial=0.0))
    if largest - float(values.min(initial=largest)) <= ALIKE * abs(largest):
        return largest
    counts, edges = np.histogram(values, bins=BINS)
    # A value on an edge lies in the bin above it.
    return float(np.nextafter(edges[otsu_bin(counts) + 1], -np.inf))


def otsu_bin(counts: NDArray[np.int64]) -> int:
    """The last bin of the lower group of a histogram, (B,), by the variance between the groups."""
    below = np.cumsum(counts, dtype=np.float64)
    moment = np.cumsum(counts * np.arange(len(counts), dtype=np.float64))
    above = below[-1] - below
    spread = (moment[-1] * below - moment * below[-1]) ** 2
    product = below * above
    between = np.divide(spread, product, out=np.zeros_like(spread), where=product > 0)
    return int(between.argmax())


def _variates(first: Doubles, second: Doubles, weights: Doubles) -> Variates:
    """The alteration variates with these weights: one canonical correlation analysis."""
    left, right = _whitened(first, weights), _whitened(second, weights)
    freedom = min(len(left), len(right))
    if not freedom:  # an image of one color
        return Variates(np.zeros(len(weights)), np.empty(0))
    cross = (left * weights) @ right.T / weights.sum()
    into, correlations, out_of = np.linalg.svd(cross)
    correlations = np.clip(correlations[:freedom], 0.0, 1.0)
    apart = into.T[:freedom] @ left - out_of[:freedom] @ right
    apart[np.abs(apart) < ROUNDING] = 0
    variance = np.maximum(2 * (1 - correlations), EXACT)
    return Variates((apart**2 / variance[:, None]).sum(axis=0), correlations)


def _whitened(pixels: Doubles, weights: Doubles) -> Doubles:
    """Uncorrelated mixtures of bands, weighted mean 0 and variance 1: (rank, N) of (C, N)."""
    share = weights / weights.sum()
    centered = pixels - (pixels @ share)[:, None]
    spread = np.sqrt(centered**2 @ share)
    # In units of their spread first: what counts as singular must not depend on the units.
    scaled: Doubles = centered[spread > 0] / spread[spread > 0, None]
    if not scaled.size:
        return scaled
    variances, axes = eigh((scaled * share) @ scaled.T)
    kept = variances > SINGULAR * variances[-1]
    whitened: Doubles = (axes[:, kept] / np.sqrt(variances[kept])).T @ scaled
    return whitened


def _settled(last: Doubles, found: Doubles) -> bool:
    same_rank = len(last) == len(found)
    return same_rank and float(np.abs(found - last).max(initial=0.0)) < CONVERGED


def _pixels(image: Image, valid: Mask) -> Doubles:
    """The valid pixels of an image, (C, N)."""
    pixels: Doubles = image[:, valid].astype(np.float64)
    return pixels


def _as_map(length: Doubles, threshold: float, valid: Mask) -> ChangeMap:
    """Lengths (N,) of the valid pixels as a map, changed above the threshold."""
    score = np.zeros(valid.shape, dtype=np.float32)
    total = length + threshold
    score[valid] = np.divide(length, total, out=np.zeros_like(total), where=total > 0)
    changed = np.where(valid, np.uint8(UNCHANGED), np.uint8(NODATA))
    changed[valid] = np.where(length > threshold, CHANGED, UNCHANGED)
    return ChangeMap(score, changed)


BASELINES: dict[str, Baseline] = {
    "nothing": nothing,
    "difference": difference,
    "ir-mad": ir_mad,
}
