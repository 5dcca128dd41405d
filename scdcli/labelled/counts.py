"""How much of each class and transition the labels of a set hold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scdcli.legend import NODATA, UNCHANGED

VALUES = NODATA + 1


@dataclass(frozen=True)
class DatasetCounts:
    """Pixels of a set by class; a pixel that is nodata at either date counts as nodata only.

    Attributes:
        from_pixels: Pixels of each class 1..K before, (K,) int64: changed ones, or every pixel
            where the land cover was counted.
        to_pixels: The same after, (K,) int64.
        transitions: Changed pixels by class before (row) and after (column), (K, K) int64.
        unchanged: Unchanged pixels.
        changed: Changed pixels.
        nodata: Pixels without a label at either date.
    """

    from_pixels: NDArray[np.int64]
    to_pixels: NDArray[np.int64]
    transitions: NDArray[np.int64]
    unchanged: int
    changed: int
    nodata: int

    @classmethod
    def empty(cls, classes: int) -> "DatasetCounts":
        """Nothing counted yet."""
        none = np.zeros(classes, dtype=np.int64)
        return cls(none, none, np.zeros((classes, classes), dtype=np.int64), 0, 0, 0)

    def __add__(self, other: "DatasetCounts") -> "DatasetCounts":
        """The counts of both."""
        return DatasetCounts(
            self.from_pixels + other.from_pixels,
            self.to_pixels + other.to_pixels,
            self.transitions + other.transitions,
            self.unchanged + other.unchanged,
            self.changed + other.changed,
            self.nodata + other.nodata,
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
    return DatasetCounts(*sums, transitions, unchanged, changed, nodata), half


def _joint(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels by value in both maps, (256, 256) int64."""
    code = first.astype(np.uint16) * np.uint16(VALUES) + second
    return np.bincount(code.ravel(), minlength=VALUES**2).reshape(VALUES, VALUES)


def with_covers(counts: DatasetCounts, maps: Sequence[NDArray[np.uint8]]) -> DatasetCounts:
    """The same counts with the classes of every labelled pixel."""
    from_label, to_label, from_cover, to_cover = maps
    labelled = (from_label != NODATA) & (to_label != NODATA)
    classes = slice(1, len(counts.from_pixels) + 1)
    before, after = (
        np.bincount(each[labelled], minlength=VALUES)[classes] for each in (from_cover, to_cover)
    )
    return replace(counts, from_pixels=before, to_pixels=after)
