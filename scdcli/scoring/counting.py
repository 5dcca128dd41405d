"""How often each combination of labelled and predicted classes occurs: all that scores need.

One pass over four class maps gives one small table, from which both published confusion matrices,
the nodata share and every check of the values follow; it is the same table for any window split.

Matrices are oriented as in the paper: ``q[i, j]`` pixels are predicted as ``i`` and labelled ``j``.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scdcli.legend import NODATA, UNCHANGED

ClassMap = NDArray[np.uint8]
Counts = NDArray[np.int64]
DateMaps = tuple[ClassMap, ClassMap]
"""Maps before and after, or from and to, (H, W) uint8 each."""

FourMaps = tuple[ClassMap, ClassMap, ClassMap, ClassMap]

# A chunk's maps, codes and the table stay in a core's L2 cache (about 1 MiB).
CHUNK_PIXELS = 1 << 16
# Above this a table no longer fits a cache and codes are sorted instead: more than 30 classes.
DENSE_CELLS = 1 << 20
# First bit of each map's class in a packed combination; sorted codes run truth first.
SHIFTS = (24, 16, 8, 0)


@dataclass(frozen=True)
class JointCounts:
    """Pixels per combination (truth from, truth to, predicted from, predicted to) that occurs.

    Attributes:
        codes: The four indices packed into one number each, (N,) uint32, ascending.
        pixels: Pixels with that combination, (N,) int64.
    """

    codes: NDArray[np.uint32]
    pixels: Counts

    @classmethod
    def empty(cls) -> "JointCounts":
        """No pixel counted yet."""
        return cls(np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.int64))

    def __add__(self, other: "JointCounts") -> "JointCounts":
        """The counts of both sets of pixels together."""
        codes, slot = np.unique(np.concatenate([self.codes, other.codes]), return_inverse=True)
        pixels = np.zeros(len(codes), dtype=np.int64)
        np.add.at(pixels, slot, np.concatenate([self.pixels, other.pixels]))
        return JointCounts(codes, pixels)

    def where(self, chosen: NDArray[np.bool_]) -> "JointCounts":
        """Only the chosen combinations, (N,) bool."""
        return JointCounts(self.codes[chosen], self.pixels[chosen])

    @property
    def total(self) -> int:
        """All pixels counted."""
        return int(self.pixels.sum())

    @property
    def classes(self) -> NDArray[np.uint8]:
        """The indices of each combination, (4, N) uint8: truth from, to, predicted from, to."""
        return np.stack([(self.codes >> shift).astype(np.uint8) for shift in SHIFTS])

    def valid(self) -> "JointCounts":
        """Without the pixels that are nodata at either date, in the truth or the prediction."""
        return self.where((self.classes != NODATA).all(axis=0))

    def half_changed(self, *, truth: bool) -> "JointCounts":
        """Pixels labelled, or predicted, as changed at one date and unchanged at the other."""
        first, second = self.classes[:2] if truth else self.classes[2:]
        known = (first != NODATA) & (second != NODATA)
        return self.where(known & ((first == UNCHANGED) != (second == UNCHANGED)))


class Margins(NamedTuple):
    """All that scores need of a confusion matrix: its diagonal, row sums and column sums.

    With 99 classes a from-to matrix has 96 million cells; its margins have 9802 each.

    Attributes:
        hits: Pixels predicted as their label, (C,) int64; or (R, C) float64 of R matrices.
        predicted: Pixels predicted as each type (row sums), likewise.
        labelled: Pixels labelled as each type (column sums), likewise.
    """

    hits: NDArray[Any]
    predicted: NDArray[Any]
    labelled: NDArray[Any]

    @classmethod
    def of(cls, matrix: Counts) -> "Margins":
        """The margins of a whole matrix, (C, C) int64."""
        return cls(matrix.diagonal().copy(), matrix.sum(axis=1), matrix.sum(axis=0))

    def separated(self) -> "Margins":
        """Without the pixels that are labelled and predicted as unchanged."""
        both_unchanged = np.zeros_like(self.hits)
        both_unchanged[..., UNCHANGED] = self.hits[..., UNCHANGED]
        return Margins(*(side - both_unchanged for side in self))


def count_joint(maps: FourMaps) -> JointCounts:
    """The joint counts of one window of labels and predictions.

    Every index 0-255 is counted as it is; whether a legend knows it shows in the result.

    Args:
        maps: Truth from, truth to, predicted from, predicted to; (H, W) uint8, one shape.
    """
    if len({each.shape for each in maps}) != 1:
        raise ValueError(f"the maps differ in shape: {[each.shape for each in maps]}")
    flat = [np.ascontiguousarray(each).reshape(-1) for each in maps]
    base = max((largest_index(each) for each in flat), default=0) + 2
    count = _count_dense if base**4 <= DENSE_CELLS else _count_sparse
    return count(flat, base)


def largest_index(index: ClassMap) -> int:
    """The largest class index of a map, nodata aside; 0 where there is none."""
    largest = int(index.max(initial=0))
    if largest < NODATA:
        return largest
    return max(int((index + np.uint8(1)).max()) - 1, 0)  # 255 wraps to 0


def from_to_margins(counts: JointCounts, classes: int) -> Margins:
    """Margins of the matrix whose types are 0 unchanged and ``(from - 1) * K + to``.

    A pixel with a class at one date only is not a type; it counts as unchanged.
    """
    valid = counts.valid()
    truth_from, truth_to, predicted_from, predicted_to = valid.classes.astype(np.int64)
    labelled = _transition_type(truth_from, truth_to, classes)
    predicted = _transition_type(predicted_from, predicted_to, classes)
    hit = labelled == predicted
    types = classes**2 + 1
    return Margins(
        _sums(labelled[hit], valid.pixels[hit], types),
        _sums(predicted, valid.pixels, types),
        _sums(labelled, valid.pixels, types),
    )


def stacked_matrix(counts: JointCounts, classes: int) -> Counts:
    """The (K + 1, K + 1) int64 matrix of both dates' maps, scored as separate images."""
    valid = counts.valid()
    matrix = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    truth_from, truth_to, predicted_from, predicted_to = valid.classes
    np.add.at(matrix, (predicted_from, truth_from), valid.pixels)
    np.add.at(matrix, (predicted_to, truth_to), valid.pixels)
    return matrix


def _count_dense(flat: list[ClassMap], base: int) -> JointCounts:
    table = np.zeros(base**4, dtype=np.int64)
    step = max(CHUNK_PIXELS, table.size)
    for start in range(0, flat[0].size, step):
        codes = _codes([each[start : start + step] for each in flat], base)
        table += np.bincount(codes, minlength=table.size)
    occurring = np.flatnonzero(table)
    return _packed(occurring, table[occurring], base)


def _count_sparse(flat: list[ClassMap], base: int) -> JointCounts:
    counts = JointCounts.empty()
    for start in range(0, flat[0].size, DENSE_CELLS):
        codes = _codes([each[start : start + DENSE_CELLS] for each in flat], base)
        distinct, pixels = np.unique(codes, return_counts=True)
        counts += _packed(distinct.astype(np.int64), pixels.astype(np.int64), base)
    return counts


def _codes(chunk: list[ClassMap], base: int) -> NDArray[Any]:
    """One number per pixel, in the narrowest types: this is the hot loop.

    As uint8, index + 1 makes nodata (255) digit 0 and class k digit k + 1, so that the digits are
    dense and nodata needs no mask.
    """
    pair_type = np.uint8 if base**2 <= 1 << 8 else np.uint16
    code_type = np.uint16 if base**4 <= 1 << 16 else np.uint32
    digits: list[NDArray[Any]] = [
        (each + np.uint8(1)).astype(pair_type, copy=False) for each in chunk
    ]
    first, second, third, fourth = digits
    first *= pair_type(base)
    first += second
    third *= pair_type(base)
    third += fourth
    codes: NDArray[Any] = first.astype(code_type)
    codes *= code_type(base**2)
    codes += third
    return codes


def _packed(codes: Counts, pixels: Counts, base: int) -> JointCounts:
    """Counts of codes in any base as counts of packed combinations."""
    digits = (codes // base**power % base for power in (3, 2, 1, 0))
    packed = np.zeros(len(codes), dtype=np.uint32)
    for digit, shift in zip(digits, SHIFTS, strict=True):
        packed |= (digit - 1).astype(np.uint8).astype(np.uint32) << np.uint32(shift)
    order = np.argsort(packed)
    return JointCounts(packed[order], pixels[order])


def _transition_type(from_class: Counts, to_class: Counts, classes: int) -> Counts:
    changed = (from_class != UNCHANGED) & (to_class != UNCHANGED)
    return np.where(changed, (from_class - 1) * classes + to_class, UNCHANGED)


def _sums(types: Counts, pixels: Counts, length: int) -> Counts:
    sums = np.zeros(length, dtype=np.int64)
    np.add.at(sums, types, pixels)
    return sums
