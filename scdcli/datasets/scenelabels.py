"""The labels of a large scene on the grid of its BEFORE image: rasters or polygons, by windows."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.datasets.classmap import LabelMap, open_label, require_known
from scdcli.datasets.drawn import AOI, Burner, burn_area, burn_changes, has_layer
from scdcli.datasets.layouts import is_drawn
from scdcli.datasets.samples import Sample
from scdcli.errors import DatasetError, PairError
from scdcli.files.naming import crs_name
from scdcli.legend import NODATA, Legend
from scdcli.rasters.alignment import align
from scdcli.rasters.grid import Grid

ReadClasses = Callable[[Window], tuple[NDArray[np.uint8], NDArray[np.uint8]]]
"""Window of the BEFORE grid to from and to classes, (h, w) uint8; 255 where nothing is labelled."""


@dataclass(frozen=True)
class Drawn:
    """The polygons of a scene; each None where there are none. Read once: a layer is small."""

    changes: Burner | None
    area: Burner | None


def read_drawn(sample: Sample, grid: Grid, legend: Legend | None) -> Drawn:
    """The polygons of a scene on the grid of its BEFORE image.

    The area in which everything is labelled is a file of its own, or the layer ``aoi`` beside the
    changes.

    Raises:
        InputError: A file cannot be read.
        DatasetError: A layer, a field, a class or the CRS does not fit.
    """
    before, labels = str(sample.before), sample.from_label
    changes = burn_changes(labels, grid, before, legend) if is_drawn(labels) else None
    aoi = sample.aoi or (labels if changes and has_layer(labels, AOI) else None)
    return Drawn(changes, burn_area(aoi, AOI, grid, before) if aoi else None)


@contextmanager
def open_scene_labels(
    sample: Sample, grid: Grid, legend: Legend | None, drawn: Drawn | None = None
) -> Iterator[ReadClasses]:
    """The labels of a scene, open for reading windows of the grid of BEFORE.

    Label rasters may cover another part than BEFORE, but pixel must lie on pixel: classes are never
    resampled. What they do not cover is nodata. The grid is that of the BEFORE image, or of maps
    that lie on it. Without a legend labels are indices.

    Raises:
        InputError: A file cannot be read.
        DatasetError: A raster lies on another grid.
    """
    drawn = drawn or read_drawn(sample, grid, legend)
    with ExitStack() as stack:
        if drawn.changes:
            read: ReadClasses = drawn.changes.read_classes
        else:
            maps = [
                stack.enter_context(open_label(path, legend))
                for path in (sample.from_label, sample.to_label)
            ]
            read = _read_both([(each, _offset(each, grid, sample.before)) for each in maps], legend)
        yield read if drawn.area is None else _inside(read, drawn.area)


def _read_both(maps: list[tuple[LabelMap, tuple[int, int]]], legend: Legend | None) -> ReadClasses:
    def read(window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        first, second = (_read_at(label, offset, window, legend) for label, offset in maps)
        return first, second

    return read


def _read_at(
    label: LabelMap, offset: tuple[int, int], window: Window, legend: Legend | None
) -> NDArray[np.uint8]:
    """A window of the grid on which the label's first pixel lies at ``offset`` (row, col)."""
    index = np.full((int(window.height), int(window.width)), NODATA, dtype=np.uint8)
    top, left = int(window.row_off) - offset[0], int(window.col_off) - offset[1]
    rows = slice(max(top, 0), min(top + index.shape[0], label.grid.height))
    cols = slice(max(left, 0), min(left + index.shape[1], label.grid.width))
    if rows.start < rows.stop and cols.start < cols.stop:
        part = label.read(Window.from_slices((rows.start, rows.stop), (cols.start, cols.stop)))
        index[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = part
    if legend is not None:
        require_known(index, str(label.path), legend)
    return index


def _inside(read: ReadClasses, area: Burner) -> ReadClasses:
    def read_inside(window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        first, second = read(window)
        outside = area.read(window) == 0
        first[outside] = second[outside] = NODATA
        return first, second

    return read_inside


def _offset(label: LabelMap, grid: Grid, before: Path) -> tuple[int, int]:
    """(row, col) of the label's first pixel on the grid.

    Raises:
        DatasetError: The two do not lie pixel on pixel.
    """
    names = (str(before), str(label.path))
    if label.grid.crs is None and label.grid.shape == grid.shape:
        return 0, 0
    try:
        alignment = align(grid, label.grid, names)
    except PairError as error:
        raise DatasetError(f"{error}") from error
    if alignment.offset is None:
        raise DatasetError(
            f"{names[0]} and {names[1]} are not on the same grid: "
            f"{'; '.join(alignment.differences)} ({crs_name(grid.crs)}). Classes are not "
            "resampled here; bring the label onto the grid of the image, for example with "
            "gdalwarp -r near."
        )
    return alignment.offset
