"""Two arrays as a pair: what Python has in memory already, read as files would be."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.errors import PairError
from scdcli.rasters.grid import UNPLACED, Grid
from scdcli.rasters.pair.glance import SteppedReader
from scdcli.rasters.pair.open import Pair, normalized
from scdcli.rasters.pair.settings import DEFAULTS, PairSettings
from scdcli.rasters.pair.statistics import Facts, chosen_statistics
from scdcli.rasters.pair.stretch import DateSource, find_stretch
from scdcli.rasters.scene import Reader

NAMES = ("before", "after")
OF_FILES = (
    *("bands", "after_bands", "assume_crs", "bounds", "bounds_crs", "aoi", "shift"),
    *("strict", "allow_vrt", "nodata_tolerance"),
)
"""Settings that choose from files or place them."""


def pair_of_arrays(
    before: NDArray[Any],
    after: NDArray[Any],
    settings: PairSettings = DEFAULTS,
    *,
    grid: Grid | None = None,
) -> Pair:
    """Two images in memory as a pair; they lie pixel on pixel already.

    Args:
        before: (C, H, W), integers or floats. NaN, or what a masked array masks, is no measurement.
        after: The same at the later date, of the same shape.
        settings: How values are mapped: scale, normalize and mean_std. What chooses from files or
            places them is refused.
        grid: Where the pixels lie; None for a pixel grid, whose areas are pixels.

    Raises:
        PairError: The two cannot be compared, or not on this grid, or settings are for files.
    """
    _require_comparable(before, after, settings)
    count, height, width = before.shape
    whole = Window(0, 0, width, height)
    grid = grid or Grid(height, width, UNPLACED, None)
    if grid.shape != (height, width):
        raise PairError(
            f"the arrays have {height} x {width} pixels and the grid {grid.height} x {grid.width}; "
            "give the grid of the arrays."
        )
    first, second = (
        DateSource(name, str(array.dtype), _reader(array), whole)
        for name, array in zip(NAMES, (before, after), strict=True)
    )
    bands = tuple(range(1, count + 1))
    statistics = chosen_statistics(settings)
    if statistics is not None:
        types = (first.dtype, second.dtype)
        facts = Facts(bands, bands, types, settings.scale, settings.normalize)
        statistics.require_fitting(facts, NAMES)
        stretch = statistics.stretch
    else:
        stretch = settings.stretch or find_stretch(settings.scale, (first, second), count)
    pair = Pair(
        settings=settings,
        grid=grid,
        whole=whole,
        bands=bands,
        after_bands=bands,
        notes=() if stretch is None else (stretch.note,),
        warnings=(),
        provenance={
            "before": _described("before", before),
            "after": _described("after", after),
            "normalization": None,
            "stretch": None if stretch is None else {"low": stretch.low, "high": stretch.high},
        },
        share=1.0,
        stretch=stretch,
        aoi=None,
        read_before=first.read,
        read_after=second.read,
        glances=(_glanced(before, first.read), _glanced(after, second.read)),
    )
    return normalized(pair, NAMES, statistics)


def _require_comparable(before: NDArray[Any], after: NDArray[Any], settings: PairSettings) -> None:
    for name in OF_FILES:
        if getattr(settings, name) != getattr(DEFAULTS, name):
            raise PairError(f"{name} is for images in files; cut and arrange arrays beforehand.")
    for name, array in zip(NAMES, (before, after), strict=True):
        if array.ndim != 3 or not array.size:
            raise PairError(
                f"{name} has the shape {array.shape}; give bands, rows and columns, (C, H, W)."
            )
    if before.shape != after.shape:
        raise PairError(
            f"before has the shape {before.shape}, after {after.shape}; give two arrays (C, H, W) "
            "of one shape."
        )


def _glanced(array: NDArray[Any], read: Reader) -> SteppedReader:
    return SteppedReader(read, bytes_as_they_are=array.dtype == np.uint8)


def _reader(array: NDArray[Any]) -> Reader:
    def read(window: Window) -> NDArray[np.float32]:
        rows, cols = window.toslices()
        pixels = np.ma.filled(array[:, rows, cols].astype(np.float32), np.nan)
        pixels[:, ~np.isfinite(pixels).all(axis=0)] = np.nan
        return pixels

    return read


def _described(name: str, array: NDArray[Any]) -> dict[str, Any]:
    count, height, width = array.shape
    return {
        "name": name,
        "driver": None,
        "width": width,
        "height": height,
        "count": count,
        "dtype": str(array.dtype),
    }
