"""A pair as small pictures to look at: read coarsely from overviews, not pixel by pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window

from scdcli.rasters.grid import UNPLACED, Grid
from scdcli.rasters.scene import Reader, Scene, alpha_bands, reading
from scdcli.rasters.warp import ANY_CRS

Shape = tuple[int, int]
STRIP_PIXELS = 1 << 20
OUTER = (2.0, 98.0)  # percent of the values that are drawn black and white


@dataclass(frozen=True)
class Source:
    """One scene of a pair, for reading it coarsely.

    Attributes:
        scene: The open file.
        grid: Where the grid of the pair lies for it.
        bands: Its bands in use, from 1.
        offset: (row, col) of its first pixel on the grid; None when it has to be warped.
    """

    scene: Scene
    grid: Grid
    bands: tuple[int, ...]
    offset: tuple[int, int] | None

    @property
    def bytes_as_they_are(self) -> bool:
        """Whether its values are colors already."""
        return all(self.scene.dataset.dtypes[band - 1] == "uint8" for band in self.bands)

    def read(self, window: Window, shape: Shape) -> NDArray[np.float32]:
        """A window of the pair as (C, h, w) float32 of another size, NaN where nothing is measured.

        Values are averages, as far as the overviews of the file are.

        Raises:
            InputError: The file cannot be read there.
        """
        with reading(self.scene.path, window, " of the BEFORE grid"):
            if self.offset is None:
                return self._warped(window, shape)
            return self._plain(self.offset, window, shape)

    def _plain(self, offset: Shape, window: Window, shape: Shape) -> NDArray[np.float32]:
        """From the pixels of the file, as far as it reaches."""
        dataset, pixels = self.scene.dataset, _nothing(len(self.bands), shape)
        rows = _inside(window.row_off - offset[0], window.height, shape[0], dataset.height)
        cols = _inside(window.col_off - offset[1], window.width, shape[1], dataset.width)
        if rows is None or cols is None:
            return pixels
        (of_rows, to_rows), (of_cols, to_cols) = rows, cols
        part = Window(of_cols[0], of_rows[0], of_cols[1] - of_cols[0], of_rows[1] - of_rows[0])
        size = (to_rows.stop - to_rows.start, to_cols.stop - to_cols.start)
        found = dataset.read(
            indexes=list(self.bands),
            window=part,
            out_shape=(len(self.bands), *size),
            resampling=_resampling(window, shape),
        ).astype(np.float32)
        valid = dataset.dataset_mask(window=part, out_shape=size) > 0
        found[:, ~(valid & np.isfinite(found).all(axis=0))] = np.nan
        pixels[:, to_rows, to_cols] = found
        return pixels

    def _warped(self, window: Window, shape: Shape) -> NDArray[np.float32]:
        pixels = _nothing(len(self.bands), shape)
        place = self.grid.transform @ Affine.translation(window.col_off, window.row_off)
        placed = {"src_crs": self.scene.grid.crs, "dst_crs": self.grid.crs}
        if self.grid.crs is None:
            placed = {"src_crs": ANY_CRS, "dst_crs": ANY_CRS, "SRC_METHOD": "NO_GEOTRANSFORM"}
            place = ~UNPLACED @ place  # to rows that count downward
        elif self.scene.points is None:
            placed["src_transform"] = self.scene.grid.transform
        masks = alpha_bands(self.scene.dataset)
        reproject(
            rasterio.band(self.scene.dataset, self.bands),
            pixels,
            **placed,
            src_alpha=masks[0] if masks else 0,
            dst_transform=place @ Affine.scale(window.width / shape[1], window.height / shape[0]),
            dst_nodata=np.nan,
            resampling=_resampling(window, shape),
        )
        pixels[:, ~np.isfinite(pixels).all(axis=0)] = np.nan
        return pixels


@dataclass(frozen=True)
class SteppedReader:
    """What has no overviews, such as an array: every so many pixels of it."""

    reader: Reader
    bytes_as_they_are: bool = False

    def read(self, window: Window, shape: Shape) -> NDArray[np.float32]:
        """As `Source.read`, with single pixels instead of averages."""
        rows = window.row_off + _middles(window.height, shape[0])
        cols = _middles(window.width, shape[1])
        strips = []
        for row in rows.tolist():
            line = Window(window.col_off, row, window.width, 1)
            strips.append(self.reader(line)[:, :, cols])
        return np.concatenate(strips, axis=1)


Glanced = Source | SteppedReader


@dataclass(frozen=True)
class Display:
    """How the values of one date become colors.

    Attributes:
        source: What is read.
        low: Value that is drawn black.
        high: Value that is drawn white.
    """

    source: Glanced
    low: float = 0.0
    high: float = 255.0

    def picture(self, window: Window, shape: Shape) -> NDArray[np.uint8]:
        """A window as colors, (h, w, 3) uint8.

        Raises:
            InputError: The file cannot be read there.
        """
        return self.colors(self.source.read(window, shape))

    def colors(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Values (C, h, w) as colors, (h, w, 3); gray of less than three bands, and of nodata."""
        picked = pixels[:3] if len(pixels) >= 3 else pixels[:1].repeat(3, axis=0)
        # In place: a picture has millions of values, and each pass takes its time.
        scaled = picked - np.float32(self.low)
        with np.errstate(over="ignore"):
            scaled *= 255.0 / max(self.high - self.low, 1e-9)
        np.clip(scaled, 0, 255, out=scaled)
        scaled[np.isnan(scaled)] = NODATA_GRAY
        scaled += 0.5
        return np.moveaxis(scaled.astype(np.uint8), 0, -1)


NODATA_GRAY = 160


def display_of(source: Glanced, pixels: NDArray[np.float32]) -> Display:
    """A date with the range of values that shows it well: bytes as they are, else 2-98 %.

    Args:
        source: What is read.
        pixels: All of it, small, (C, h, w), NaN where nothing is measured.
    """
    if source.bytes_as_they_are:
        return Display(source)
    values = pixels[np.isfinite(pixels)]
    if not values.size:
        return Display(source)
    low, high = np.percentile(values, OUTER)
    return Display(source, float(low), float(high))


def displayed(source: Glanced, window: Window, shape: Shape) -> Display:
    """The same, from a window of it read at this size.

    Raises:
        InputError: The file cannot be read.
    """
    return display_of(source, source.read(window, shape))


def small_shape(shape: Sequence[int], longest: int) -> Shape:
    """(height, width) in proportion, no side longer than ``longest``, none below one."""
    shrink = min(1.0, longest / max(shape))
    height, width = (max(1, round(side * shrink)) for side in shape[:2])
    return height, width


def _nothing(count: int, shape: Shape) -> NDArray[np.float32]:
    return np.full((count, *shape), np.nan, dtype=np.float32)


def _resampling(window: Window, shape: Shape) -> Resampling:
    finer = window.height > shape[0] or window.width > shape[1]
    return Resampling.average if finer else Resampling.bilinear


def _middles(length: int, count: int) -> NDArray[np.int64]:
    """The pixels in the middle of ``count`` equal parts."""
    return ((np.arange(count) + 0.5) * length / count).astype(np.int64)


def _inside(
    start: int, length: int, count: int, limit: int
) -> tuple[tuple[int, int], slice] | None:
    """Of a range along an axis: what lies in the file, and where that goes; None for nothing."""
    first, last = max(start, 0), min(start + length, limit)
    if first >= last:
        return None
    scale = count / length
    to_first = int(np.floor((first - start) * scale))
    to_last = int(np.ceil((last - start) * scale))
    return (first, last), slice(to_first, max(to_last, to_first + 1))
