"""Mappings of the values of one date, band by band, and how to find them: functions of arrays."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

LEAST_SPREAD = 1 / 8  # of the spread wanted: a nearly constant band is not blown up beyond that


class Mapping(Protocol):
    """Values become others, each alone, so that windows do not matter."""

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """(C, H, W) to float32 of the same shape; NaN stays NaN."""


class Levels(NamedTuple):
    """Mean and standard deviation per band, in the units of the images."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Linear:
    """Values times a gain plus an offset, per band."""

    gain: tuple[float, ...]
    offset: tuple[float, ...]

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """(C, H, W) to float32 of the same shape; NaN stays NaN."""
        gain, offset = (
            np.array(each, dtype=np.float32)[:, None, None] for each in (self.gain, self.offset)
        )
        return np.asarray(pixels * gain + offset, dtype=np.float32)


def measure(pixels: NDArray[Any]) -> Levels:
    """The levels of measured pixels, (C, N) of any type, N > 0.

    Whole numbers give the same bits in every type, however they are split.
    """
    count = pixels.shape[1]
    if pixels.dtype == np.uint8:  # counting takes a tenth of the time
        counts = np.stack([np.bincount(band, minlength=256) for band in pixels]).astype(float)
        values = np.arange(256.0)
        total, square = (counts * values).sum(axis=1), (counts * values**2).sum(axis=1)
    else:
        exact = pixels.astype(np.float64)
        total, square = exact.sum(axis=1), (exact**2).sum(axis=1)
    mean = total / count
    std = np.sqrt(np.maximum(square / count - mean**2, 0))
    return Levels(tuple(mean.tolist()), tuple(std.tolist()))


def to_levels(found: Levels, wanted: Levels) -> Linear:
    """What brings values of the levels found to the levels wanted.

    Where a band is nearly constant its spread is taken for an eighth of the one wanted.
    """
    mean, std = (np.array(each) for each in found)
    new_mean, new_std = (np.array(each) for each in wanted)
    gain = new_std / np.maximum(std, LEAST_SPREAD * new_std)
    return Linear(tuple(gain.tolist()), tuple((new_mean - gain * mean).tolist()))


def at_levels(
    image: NDArray[Any], seen: NDArray[np.bool_], wanted: Levels
) -> NDArray[np.float32] | NDArray[Any]:
    """An image brought to the levels wanted by those it has where it counts.

    Args:
        image: (C, H, W).
        seen: (H, W), where it counts; where it does nowhere, the image stays as it is.
        wanted: Of C bands.
    """
    pixels = image.reshape(len(image), -1) if seen.all() else image[:, seen]
    if not pixels.size:
        return image
    return to_levels(measure(pixels), wanted).apply(image)
