"""Mappings of the values of one date, band by band, and how to find them: functions of arrays."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

LEAST_SPREAD = 1 / 8  # of the spread wanted: a nearly constant band is not blown up beyond that
KNOTS = 201  # of a curve: every half percent of the pixels
FEW = 0.0005  # of the pixels: where a curve ends, so that single ones do not bend it
DECIMALS = 4  # of the values of a curve, which are between 0 and 255


class Mapping(Protocol):
    """Values become others, each alone, so that windows do not matter."""

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """(C, H, W) to float32 of the same shape; NaN stays NaN."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: all that it does."""


class MeanStd(NamedTuple):
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
        mapped = pixels.astype(np.float32)
        mapped *= gain
        mapped += offset
        return mapped

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: all that it does."""
        return {"gain": list(self.gain), "offset": list(self.offset)}


@dataclass(frozen=True)
class Curves:
    """Per band a line of pieces through knots; beyond its ends values keep their distance to it.

    Attributes:
        values: The knots of every band, rising.
        become: What they become, never falling.
    """

    values: tuple[tuple[float, ...], ...]
    become: tuple[tuple[float, ...], ...]

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """(C, H, W) to float32 of the same shape; NaN stays NaN."""
        mapped = np.empty(pixels.shape, dtype=np.float32)
        for band, x in enumerate(pixels):
            values, become = (np.array(each[band]) for each in (self.values, self.become))
            inside = np.clip(x.astype(np.float64), values[0], values[-1])
            piece = np.searchsorted(values, inside, side="right").clip(1, len(values) - 1) - 1
            slope = np.diff(become) / np.diff(values)
            mapped[band] = become[piece] + slope[piece] * (inside - values[piece]) + (x - inside)
        return mapped

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: all that it does."""
        names = ("values", "become")
        curves = zip(self.values, self.become, strict=True)
        return {
            "curves": [
                {name: list(each) for name, each in zip(names, curve, strict=True)}
                for curve in curves
            ]
        }


@dataclass(frozen=True)
class Clip:
    """Values beyond the range of uint8 become its ends."""

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """(C, H, W) to float32 of the same shape; NaN stays NaN."""
        return np.asarray(pixels.clip(0, 255), dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: all that it does."""
        return {"clip": [0, 255]}


def measure(pixels: NDArray[Any]) -> MeanStd:
    """Mean and spread of measured pixels, (C, N) of any type, N > 0.

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
    return MeanStd(tuple(mean.tolist()), tuple(std.tolist()))


def standardizing_line(own: MeanStd, wanted: MeanStd) -> Linear:
    """The line per band that brings values of one mean and spread to those wanted.

    Where a band is nearly constant its spread is taken for an eighth of the one wanted.
    """
    mean, std = (np.array(each) for each in own)
    new_mean, new_std = (np.array(each) for each in wanted)
    gain = new_std / np.maximum(std, LEAST_SPREAD * new_std)
    return Linear(tuple(gain.tolist()), tuple((new_mean - gain * mean).tolist()))


def standardize(
    image: NDArray[Any], counted: NDArray[np.bool_], wanted: MeanStd
) -> NDArray[np.float32] | NDArray[Any]:
    """An image brought to the mean and spread wanted by those it has where it counts.

    Args:
        image: (C, H, W).
        counted: (H, W), where it counts; where it does nowhere, the image stays as it is.
        wanted: Of C bands.
    """
    pixels = image.reshape(len(image), -1) if counted.all() else image[:, counted]
    if not pixels.size:
        return image
    return standardizing_line(measure(pixels), wanted).apply(image)


def match_curves(before: NDArray[np.float32], after: NDArray[np.float32]) -> Curves:
    """What gives AFTER the histogram of BEFORE, band by band.

    A value that many pixels of AFTER have becomes the mean of what so many of BEFORE have.

    Args:
        before: (C, N) measured pixels, no band of one value only.
        after: (C, M), likewise.
    """
    shares = np.linspace(0, 1, KNOTS)
    shares[[0, -1]] = FEW, 1 - FEW
    curves = [_match_band(*band, shares) for band in zip(before, after, strict=True)]
    values, become = zip(*curves, strict=True)
    return Curves(values, become)


def _match_band(
    before: NDArray[np.float32], after: NDArray[np.float32], shares: NDArray[np.float64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    exact = after.astype(np.float64)
    knots = np.quantile(exact, shares).round(DECIMALS)
    if knots[0] == knots[-1]:  # all but a few pixels hold one value
        # Outwards, so that the value itself, when rounded, is not beyond them.
        fine = 10**DECIMALS
        knots[[0, -1]] = np.floor(exact.min() * fine) / fine, np.ceil(exact.max() * fine) / fine
    wanted = np.quantile(before.astype(np.float64), shares)
    values, which = np.unique(knots, return_inverse=True)
    become = np.bincount(which, wanted) / np.bincount(which)
    return tuple(values.tolist()), tuple(become.round(DECIMALS).tolist())
