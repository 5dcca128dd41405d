"""Opening scenes and reading windows of them; every failure names the file and the place in it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from scdcli.errors import InputError
from scdcli.files.naming import is_remote, name_of
from scdcli.rasters.grid import UNPLACED, Grid
from scdcli.rasters.limits import (
    FOREIGN_ERRORS,
    NO_CODE,
    cause,
    georeference_optional,
    opening,
    remedy,
    require_image_file,
    require_modest,
    require_no_reference,
    waiting,
)

# Tried one by one: a VRT, also one renamed .tif, can make GDAL read any other file.
# rasterio 1.4 takes no list of drivers. Suffixes count only where files are looked for in a folder.
SHORTEST = 1e-12  # side of a pixel in units of the CRS; the longest is the inverse
SMALLEST_SINE = 1e-9  # of the angle between the sides of a pixel
DRIVERS = {
    "GTiff": (".tif", ".tiff"),
    "JP2OpenJPEG": (".jp2", ".j2k"),
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "HFA": (".img",),
    "ENVI": (".dat", ".bsq", ".bil", ".bip"),
    "NITF": (".ntf", ".nitf"),
    "PCIDSK": (".pix",),
}

MOST_PAGES = 20  # whose size is looked up

Reader = Callable[[Window], NDArray[np.float32]]
"""Window of a grid to (C, h, w) float32, NaN in every band of a pixel without a measurement."""


@dataclass(frozen=True)
class ByPoints:
    """The position of a scene that has ground control points and no grid.

    Attributes:
        count: Number of points.
        residual: Largest distance of a point from the polynomial through all, in pixels.
        about: The grid that comes nearest to the file's own pixels.
    """

    count: int
    residual: float
    about: Grid


@dataclass(frozen=True)
class Scene:
    """One open file, where it came from and where it lies.

    Attributes:
        path: The file or address.
        dataset: The file, open for reading.
        grid: The grid of its pixels; a north-up one made for it when it is placed by points.
        points: What places it when it has no grid of its own.
        masked: Above 0 where a pixel of the file is not to be read, if there is such a mask.
    """

    path: str | Path
    dataset: DatasetReader
    grid: Grid
    points: ByPoints | None = None
    masked: DatasetReader | None = None

    @property
    def name(self) -> str:
        """The path as it may be printed."""
        return name_of(self.path)


@contextmanager
def open_scene(path: str | Path, *, allow_vrt: bool = False) -> Iterator[DatasetReader]:
    """The scene, open for reading, closed at the end.

    Args:
        path: File, or a GDAL path or address (``/vsizip/...``, ``s3://...``, ``https://...``).
        allow_vrt: Also open VRT files, which may refer to any other file.

    Raises:
        InputError: The file is missing, is a folder, is not an image of a known format, or takes
            too much memory to read.
    """
    if not is_remote(path):
        require_image_file(path, allow_vrt=allow_vrt)
    drivers = (*DRIVERS, "VRT") if allow_vrt else tuple(DRIVERS)
    with rasterio.Env(**waiting(path), **NO_CODE), _open(path, drivers) as dataset:
        require_modest(dataset, path)
        if not allow_vrt:
            require_no_reference(dataset, path)
        yield dataset


@contextmanager
def reading(path: str | Path, window: Window, grid_name: str = "") -> Iterator[None]:
    """Turn a failed read inside the block into an `InputError` with file, window and cause."""
    try:
        yield
    except (*FOREIGN_ERRORS, MemoryError) as error:
        (top, bottom), (left, right) = window.toranges()
        place = f"rows {top}-{bottom - 1}, columns {left}-{right - 1}{grid_name}"
        raise InputError(
            f"{name_of(path)} ({place}) cannot be read: {cause(error, path)} {remedy(path)}"
        ) from error


def read_window(
    dataset: DatasetReader, window: Window, bands: Sequence[int], path: str | Path
) -> NDArray[Any]:
    """Pixels of one window, (C, h, w) in the type of the file.

    Raises:
        InputError: The window cannot be read, for example because the file is cut off.
    """
    with reading(path, window):
        return np.asarray(dataset.read(indexes=list(bands), window=window))


def valid_window(dataset: DatasetReader, window: Window, path: str | Path) -> NDArray[np.bool_]:
    """Where one window holds measurements, (h, w): nodata, alpha and masks taken together."""
    with reading(path, window):
        valid = np.asarray(dataset.dataset_mask(window=window)) > 0
        if dataset.nodata is not None and _ignores_nodata(dataset):
            valid &= (dataset.read(window=window) != dataset.nodata).any(axis=0)
    return valid


def _ignores_nodata(dataset: DatasetReader) -> bool:
    """Whether GDAL makes no mask of a nodata value, as of one beside a NITF file in JPEG."""
    return all(flags == [MaskFlags.all_valid] for flags in dataset.mask_flag_enums)


def measured_window(
    dataset: DatasetReader, window: Window, bands: Sequence[int], path: str | Path
) -> NDArray[np.float32]:
    """Pixels of one window, (C, h, w) float32, NaN in all bands where any has no measurement."""
    pixels = read_window(dataset, window, bands, path).astype(np.float32)
    valid = valid_window(dataset, window, path) & np.isfinite(pixels).all(axis=0)
    pixels[:, ~valid] = np.nan
    return pixels


def scene_reader(
    dataset: DatasetReader, bands: Sequence[int], path: str | Path, offset: tuple[int, int] = (0, 0)
) -> Reader:
    """Reads windows of a grid on which the scene's first pixel lies at ``offset`` (row, col).

    What lies outside the scene is NaN.
    """

    def read(window: Window) -> NDArray[np.float32]:
        pixels = np.full((len(bands), window.height, window.width), np.nan, dtype=np.float32)
        top, left = window.row_off - offset[0], window.col_off - offset[1]
        first_row, last_row = max(top, 0), min(top + window.height, dataset.height)
        first_col, last_col = max(left, 0), min(left + window.width, dataset.width)
        if first_row < last_row and first_col < last_col:
            inside = Window.from_slices((first_row, last_row), (first_col, last_col))
            rows = slice(first_row - top, last_row - top)
            cols = slice(first_col - left, last_col - left)
            pixels[:, rows, cols] = measured_window(dataset, inside, bands, path)
        return pixels

    return read


def scene_grid(dataset: DatasetReader, path: str | Path) -> Grid:
    """The grid the scene lies on.

    Raises:
        InputError: The scene is placed by ground control points or a sensor model, not by a grid,
            or by a grid whose pixels have no size.
    """
    points, _ = dataset.gcps
    if dataset.crs is None and (points or dataset.rpcs is not None):
        placed, option = (f"{len(points)} ground control points", "-tps")
        if not points:
            placed, option = "a sensor model (RPC)", "-rpc"
        raise InputError(
            f"{name_of(path)} is placed by {placed}, not by a grid. Put it on one first: "
            f"gdalwarp {option} {name_of(path)} on-a-grid.tif"
        )
    transform = dataset.transform
    if not has_size(transform):
        raise InputError(
            f"{name_of(path)} has a geotransform in which pixels have no size or no place: "
            f"{transform.to_gdal()}; give it the right one with gdal_edit.py -a_ullr."
        )
    if dataset.crs is None and transform.is_identity:
        transform = UNPLACED
    return Grid(dataset.height, dataset.width, transform, dataset.crs)


def page_sizes(dataset: DatasetReader) -> list[tuple[int, int]]:
    """Widths and heights of the images in a file, in order; of the one that is read first.

    Overviews are no images of their own. An image that cannot be opened has the size (0, 0).
    """
    pages = dataset.subdatasets
    if len(pages) < 2:
        return [(dataset.width, dataset.height)]
    sizes = [(dataset.width, dataset.height)]
    for name in pages[1:MOST_PAGES]:
        try:
            with georeference_optional(), rasterio.open(name, driver=dataset.driver) as page:
                sizes.append((page.width, page.height))
        except FOREIGN_ERRORS:
            sizes.append((0, 0))
    return sizes + [(0, 0)] * (len(pages) - len(sizes))


def has_size(transform: Affine) -> bool:
    """Whether pixels have a place, and sides of a length that numbers can be computed with."""
    if not np.isfinite(tuple(transform)).all():
        return False
    width, height = Grid(1, 1, transform, None).pixel_size
    apart = abs(transform.determinant) > SMALLEST_SINE * width * height
    return apart and all(SHORTEST <= side <= 1 / SHORTEST for side in (width, height))


def alpha_bands(dataset: DatasetReader) -> tuple[int, ...]:
    """Numbers (from 1) of the bands marked as alpha.

    GDAL marks the fourth of four uint8 bands so unless the writer of a GeoTIFF says otherwise.
    """
    kinds = enumerate(dataset.colorinterp, start=1)
    return tuple(band for band, kind in kinds if kind == ColorInterp.alpha)


def spectral_bands(dataset: DatasetReader) -> tuple[int, ...]:
    """Numbers (from 1) of all bands but alpha, which is a mask."""
    masks = alpha_bands(dataset)
    return tuple(band for band in dataset.indexes if band not in masks)


def _open(path: str | Path, drivers: Sequence[str]) -> DatasetReader:
    for driver in drivers:
        try:
            with rasterio.Env(**opening(path)), georeference_optional():
                dataset = rasterio.open(path, driver=driver)
                # Headers of masks are read when first asked for; what is wrong with them comes out
                # at the next question. Both are asked here, where an error can be told.
                _ = dataset.mask_flag_enums, dataset.colorinterp
                return dataset
        except FOREIGN_ERRORS as error:
            if "not recognized" not in str(error):
                raise InputError(
                    f"{name_of(path)} cannot be opened: {cause(error, path)} {remedy(path)}"
                ) from error
    remote, vrt = is_remote(path), " If it is a VRT that you trust, use --allow-vrt."
    raise InputError(
        f"{name_of(path)} {'cannot be reached, or ' if remote else ''}is not an image that can be "
        f"read here ({', '.join(drivers)}); convert it, for example with gdal_translate -of COG."
        f"{vrt if remote and 'VRT' not in drivers else ''}"
    )
