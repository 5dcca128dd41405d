"""Labelled pairs and their predictions as windows of four class maps, from files or a model."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.datasets.classmap import LabelMap, label_windows, open_label
from scdcli.datasets.layouts import is_drawn
from scdcli.datasets.samples import Sample
from scdcli.datasets.scenelabels import open_scene_labels, read_drawn
from scdcli.errors import DatasetError
from scdcli.legend import Legend
from scdcli.rasters.alignment import align
from scdcli.rasters.scene import open_scene, scene_grid
from scdcli.scoring.counting import FourMaps
from scdcli.scoring.mapsets import Files, LabelSet, find_images, match

PredictedWindow = tuple[Window, NDArray[np.uint8], NDArray[np.uint8]]
"""A window of the before image, and its from and to classes, (h, w) each."""

PredictPair = Callable[[Path, Path], Iterator[PredictedWindow]]
"""Before and after image to windows that together cover the before image once."""


# Every block is read once, so GDAL's own cache (5 % of the machine's memory) would only fill up.
CACHE_BYTES = 64 << 20


@dataclass(frozen=True)
class PairOfMaps:
    """One labelled pair and its prediction, read as windows.

    Attributes:
        name: The pair's name.
        sources: What errors call truth from, truth to, predicted from, predicted to.
        windows: Windows of the four maps, that together cover them once.
    """

    name: str
    sources: tuple[str, str, str, str]
    windows: Iterable[FourMaps]


def files_legend(truth: LabelSet, predictions: LabelSet | None = None) -> Legend | None:
    """What the maps of a set mean, as its first pair says: by its tags, or by having colors.

    Returns:
        A legend that a file carries; SECOND's where there are colors only; None for indices.
    """
    known = []
    for side in (truth, predictions):
        for path in next(iter(side.maps.values())) if side else ():
            if is_drawn(path):
                continue
            with open_label(path) as label:
                known.append((label.carried is None, label.legend))
    return next((legend for _, legend in sorted(known, key=itemgetter(0)) if legend), None)


def pairs_of_files(
    truth: LabelSet, predictions: LabelSet, legend: Legend | None, *, overrule: bool = False
) -> Iterator[PairOfMaps]:
    """Pairs of maps that exist.

    Args:
        truth: The labels.
        predictions: The maps to score, of the same names.
        legend: What all maps mean; None for indices that nobody declared.
        overrule: Whether the legend also holds for files that carry another one of its length.

    Yields:
        Pairs whose windows raise `DatasetError` when the maps do not lie on one grid, or carry
        another legend.
    """
    for name, (labels, maps) in match(truth, predictions).items():
        paths = (*labels, *maps)
        scene = truth.scenes.get(name)
        windows = _scene_windows(scene, maps, legend, overrule) if scene else None
        yield PairOfMaps(name, _named(paths), windows or _file_windows(paths, legend, overrule))


def pairs_of_predictor(
    truth: LabelSet, predict: PredictPair, legend: Legend, *, overrule: bool = False
) -> Iterator[PairOfMaps]:
    """Pairs whose maps are predicted as they are scored; nothing is written.

    Args:
        truth: The labels, with their images where `find_images` looks.
        predict: Predicts the maps of one pair.
        legend: The predictor's classes, which the labels must have too.
        overrule: As in `pairs_of_files`.
    """
    images = find_images(truth)
    for name, labels in truth.maps.items():
        scene = truth.scenes.get(name)
        if scene:
            windows = _predicted_scene(scene, predict, legend)
        else:
            windows = _predicted_windows(labels, images[name], predict, legend, overrule)
        yield PairOfMaps(name, _named((*labels, *images[name])), windows)


def _named(paths: tuple[Path, ...]) -> tuple[str, str, str, str]:
    first, second, third, fourth = map(str, paths)
    return first, second, third, fourth


def _file_windows(
    paths: tuple[Path, ...], legend: Legend | None, overrule: bool
) -> Iterator[FourMaps]:
    with open_maps(paths, legend, overrule) as maps:
        for window in label_windows(maps):
            first, second, third, fourth = (each.read(window) for each in maps)
            yield first, second, third, fourth


def _predicted_windows(
    labels: Files, images: Files, predict: PredictPair, legend: Legend, overrule: bool
) -> Iterator[FourMaps]:
    with open_maps(labels, legend, overrule) as (from_label, to_label):
        height, width = from_label.grid.shape
        rows = columns = 0
        for window, from_class, to_class in predict(*images):
            rows = max(rows, window.row_off + window.height)
            columns = max(columns, window.col_off + window.width)
            if rows > height or columns > width:
                break
            yield from_label.read(window), to_label.read(window), from_class, to_class
        if (rows, columns) != (height, width):
            raise DatasetError(
                f"{labels[0]} is {width} x {height} pixels, but {images[0]} is not of that size; "
                "labels lie on the grid of the before image."
            )


def _scene_windows(
    scene: Sample, maps: Files, legend: Legend | None, overrule: bool
) -> Iterator[FourMaps]:
    """Labels of a scene, burnt or read on the grid of the predicted maps."""
    with open_maps(maps, legend, overrule) as (from_map, to_map):
        grid = from_map.grid
        drawn = read_drawn(scene, grid, legend)
        with open_scene_labels(scene, grid, legend, drawn) as read_labels:
            for window in label_windows([from_map, to_map]):
                yield *read_labels(window), from_map.read(window), to_map.read(window)


def _predicted_scene(scene: Sample, predict: PredictPair, legend: Legend) -> Iterator[FourMaps]:
    with open_scene(scene.before) as dataset:
        grid = scene_grid(dataset, scene.before)
    drawn = read_drawn(scene, grid, legend)
    with open_scene_labels(scene, grid, legend, drawn) as read_labels:
        for window, from_class, to_class in predict(scene.before, scene.after):
            yield *read_labels(window), from_class, to_class


@contextmanager
def open_maps(
    paths: tuple[Path, ...], legend: Legend | None, overrule: bool
) -> Iterator[list[LabelMap]]:
    """Maps of one place, open for reading windows.

    Raises:
        DatasetError: They do not lie on one grid, or carry another legend.
    """
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), ExitStack() as stack:
        maps = [stack.enter_context(open_label(path, legend)) for path in paths]
        for each in maps:
            _require_same_place(maps[0], each)
            if not overrule:
                _require_same_legend(each, legend)
        yield maps


def _require_same_place(first: LabelMap, other: LabelMap) -> None:
    (height, width), (other_height, other_width) = first.grid.shape, other.grid.shape
    names = (str(first.path), str(other.path))
    if first.grid.shape != other.grid.shape:
        raise DatasetError(
            f"{names[0]} and {names[1]} differ in size: {width} x {height} and "
            f"{other_width} x {other_height} pixels; predictions lie on the grid of the labels."
        )
    if first.grid.crs and other.grid.crs:
        differences = align(first.grid, other.grid, names).differences
        if differences:
            raise DatasetError(
                f"{names[0]} and {names[1]} are not on the same grid: {'; '.join(differences)}. "
                "Resample one onto the other, for example with gdalwarp -r near."
            )


def _require_same_legend(label: LabelMap, legend: Legend | None) -> None:
    own = label.carried if legend else label.legend
    if own and (legend is None or _names(own) != _names(legend)):
        other = f"legend {legend.name!r} ({_names(legend)})" if legend else "none"
        raise DatasetError(
            f"{label.path} has the legend {own.name!r} ({_names(own)}), but the maps "
            f"before it have {other}. Say which one holds for all with --legend."
        )


def _names(legend: Legend) -> str:
    return ", ".join(cover.name for cover in legend.classes)
