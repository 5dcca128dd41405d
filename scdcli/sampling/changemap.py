"""The transitions of a finished prediction, read strip by strip, with what is around changes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from scdcli.datasets.drawn import Burner
from scdcli.errors import InputError
from scdcli.legend import TRANSITION_NODATA, UNCHANGED, Legend
from scdcli.polygons.area import Ground, measure_ground
from scdcli.polygons.strips import is_change
from scdcli.rasters.cog import TAGS
from scdcli.rasters.grid import Grid
from scdcli.rasters.limits import georeference_optional
from scdcli.rasters.scene import scene_grid

TRANSITIONS = "transition.tif"
CODES = TRANSITION_NODATA + 1
BUFFER = TRANSITION_NODATA - 1
"""Code of what is unchanged, and near a change; no transition has it."""
STRIP_PIXELS = 2_000_000
# Every block is read once, so GDAL's own cache (5 % of the machine's memory) would only fill up.
CACHE_BYTES = 16 << 20
FINGERPRINT = 16  # hexadecimal digits


@dataclass(frozen=True)
class ChangeMap:
    """A prediction on disk.

    Attributes:
        path: Its raster of transitions.
        grid: Where that lies.
        ground: Sizes of its pixels.
        legend: Names of its classes.
    """

    path: Path
    grid: Grid
    ground: Ground
    legend: Legend

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.path.parent)


class CodeStrip(NamedTuple):
    """Consecutive full-width rows of the codes that units are drawn by."""

    row: int  # of the first row in the map
    codes: NDArray[np.uint16]  # (h, W): transitions, BUFFER, 65535 for nodata and outside


def open_map(folder: Path) -> ChangeMap:
    """The map in the folder of a prediction.

    Raises:
        InputError: The folder has no raster of transitions with a legend, or it cannot be read.
    """
    path = folder / TRANSITIONS
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name one that scd predict has written.")
    if not path.is_file():
        raise InputError(
            f"{folder} holds no {TRANSITIONS}; give a folder that scd predict has written."
        )
    try:
        with _open(path) as dataset:
            described = dataset.tags(ns=TAGS).get("LEGEND")
            if described is None or dataset.dtypes[0] != "uint16":
                raise InputError(
                    f"{path} is no raster of transitions with a legend; predict the pair again."
                )
            grid = scene_grid(dataset, path)
    except RasterioError as error:
        raise InputError(f"{path} cannot be read ({error}); predict the pair again.") from error
    return ChangeMap(path, grid, measure_ground(grid), Legend.from_dict(json.loads(described)))


def code_strips(
    change_map: ChangeMap, *, aoi: Burner | None = None, buffer: int = 0, multiple: int = 1
) -> Iterator[CodeStrip]:
    """The map from top to bottom; what it yields does not depend on how it is cut.

    Args:
        change_map: The map.
        aoi: Where units may lie; everywhere without it.
        buffer: Unchanged pixels so many rows and columns from a change get the code `BUFFER`.
        multiple: Of so many rows all strips but the last consist.

    Raises:
        InputError: The raster cannot be read.
    """
    for row, codes, above, below in _read(change_map, buffer, multiple):
        inside = codes[above : len(codes) - below].copy() if buffer else codes
        if buffer and is_change(codes).any():
            near = _dilated(is_change(codes), buffer, above, below)
            inside[near & (inside == UNCHANGED)] = BUFFER
        if aoi is not None:
            window = Window(0, row, inside.shape[1], inside.shape[0])
            inside[aoi.read(window) == 0] = TRANSITION_NODATA
        yield CodeStrip(row, inside)


def fingerprint(change_map: ChangeMap) -> str:
    """A text that only this map has: of its size and its transitions, not of its file."""
    digest = sha256(str(change_map.grid.shape).encode())
    for _, codes, _, _ in _read(change_map):
        digest.update(np.ascontiguousarray(codes).data)
    return digest.hexdigest()[:FINGERPRINT]


def codes_at(
    change_map: ChangeMap, row: NDArray[np.int64], col: NDArray[np.int64]
) -> NDArray[np.uint16]:
    """The transition at some pixels, (n,)."""
    found = np.empty(len(row), dtype=np.uint16)
    for top, codes, _, _ in _read(change_map):
        here = (row >= top) & (row < top + len(codes))
        found[here] = codes[row[here] - top, col[here]]
    return found


def areas_of_runs(
    codes: NDArray[np.uint16], row: int, ground: Ground
) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Code and area of every run of equal pixels in full rows, (R,) each.

    Args:
        codes: (h, W).
        row: Of the first row in the map.
        ground: Sizes of pixels.
    """
    first = np.ones(codes.shape, dtype=bool)
    np.not_equal(codes[:, 1:], codes[:, :-1], out=first[:, 1:])
    start = np.flatnonzero(first)
    length = np.diff(start, append=codes.size)
    at, col = np.divmod(start, codes.shape[1])
    return codes.ravel()[start], ground.run_area(at + row, col, length)


def _read(
    change_map: ChangeMap, halo: int = 0, multiple: int = 1
) -> Iterator[tuple[int, NDArray[np.uint16], int, int]]:
    """First row, codes with up to ``halo`` rows more on either side, and how many those are."""
    height, width = change_map.grid.shape
    kept, first, done = np.empty((0, width), dtype=np.uint16), 0, 0
    for read in _strips(change_map):
        kept = np.concatenate([kept, read]) if len(kept) else read
        end = first + len(kept)
        ready = height if end == height else end - halo - (end - halo) % multiple
        if ready > done:
            yield from _split(done, kept, done - first, end - ready, halo, multiple)
            done = ready
        left = max(done - halo, 0)
        kept, first = kept[left - first :].copy(), left
        del read  # before the next is made


def _strips(change_map: ChangeMap) -> Iterator[NDArray[np.uint16]]:
    """Full-width rows, whole blocks at a time, so that none is decoded twice."""
    path, (height, width) = change_map.path, change_map.grid.shape
    try:
        with _open(path) as dataset:
            block = dataset.block_shapes[0][0]
        wanted = STRIP_PIXELS // width
        rows = max(block, wanted - wanted % block)
        for top in range(0, height, rows):
            window = Window(0, top, width, min(rows, height - top))
            # opened anew each time: an open dataset keeps its blocks, in the end the whole raster
            with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), _open(path) as dataset:
                codes = dataset.read(1, window=window)
            yield codes
            del codes
    except RasterioError as error:
        raise InputError(f"{path} cannot be read ({error}); predict the pair again.") from error


def _split(
    row: int, codes: NDArray[np.uint16], above: int, below: int, halo: int, multiple: int
) -> Iterator[tuple[int, NDArray[np.uint16], int, int]]:
    """Pieces of a few million pixels, which what is computed from them multiplies."""
    rows = max(1, STRIP_PIXELS // codes.shape[1])
    rows += -rows % multiple
    for top in range(above, len(codes) - below, rows):
        bottom = min(top + rows, len(codes) - below)
        first, last = max(top - halo, 0), min(bottom + halo, len(codes))
        yield row + top - above, codes[first:last], top - first, last - bottom


def _dilated(changed: NDArray[np.bool_], radius: int, above: int, below: int) -> NDArray[np.bool_]:
    """Where anything is changed within ``radius`` rows and columns, without the rows around."""
    near = _any_within(changed, radius)[above : len(changed) - below]
    return _any_within(near.T, radius).T


def _any_within(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Where a row up to ``radius`` rows away is set: spans of 1, 2, 4, ... rows are joined."""
    radius = min(radius, len(mask))
    joined, span = np.pad(mask, ((radius, radius), (0, 0))), 1
    while span < 2 * radius + 1:
        step = min(span, 2 * radius + 1 - span)
        joined = joined[:-step] | joined[step:]
        span += step
    return joined


def _open(path: Path) -> DatasetReader:
    with georeference_optional():
        return rasterio.open(path, driver="GTiff")
