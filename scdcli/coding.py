"""How the labels of one set write the classes: their values and colors may differ from ours.

Ours, in every output and everything computed: 0 unchanged, 1..K in the order of the legend, 255
nodata. A coding belongs to labels and is never part of a model.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNCHANGED = 0
NODATA = 255

Color = tuple[int, int, int]
UNCHANGED_COLOR: Color = (255, 255, 255)
# Looking up is a hundred times faster than searching, as long as the table stays small.
LOOKED_UP_BYTES = 2


@dataclass(frozen=True)
class Coding:
    """Values and colors in labels.

    Attributes:
        values: Value of class 1..K; None where values are the indices themselves.
        unchanged: Value of unchanged.
        nodata: Values of nodata.
        unchanged_color: Color of unchanged.
        nodata_color: Color of nodata; None where colors cannot say it.
    """

    values: tuple[int, ...] | None = None
    unchanged: int = UNCHANGED
    nodata: tuple[int, ...] = (NODATA,)
    unchanged_color: Color = UNCHANGED_COLOR
    nodata_color: Color | None = None

    def indices(self) -> dict[int, int]:
        """Index by value, for labels with values of their own."""
        classes = enumerate(self.values or (), start=1)
        known = dict.fromkeys(self.nodata, NODATA) | {self.unchanged: UNCHANGED}
        return known | {value: index for index, value in classes}

    def decode(self, values: NDArray[Any]) -> tuple[NDArray[np.uint8], dict[int, int]]:
        """Indices of values, and how many pixels hold each value that is not known.

        Args:
            values: Values of a label, (H, W) of any whole numbers.

        Returns:
            Class index, (H, W) uint8, nodata where not known; pixels by unknown value.
        """
        known = self.indices()
        decode = _look_up if values.dtype.itemsize <= LOOKED_UP_BYTES else _search
        index, strange = decode(values, known)
        if not strange.any():
            return index, {}
        found, pixels = np.unique(values[strange], return_counts=True)
        return index, dict(zip(found.tolist(), pixels.tolist(), strict=True))


def _look_up(
    values: NDArray[Any], known: dict[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    bits = np.iinfo(values.dtype)
    table = np.full(bits.max - bits.min + 1, NODATA, dtype=np.uint8)
    strange = np.ones(len(table), dtype=bool)
    for value, index in known.items():
        if bits.min <= value <= bits.max:
            table[value - bits.min], strange[value - bits.min] = index, False
    place = values if bits.min == 0 else values.astype(np.int32) - bits.min
    return table[place], strange[place]


def _search(
    values: NDArray[Any], known: dict[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    ordered = np.array(sorted(known), dtype=np.int64)
    place = np.searchsorted(ordered, values).clip(max=len(ordered) - 1)
    strange: NDArray[np.bool_] = ordered[place] != values
    index = np.array([known[value] for value in ordered.tolist()], dtype=np.uint8)[place]
    index[strange] = NODATA
    return index, strange
