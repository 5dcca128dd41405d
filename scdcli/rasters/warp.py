"""Reading a scene through a warped view, in blocks that do not depend on the windows asked for.

GDAL approximates the reprojection over the window it is asked for, so the same pixel differs
between windows. Fixed blocks of the target grid are therefore warped whole, and windows are cut
out of them: any order and any split of reads gives the same pixels.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import reproject
from rasterio.windows import Window

from scdcli.errors import InputError
from scdcli.rasters.grid import UNPLACED, Grid
from scdcli.rasters.limits import FOREIGN_ERRORS, cause
from scdcli.rasters.scene import Reader, Scene, alpha_bands, reading

BLOCK = 1024  # pixels
CACHE_BYTES = 256 * 2**20
OPTIONS = {
    "resampling": Resampling.bilinear,
    "num_threads": os.cpu_count() or 1,
    # A pixel is nodata where all bands are, as where the scene is read without warping.
    "unified_src_nodata": "YES",
}
# GDAL warps nothing without one; from and to the same, it is idle. This one needs no database.
ANY_CRS = CRS.from_wkt('LOCAL_CS["pixels",UNIT["metre",1]]')


Warp = Callable[[Window], NDArray[np.float32]]


@contextmanager
def warped_reader(scene: Scene, grid: Grid, bands: Sequence[int]) -> Iterator[Reader]:
    """Reads the scene as it lies on ``grid``, bilinear, NaN where it has no measurement.

    Without a CRS in the grid, the grid lies on the pixels of the scene.

    Raises:
        InputError: The scene cannot be warped onto the grid.
    """
    if scene.points is not None:
        yield _cut_from_blocks(_warp_by_points(scene, grid, bands), scene, grid, len(bands))
        return
    placed = {"src_crs": scene.grid.crs, "src_transform": scene.grid.transform, "crs": grid.crs}
    if grid.crs is None:
        placed = {"src_crs": ANY_CRS, "src_transform": UNPLACED, "crs": ANY_CRS}
    try:
        # NaN in float32 carries nodata, alpha, masks and the outside alike; an added alpha band
        # fails for int16 and for float sources with nodata.
        view = WarpedVRT(
            scene.dataset,
            **placed,
            transform=grid.transform,
            height=grid.height,
            width=grid.width,
            **OPTIONS,
            nodata=np.nan,
            dtype="float32",
        )
    except FOREIGN_ERRORS as error:
        raise InputError(
            f"{scene.name} cannot be warped: {cause(error, scene.path)} Check its CRS and position "
            "with gdalinfo."
        ) from error
    with view:

        def warp(window: Window) -> NDArray[np.float32]:
            return np.asarray(view.read(indexes=list(bands), window=window))

        yield _cut_from_blocks(warp, scene, grid, len(bands))


def _warp_by_points(scene: Scene, grid: Grid, bands: Sequence[int]) -> Warp:
    """A scene placed by ground control points: a view of GDAL knows grids only."""
    assert scene.points is not None
    masks = alpha_bands(scene.dataset)

    def warp(window: Window) -> NDArray[np.float32]:
        pixels = np.full((len(bands), window.height, window.width), np.nan, dtype=np.float32)
        reproject(
            rasterio.band(scene.dataset, tuple(bands)),
            pixels,
            src_crs=scene.grid.crs,
            src_alpha=masks[0] if masks else 0,
            dst_crs=grid.crs,
            dst_transform=grid.transform @ Affine.translation(window.col_off, window.row_off),
            dst_nodata=np.nan,
            **OPTIONS,
        )
        return pixels

    return warp


def _cut_from_blocks(warp: Warp, scene: Scene, grid: Grid, count: int) -> Reader:
    block_bytes = BLOCK * BLOCK * 4 * count

    @lru_cache(maxsize=max(4, CACHE_BYTES // block_bytes))
    def block(block_row: int, block_col: int) -> NDArray[np.float32]:
        top, left = block_row * BLOCK, block_col * BLOCK
        bottom, right = min(top + BLOCK, grid.height), min(left + BLOCK, grid.width)
        window = Window.from_slices((top, bottom), (left, right))
        with reading(scene.path, window, " of the BEFORE grid"):
            pixels = warp(window)
        pixels[:, ~np.isfinite(pixels).all(axis=0)] = np.nan
        pixels.setflags(write=False)
        return pixels

    def read(window: Window) -> NDArray[np.float32]:
        pixels = np.empty((count, window.height, window.width), dtype=np.float32)
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
