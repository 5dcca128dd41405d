"""How much of each class and transition the labels of a set hold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scdcli.legend import NODATA, UNCHANGED

VALUES = NODATA + 1


@dataclass(frozen=True)
class CoverCounts:
    """Pixels by land cover, over the pairs that have it.

    Attributes:
        before: Pixels of each class 1..K before, (K,) int64, where there is a label.
        after: The same after, (K,) int64.
        pixels: Pixels with a label in these pairs, whether their class is known or not.
        pairs: Number of these pairs.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    pixels: int = 0
    pairs: int = 0

    def __add__(self, other: "CoverCounts") -> "CoverCounts":
        """The counts of both."""
        return CoverCounts(
            self.before + other.before,
            self.after + other.after,
            self.pixels + other.pixels,
            self.pairs + other.pairs,
        )


@dataclass(frozen=True)
class DatasetCounts:
    """Pixels of a set by class; a pixel that is nodata at either date counts as nodata only.

    Attributes:
        from_pixels: Pixels of each class 1..K before, (K,) int64: changed ones, or every pixel
            where the land cover was counted in their place.
        to_pixels: The same after, (K,) int64.
        transitions: Changed pixels by class before (row) and after (column), (K, K) int64.
        unchanged: Unchanged pixels.
        changed: Changed pixels.
        nodata: Pixels without a label at either date.
        cover: Pixels by land cover.
    """

    from_pixels: NDArray[np.int64]
    to_pixels: NDArray[np.int64]
    transitions: NDArray[np.int64]
    unchanged: int
    changed: int
    nodata: int
    cover: CoverCounts

    @classmethod
    def empty(cls, classes: int) -> "DatasetCounts":
        """Nothing counted yet."""
        none, transitions = _zeros(classes), np.zeros((classes, classes), dtype=np.int64)
        return cls(none, none, transitions, 0, 0, 0, CoverCounts(none, none))

    def __add__(self, other: "DatasetCounts") -> "DatasetCounts":
        """The counts of both."""
        return DatasetCounts(
            self.from_pixels + other.from_pixels,
            self.to_pixels + other.to_pixels,
            self.transitions + other.transitions,
            self.unchanged + other.unchanged,
            self.changed + other.changed,
            self.nodata + other.nodata,
            self.cover + other.cover,
        )

    @property
    def total(self) -> int:
        """All pixels, nodata too."""
        return self.unchanged + self.changed + self.nodata


def count_classes(
    from_label: NDArray[np.uint8], to_label: NDArray[np.uint8], classes: int
) -> tuple[DatasetCounts, int]:
    """Counts of a pair of labels, and how many pixels are changed at one date only.

    Args:
        from_label: Class before, (H, W) uint8, nothing above ``classes`` but nodata.
        to_label: Class after, (H, W) uint8.
        classes: K.
    """
    joint = _joint(from_label, to_label)
    known = joint[:NODATA, :NODATA]
    transitions = known[1 : classes + 1, 1 : classes + 1]
    half = int(known[UNCHANGED, 1:].sum() + known[1:, UNCHANGED].sum())
    unchanged, changed = int(known[UNCHANGED, UNCHANGED]), int(transitions.sum())
    nodata = from_label.size - unchanged - changed - half
    sums = transitions.sum(axis=1), transitions.sum(axis=0)
    no_cover = CoverCounts(_zeros(classes), _zeros(classes))
    return DatasetCounts(*sums, transitions, unchanged, changed, nodata, no_cover), half


def _joint(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels by value in both maps, (256, 256) int64."""
    code = first.astype(np.uint16) * np.uint16(VALUES) + second
    return np.bincount(code.ravel(), minlength=VALUES**2).reshape(VALUES, VALUES)


def with_covers(
    counts: DatasetCounts, maps: Sequence[NDArray[np.uint8]], *, instead: bool
) -> DatasetCounts:
    """The counts of a pair together with its land cover.

    Args:
        counts: Of its labels.
        maps: Both labels and both covers, (H, W) uint8 each; in covers 0 and 255 are not known.
        instead: Let the classes of every pixel take the place of those of changed ones.
    """
    from_label, to_label, *covers = maps
    labelled = (from_label != NODATA) & (to_label != NODATA)
    classes = slice(1, len(counts.from_pixels) + 1)
    before, after = (np.bincount(each[labelled], minlength=VALUES)[classes] for each in covers)
    found = replace(counts, cover=CoverCounts(before, after, int(labelled.sum()), 1))
    return replace(found, from_pixels=before, to_pixels=after) if instead else found


def _zeros(classes: int) -> NDArray[np.int64]:
    return np.zeros(classes, dtype=np.int64)
