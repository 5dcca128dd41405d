"""How the values of a pair are normalized after the stretch: found once, the same in every window.

The statistics are those of pixels that are measured at both dates, from windows spread over what is
read of the pair; of a scene of at most 1024 by 1024 pixels these are all of its pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.rasters.normalize import Levels, Mapping, measure, to_levels

SIDE = 128  # pixels: larger windows touch fewer of the blocks that files and warps consist of
PER_AXIS = 8
MOST_BYTES = 256 << 20  # of both dates together: of many bands fewer windows are read


class Seen(NamedTuple):
    """One window of a pair: both dates, (C, h, w) float32, and where both are measured, (h, w)."""

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    valid: NDArray[np.bool_]


ReadPair = Callable[[Window], tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]]


@dataclass(frozen=True)
class Normalization:
    """What maps the values of both dates.

    Attributes:
        before: Mappings of BEFORE, one after the other.
        after: Those of AFTER.
        levels: What each date is brought to; None where it is not.
        record: JSON-ready, what was found.
        notes: The same as sentences.
    """

    before: tuple[Mapping, ...] = ()
    after: tuple[Mapping, ...] = ()
    levels: Levels | None = None
    record: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def apply(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both dates mapped, (C, h, w) float32; NaN stays NaN."""
        for mapping in self.before:
            before = mapping.apply(before)
        for mapping in self.after:
            after = mapping.apply(after)
        return before, after


def find_normalization(
    read: ReadPair, shape: tuple[int, int], count: int, levels: Levels | None
) -> Normalization:
    """What normalizes a pair; reads its statistics.

    Args:
        read: Reads a window of both dates, stretched.
        shape: (height, width) of the grid.
        count: Bands.
        levels: What each date is to be brought to, if anything.

    Raises:
        InputError: A file cannot be read.
    """
    windows = list(sample_pair(read, shape, count))
    found = Normalization()
    if levels is not None:
        found = _per_date(windows, levels)
    return found


def sample_pair(read: ReadPair, shape: tuple[int, int], count: int) -> Iterator[Seen]:
    """Up to 64 windows of 128 pixels, spread over the grid; all of it where it is small."""
    most = int((MOST_BYTES / (SIDE * SIDE * 2 * 4 * count)) ** 0.5)
    per_axis = max(1, min(PER_AXIS, most))
    for row, height in _spread(shape[0], per_axis):
        for col, width in _spread(shape[1], per_axis):
            yield Seen(*read(Window(col, row, width, height)))


def _spread(length: int, count: int) -> Iterator[tuple[int, int]]:
    """Start and size of windows along one axis; without gaps where it is short."""
    if length <= SIDE * count:
        for start in range(0, length, SIDE):
            yield start, min(SIDE, length - start)
        return
    for start in np.linspace(0, length - SIDE, count).round().astype(int).tolist():
        yield start, SIDE


def _pixels(windows: list[Seen]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The valid pixels of either date, (C, N)."""
    before = np.concatenate([each.before[:, each.valid] for each in windows], axis=1)
    after = np.concatenate([each.after[:, each.valid] for each in windows], axis=1)
    return before, after


def _per_date(windows: list[Seen], wanted: Levels) -> Normalization:
    """Each date brought to the levels wanted by its own; as it is where nothing is measured."""
    before, after = _pixels(windows)
    if not before.size:
        return Normalization(levels=wanted)
    found = [measure(pixels) for pixels in (before, after)]
    mappings = [to_levels(each, wanted) for each in found]
    names = ("before", "after")
    record = {
        name: {"mean": each.mean, "std": each.std} for name, each in zip(names, found, strict=True)
    }
    return Normalization(
        before=(mappings[0],),
        after=(mappings[1],),
        levels=wanted,
        record={"per_date": record | {"to": {"mean": wanted.mean, "std": wanted.std}}},
        notes=(
            "Each date is brought to the mean and spread that the model knows: BEFORE from "
            f"{_said(found[0])}, AFTER from {_said(found[1])}.",
        ),
    )


def _said(levels: Levels) -> str:
    """For example ``101 ± 40, 90 ± 38``, per band."""
    return ", ".join(f"{mean:.4g} ± {std:.3g}" for mean, std in zip(*levels, strict=True))
