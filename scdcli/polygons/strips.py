"""A finished change map as full-width strips, and the strips as runs of equal pixels.

Everything that counts or outlines changes reads the finished rasters through here, once, from top
to bottom, with a few million pixels in memory whatever the scene.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from scdcli.errors import InputError
from scdcli.legend import TRANSITION_NODATA, UNCHANGED
from scdcli.polygons.area import Ground
from scdcli.rasters.limits import georeference_optional

STRIP_PIXELS = 2_000_000
FULL_PERCENT = 100


class Strip(NamedTuple):
    """Consecutive full-width rows of a change map."""

    row: int  # of the first row in the map
    transition: NDArray[np.uint16]  # (h, W), from * 100 + to; 0 unchanged, 65535 nodata
    probability: NDArray[np.uint8]  # (h, W), percent; 255 nodata


class Runs(NamedTuple):
    """A strip, and its runs: the longest stretches of equal pixels in a row, in raster order."""

    row: int  # of the strip's first row in the map
    transition: NDArray[np.uint16]  # (h, W)
    start: NDArray[np.int64]  # first pixel of each run, row-major index in the strip
    length: NDArray[np.int64]  # pixels
    code: NDArray[np.uint16]  # transition
    certainty: NDArray[np.int64]  # sum of the change probability over the pixels, percent
    area: NDArray[np.float64]  # square metres (square pixels without a CRS)


def is_change(code: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Where a transition is a change: neither unchanged nor nodata."""
    changed: NDArray[np.bool_] = (code != UNCHANGED) & (code != TRANSITION_NODATA)
    return changed


def read_strips(
    transition: Path, probability: Path, strip_pixels: int = STRIP_PIXELS
) -> Iterator[Strip]:
    """The strips of two finished rasters, top to bottom; every stored block is read once.

    Args:
        transition: GeoTIFF, one uint16 band of transitions.
        probability: GeoTIFF of the same size, one uint8 band, percent.
        strip_pixels: Pixels per strip; a strip has at least one row.

    Raises:
        InputError: A raster cannot be read, or the two differ in size.
    """
    try:
        shape, rows = _layout(transition, probability, strip_pixels)
        for top in range(0, shape[0], rows):
            window = Window(0, top, shape[1], min(rows, shape[0] - top))
            # opened anew each time: an open dataset keeps its blocks, in the end the whole raster
            with _open(transition) as codes, _open(probability) as chances:
                read = Strip(top, codes.read(1, window=window), chances.read(1, window=window))
            yield from _split(read, max(1, strip_pixels // shape[1]))
    except RasterioError as error:
        raise InputError(
            f"{transition} or {probability} cannot be read ({error}); predict the pair again."
        ) from error


def find_runs(strips: Iterable[Strip], ground: Ground) -> Iterator[Runs]:
    """The runs of every strip, measured on the ground.

    Raises:
        InputError: A changed pixel has no probability between 0 and 100 percent.
    """
    for strip in strips:
        transition = strip.transition
        first = np.ones(transition.shape, dtype=bool)
        np.not_equal(transition[:, 1:], transition[:, :-1], out=first[:, 1:])
        start = np.flatnonzero(first)
        length = np.diff(start, append=transition.size)
        code = transition.ravel()[start]
        chance = strip.probability.ravel()
        _refuse_uncertain(strip)
        row, col = np.divmod(start, transition.shape[1])
        yield Runs(
            strip.row,
            transition,
            start,
            length,
            code,
            np.add.reduceat(chance, start, dtype=np.int64),
            ground.run_area(row + strip.row, col, length),
        )


def _open(path: Path) -> DatasetReader:
    with georeference_optional():
        return rasterio.open(path, driver="GTiff")


def _split(strip: Strip, rows: int) -> Iterator[Strip]:
    for top in range(0, len(strip.transition), rows):
        part = slice(top, top + rows)
        yield Strip(strip.row + top, strip.transition[part], strip.probability[part])


def _layout(transition: Path, probability: Path, strip_pixels: int) -> tuple[tuple[int, int], int]:
    """Size of the map, and how many rows to read at a time so that no block is read twice."""
    with _open(transition) as codes, _open(probability) as chances:
        if codes.shape != chances.shape:
            raise InputError(
                f"{transition} has {codes.height} x {codes.width} pixels, {probability} has "
                f"{chances.height} x {chances.width}; give the two rasters of one prediction."
            )
        block = codes.block_shapes[0][0]
        wanted = strip_pixels // codes.width
        return codes.shape, max(block, wanted - wanted % block)


def _refuse_uncertain(strip: Strip) -> None:
    strange = is_change(strip.transition) & (strip.probability > FULL_PERCENT)
    if strange.any():
        row, col = (int(axis[0]) for axis in np.nonzero(strange))
        raise InputError(
            f"the pixel at row {row + strip.row}, column {col} has the transition "
            f"{strip.transition[row, col]} but the change probability "
            f"{strip.probability[row, col]}; give the two rasters of one prediction "
            "(0 to 100 percent wherever something changed)."
        )
