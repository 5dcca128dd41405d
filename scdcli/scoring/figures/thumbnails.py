"""Scenes and class maps made small enough for a picture, read by windows whatever their size."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.datasets.classmap import label_windows, open_label
from scdcli.datasets.samples import Sample
from scdcli.datasets.scenelabels import open_scene_labels
from scdcli.legend import NODATA, Legend
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.scene import open_scene, scene_grid

Picture = NDArray[np.uint8]
"""Red, green and blue, (h, w, 3) uint8: as matplotlib draws it."""

STRIP_PIXELS = 1 << 20


def step(height: int, width: int, side: int) -> int:
    """The step n at which every n-th pixel of an axis is kept, so that no side exceeds ``side``."""
    return max(1, ceil(max(height, width) / side))


class ClassThumbnail:
    """A map of classes, filled window by window with every n-th pixel of every n-th row."""

    def __init__(self, height: int, width: int, side: int) -> None:
        """Start with nodata everywhere."""
        self._step = step(height, width, side)
        shape = ceil(height / self._step), ceil(width / self._step)
        self.index = np.full(shape, NODATA, dtype=np.uint8)

    def add(self, window: Window, classes: NDArray[np.uint8]) -> None:
        """Take what a window, (h, w) uint8, holds of the thumbnail's pixels."""
        top, left = -window.row_off % self._step, -window.col_off % self._step
        kept = classes[top :: self._step, left :: self._step]
        row, col = (window.row_off + top) // self._step, (window.col_off + left) // self._step
        self.index[row : row + kept.shape[0], col : col + kept.shape[1]] = kept


def class_thumbnail(path: Path, legend: Legend | None, side: int) -> NDArray[np.uint8]:
    """The classes of a map on disk, (h, w) uint8, no side longer than ``side``.

    Raises:
        DatasetError: A color is not in the legend.
        InputError: The file cannot be read.
    """
    with open_label(path, legend) as label:
        small = ClassThumbnail(*label.grid.shape, side)
        for window in label_windows([label]):
            small.add(window, label.read(window))
    return small.index


def scene_thumbnails(
    scene: Sample, legend: Legend | None, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Both labels of a scene on the grid of BEFORE, (h, w) uint8, no side longer than ``side``.

    Raises:
        DatasetError: A class is not in the legend, or a label lies elsewhere.
        InputError: A file cannot be read.
    """
    with open_scene(scene.before) as dataset:
        grid = scene_grid(dataset, scene.before)
    first, second = (ClassThumbnail(*grid.shape, side) for _ in range(2))
    with open_scene_labels(scene, grid, legend) as read_labels:
        for window in _strips(*grid.shape):
            for thumbnail, classes in zip((first, second), read_labels(window), strict=True):
                thumbnail.add(window, classes)
    return first.index, second.index


def image_thumbnails(before: Path, after: Path, side: int) -> tuple[Picture, Picture]:
    """Both images of a pair on the grid of the first, as pictures of at most ``side`` pixels.

    The first three bands are red, green and blue; of fewer, the first is drawn in gray. Every
    pixel is the mean of those it stands for; nodata is black.

    Raises:
        InputError: An image cannot be read.
        PairError: The two cannot be compared.
    """
    with open_pair(before, after) as pair:
        unit = step(*pair.grid.shape, side)
        strips = []
        for window in _strips(*pair.grid.shape, unit):
            first, second, _ = pair.read(window)
            strips.append((_means(first, unit), _means(second, unit)))
    whole = [np.concatenate(each) for each in zip(*strips, strict=True)]
    return whole[0], whole[1]


def _strips(height: int, width: int, unit: int = 1) -> Iterator[Window]:
    """Full-width strips of whole units of rows."""
    rows = unit * max(1, STRIP_PIXELS // (unit * width))
    for top in range(0, height, rows):
        yield Window(0, top, width, min(rows, height - top))


def _means(pixels: NDArray[np.float32], unit: int) -> Picture:
    """Means of squares of ``unit`` pixels, three bands; the last squares repeat the edge."""
    pixels = pixels[:3] if len(pixels) >= 3 else pixels[:1].repeat(3, axis=0)
    height, width = pixels.shape[1:]
    padded = np.pad(pixels, ((0, 0), (0, -height % unit), (0, -width % unit)), mode="edge")
    rows, cols = padded.shape[1] // unit, padded.shape[2] // unit
    means = padded.reshape(3, rows, unit, cols, unit).mean(axis=(2, 4))
    return np.moveaxis(means.round().astype(np.uint8), 0, -1)
