"""Reading a scene through a warped view, in blocks that do not depend on the windows asked for.

GDAL approximates the reprojection over the window it is asked for, so the same pixel differs
between windows. Fixed blocks of the target grid are therefore warped whole, and windows are cut
out of them: any order and any split of reads gives the same pixels.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from scdcli.errors import InputError
from scdcli.grid import Grid
from scdcli.naming import shown
from scdcli.rasters.scene import Reader, reading

BLOCK = 1024  # pixels
CACHE_BYTES = 256 * 2**20
ANY_CRS = CRS.from_epsg(3857)  # GDAL warps nothing without one; from and to the same, it is idle


@contextmanager
def warped_reader(
    dataset: DatasetReader, grid: Grid, bands: Sequence[int], path: str | Path
) -> Iterator[Reader]:
    """Reads the scene as it lies on ``grid``, bilinear, NaN where it has no measurement.

    Without a CRS in the grid, the grid lies on the pixels of the scene.

    Raises:
        InputError: The scene cannot be warped onto the grid.
    """
    placed = {"crs": grid.crs}
    if grid.crs is None:
        placed = {"src_crs": ANY_CRS, "crs": ANY_CRS, "src_transform": Affine.identity()}
    try:
        # NaN in float32 carries nodata, alpha, masks and the outside alike; an added alpha band
        # fails for int16 and for float sources with nodata.
        view = WarpedVRT(
            dataset,
            **placed,
            transform=grid.transform,
            height=grid.height,
            width=grid.width,
            resampling=Resampling.bilinear,
            nodata=np.nan,
            dtype="float32",
            NUM_THREADS="ALL_CPUS",
        )
    except RasterioError as error:
        raise InputError(
            f"{shown(path)} cannot be warped: {error} Warp it with gdalwarp."
        ) from error
    with view:
        yield _cut_from_blocks(view, grid, bands, path)


def _cut_from_blocks(view: WarpedVRT, grid: Grid, bands: Sequence[int], path: str | Path) -> Reader:
    block_bytes = BLOCK * BLOCK * 4 * len(bands)

    @lru_cache(maxsize=max(4, CACHE_BYTES // block_bytes))
    def block(block_row: int, block_col: int) -> NDArray[np.float32]:
        top, left = block_row * BLOCK, block_col * BLOCK
        bottom, right = min(top + BLOCK, grid.height), min(left + BLOCK, grid.width)
        window = Window.from_slices((top, bottom), (left, right))
        with reading(path, window, " of the BEFORE grid"):
            pixels = np.asarray(view.read(indexes=list(bands), window=window))
        pixels[:, ~np.isfinite(pixels).all(axis=0)] = np.nan
        pixels.setflags(write=False)
        return pixels

    def read(window: Window) -> NDArray[np.float32]:
        pixels = np.empty((len(bands), window.height, window.width), dtype=np.float32)
        for target_rows, block_row, rows in _pieces(window.row_off, window.height):
            for target_cols, block_col, cols in _pieces(window.col_off, window.width):
                pixels[:, target_rows, target_cols] = block(block_row, block_col)[:, rows, cols]
        return pixels

    return read


def _pieces(start: int, length: int) -> Iterator[tuple[slice, int, slice]]:
    """Pieces of a range by block: where it goes, the block's number, where it lies in the block."""
    at = start
    while at < start + length:
        number, inside = divmod(at, BLOCK)
        count = min(BLOCK - inside, start + length - at)
        yield slice(at - start, at - start + count), number, slice(inside, inside + count)
        at += count
