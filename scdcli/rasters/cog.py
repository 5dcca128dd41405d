"""The rasters of a prediction as Cloud-Optimized GeoTIFFs: what they hold, and writing them.

They are written window by window, in bounded memory, whole or not at all.
"""

import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from scdcli import __version__
from scdcli.errors import OutputError
from scdcli.files.folder import timestamp
from scdcli.files.interruption import mortal
from scdcli.legend import NODATA, TRANSITION_NODATA, UNCHANGED, UNCHANGED_COLOR, Color, Legend
from scdcli.rasters.grid import UNPLACED, Grid
from scdcli.rasters.limits import cause, georeference_optional

BLOCK = 512  # pixels
TAGS = "SCD"
"""Namespace of our own tags in the file."""

Place = tuple[int, int, int, int]
Write = Callable[[NDArray[Any], Window], None]


@dataclass(frozen=True)
class RasterKind:
    """What the numbers of a one-band raster are, which decides how it is stored.

    Attributes:
        dtype: ``uint8`` or ``uint16``.
        nodata: The value of pixels without a measurement.
        description: Name of the band, as GIS programs show it.
        overviews: How overviews are made: ``MODE`` for classes, ``AVERAGE`` for quantities.
        colors: Color of each value; None for no color table.
    """

    dtype: str
    nodata: int
    description: str
    overviews: str = "MODE"
    colors: Mapping[int, Color] | None = None


def class_map(legend: Legend, description: str) -> RasterKind:
    """Class indices, 0 unchanged and 255 nodata, in the colors of the legend."""
    colors = {UNCHANGED: UNCHANGED_COLOR} | {i: legend[i].color for i in legend.indices()}
    return RasterKind("uint8", NODATA, description, colors=colors)


# No color table: one for uint16 is stored whole, 393 kB in the file and again in each overview.
TRANSITION_MAP = RasterKind("uint16", TRANSITION_NODATA, "transition, from * 100 + to")
PROBABILITY_MAP = RasterKind("uint8", NODATA, "change probability (%)", overviews="AVERAGE")


@contextmanager
def cog_writer(
    path: str | Path, grid: Grid, kind: RasterKind, tags: Mapping[str, str] | None = None
) -> Iterator[Write]:
    """Writes one raster; the file appears, replacing an older one, when the block ends well.

    Windows may come in any order but must not overlap; whole blocks of 512 pixels are the fastest.
    What is never written is nodata. Until the end the pixels lie in a hidden file beside the
    destination, which is removed whatever happens; every window is read back before the file
    appears. Without a CRS the grid is one of pixels; tags are texts for the namespace ``SCD``.

    Yields:
        ``write(array, window)`` for (h, w) arrays of the kind's dtype.

    Raises:
        OutputError: The file cannot be written, for example because the disk is full.
    """
    path = Path(path)
    hidden = f".{path.name}.{os.getpid()}."
    draft, finished = (path.with_name(hidden + stage) for stage in ("draft.tif", "cog.tif"))
    with _writing(path):
        dataset = _create(draft, grid, kind)
    try:
        _annotate(dataset, kind, tags or {})
        written: dict[Place, int] = {}

        def write(array: NDArray[Any], window: Window) -> None:
            with _writing(path):
                dataset.write(array, 1, window=window)
            written[window.flatten()] = _checksum(array)

        yield write
        with _writing(path):
            dataset.close()
            _translate(draft, finished, kind)
            _verify(finished, written)
            finished.replace(path)
    finally:
        with suppress(Exception):
            dataset.close()
        _remove(path.parent, hidden)


def _create(draft: Path, grid: Grid, kind: RasterKind) -> DatasetWriter:
    profile = {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "count": 1,
        "dtype": kind.dtype,
        "nodata": kind.nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "DEFLATE",
        "zlevel": 1,
        "sparse_ok": True,
        "bigtiff": "IF_SAFER",
        "photometric": "MINISBLACK" if kind.colors is None else "PALETTE",
    }
    if grid.crs is not None:
        profile["crs"] = grid.crs
    if grid.transform != UNPLACED:  # which is how a file without a place is drawn
        profile["transform"] = grid.transform
    with georeference_optional():
        return rasterio.open(draft, "w", **profile)


def _annotate(dataset: DatasetWriter, kind: RasterKind, tags: Mapping[str, str]) -> None:
    if kind.colors is not None:
        dataset.write_colormap(1, {value: (*color, 255) for value, color in kind.colors.items()})
    dataset.set_band_description(1, kind.description)
    dataset.update_tags(
        TIFFTAG_SOFTWARE=f"scd {__version__}",
        TIFFTAG_DATETIME=timestamp().strftime("%Y:%m:%d %H:%M:%S"),
    )
    if tags:
        dataset.update_tags(ns=TAGS, **tags)


def _translate(draft: Path, finished: Path, kind: RasterKind) -> None:
    with georeference_optional(), mortal():
        rasterio.shutil.copy(
            draft,
            finished,
            driver="COG",
            blocksize=BLOCK,
            compress="DEFLATE",
            overview_resampling=kind.overviews,
            bigtiff="IF_SAFER",
            num_threads="ALL_CPUS",
            copy_src_mdd="YES",  # else tags in a namespace are lost
        )


def _verify(finished: Path, written: Mapping[Place, int]) -> None:
    """Read everything back: where the disk is full at closing, GDAL may say nothing."""
    with georeference_optional(), rasterio.open(finished, driver="GTiff") as dataset:
        for place, checksum in written.items():
            if _checksum(dataset.read(1, window=Window(*place))) != checksum:
                raise OSError(f"the pixels at {place} do not read back as they were written")
    with finished.open("r+b") as stream:
        os.fsync(stream.fileno())


def _checksum(array: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).data)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what GDAL and the file system raise, private classes included, into `OutputError`."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and not type(error).__module__.startswith("rasterio"):
            raise
        raise OutputError(
            f"{path} cannot be written: {cause(error, path)} {_remedy(path)}"
        ) from error


def _remedy(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"The folder {folder} does not exist; create it."
    free = shutil.disk_usage(folder).free // 2**20
    return f"{folder} has {free} MiB free; make room, or choose another folder."


def _remove(folder: Path, prefix: str) -> None:
    if folder.is_dir():
        for leftover in folder.iterdir():
            if leftover.name.startswith(prefix):
                leftover.unlink(missing_ok=True)
