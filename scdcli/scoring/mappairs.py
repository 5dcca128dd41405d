"""Labelled pairs with the predictions of a system, window by window, from files or a model."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.datasets.classmap import LabelMap, label_windows, open_label, require_known
from scdcli.datasets.layouts import is_drawn
from scdcli.datasets.samples import Sample
from scdcli.datasets.scenelabels import open_scene_labels
from scdcli.errors import DatasetError
from scdcli.legend import NODATA, UNCHANGED, Legend
from scdcli.prediction.decode import ClassMaps, Reading
from scdcli.rasters.alignment import align
from scdcli.rasters.scene import open_scene, scene_grid
from scdcli.scoring.counting import ClassMap, DateMaps
from scdcli.scoring.mapsets import Files, LabelSet, find_images, match

# Every block is read once, so GDAL's own cache (5 % of the machine's memory) would only fill up.
CACHE_BYTES = 64 << 20


class Prediction(NamedTuple):
    """The prediction of a system for a window of a pair; maps are (h, w).

    Attributes:
        window: The place of the window in the pair.
        classes: From and to class: 0 unchanged, 1..K, 255 nodata.
        covers: Class of every pixel before and after, changed or not: 1..K, 255 nodata; None of
            maps that exist without it.
        reading: Classes and change probability of a model, before any threshold; None for maps
            that exist.
        valid: Where both images have measurements, bool; None where that is not known.
    """

    window: Window
    classes: DateMaps
    covers: DateMaps | None = None
    reading: Reading | None = None
    valid: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls,
        window: Window,
        reading: Reading,
        threshold: float,
        valid: NDArray[np.bool_] | None = None,
    ) -> "Prediction":
        """The maps of a model at a threshold τ, each pixel by itself; nodata where not valid."""
        maps = reading.at(threshold)
        if valid is not None:
            maps = maps.with_nodata(valid)
        return cls.with_maps(window, maps, reading, valid)

    @classmethod
    def with_maps(
        cls,
        window: Window,
        maps: ClassMaps,
        reading: Reading,
        valid: NDArray[np.bool_] | None,
    ) -> "Prediction":
        """The maps of a model as they are written, and what they were made from."""
        covers = (maps.before_cover, maps.after_cover)
        return cls(window, (maps.from_class, maps.to_class), covers, reading, valid)


PredictPair = Callable[[Path, Path], Iterator[Prediction]]
"""Before and after image to predictions whose windows together cover the before image once."""


@dataclass(frozen=True)
class ScoredWindow:
    """A window of a labelled pair: its labels, and what a system predicts.

    Attributes:
        pair: The pair's name.
        shape: Height and width of the whole pair.
        labels: From and to class, (h, w) uint8 each: 0 unchanged, 1..K, 255 nodata.
        predicted: The prediction of a system for the window.
        covers: Known class of every pixel before and after, (h, w) uint8 each: 1..K, 0 and 255 for
            not known; None for pairs without.
    """

    pair: str
    shape: tuple[int, int]
    labels: DateMaps
    predicted: Prediction
    covers: DateMaps | None = None

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Where both dates have a label, (h, w)."""
        from_label, to_label = self.labels
        known: NDArray[np.bool_] = (from_label != NODATA) & (to_label != NODATA)
        return known


class WindowTally(Protocol):
    """Something that gathers counts or pictures from every window of a set."""

    def add(self, window: ScoredWindow) -> None:
        """Take in one more window."""


@dataclass(frozen=True)
class ScoredPair:
    """One labelled pair and its prediction.

    Attributes:
        name: The pair's name.
        sources: What errors call truth from, truth to, predicted from, predicted to.
        windows: Windows that together cover the pair once.
    """

    name: str
    sources: tuple[str, str, str, str]
    windows: Iterable[ScoredWindow]


class FilesOfPair(NamedTuple):
    """Maps of one pair that exist, before and after each; None for what there is not."""

    labels: Files
    predicted: Files
    covers: Files | None
    predicted_covers: Files | None


def files_legend(truth: LabelSet, predictions: LabelSet | None = None) -> Legend | None:
    """The legend of a set as its first pair declares it: by tags, or by having colors.

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
    truth: LabelSet,
    predictions: LabelSet,
    legend: Legend | None,
    covers: Mapping[str, Files] | None = None,
    predicted_covers: Mapping[str, Files] | None = None,
    *,
    overrule: bool = False,
) -> Iterator[ScoredPair]:
    """Pairs of maps that exist.

    Args:
        truth: The labels.
        predictions: The maps to score, of the same names.
        legend: What all maps mean; None for indices that nobody declared.
        covers: Known land cover by name, of the pairs that have it.
        predicted_covers: Predicted land cover, likewise.
        overrule: Whether the legend also holds for files that carry another one of its length.

    Yields:
        Pairs whose windows raise `DatasetError` when the maps do not lie on one grid, carry
        another legend, or hold land cover that the legend does not know.
    """
    for name, (labels, maps) in match(truth, predictions).items():
        scene = truth.scenes.get(name)
        if scene:
            windows = _scene_windows(scene, maps, legend, overrule)
        else:
            paths = FilesOfPair(
                labels, maps, (covers or {}).get(name), (predicted_covers or {}).get(name)
            )
            windows = _file_windows(name, paths, legend, overrule)
        yield ScoredPair(name, _named((*labels, *maps)), windows)


def pairs_of_predictor(
    truth: LabelSet,
    predict: PredictPair,
    legend: Legend,
    covers: Mapping[str, Files] | None = None,
    *,
    overrule: bool = False,
) -> Iterator[ScoredPair]:
    """Pairs whose maps are predicted as they are scored; nothing is written.

    Labels have the classes of the predictor; ``covers`` and ``overrule`` are as in
    `pairs_of_files`.
    """
    images = find_images(truth)
    for name, labels in truth.maps.items():
        scene = truth.scenes.get(name)
        if scene:
            windows = _predicted_scene(scene, predict, legend)
        else:
            known = (*labels, *(covers or {}).get(name, ()))
            windows = _predicted_windows(name, known, images[name], predict, legend, overrule)
        yield ScoredPair(name, _named((*labels, *images[name])), windows)


def _named(paths: tuple[Path, ...]) -> tuple[str, str, str, str]:
    first, second, third, fourth = map(str, paths)
    return first, second, third, fourth


def _file_windows(
    name: str, paths: FilesOfPair, legend: Legend | None, overrule: bool
) -> Iterator[ScoredWindow]:
    """Windows of labels and predicted maps, and of known and predicted land cover if there."""
    every = tuple(path for files in paths if files for path in files)
    with open_maps(every, legend, overrule) as maps:
        for window in label_windows(maps):
            # Nothing of it is held here while the next one is read.
            yield _read_files(name, paths, maps, window)


def _read_files(
    name: str, paths: FilesOfPair, maps: Sequence[LabelMap], window: Window
) -> ScoredWindow:
    labels, classes = _read_both(maps[:2], window), _read_both(maps[2:4], window)
    covers = predicted = None
    if paths.covers:
        covers = _read_covers(maps[4:6], window)
    if paths.predicted_covers:
        predicted = _read_covers(maps[-2:], window)
        for index, label in zip(predicted, maps[-2:], strict=True):
            _require_everywhere(index, label.path)
    prediction = Prediction(window, classes, predicted)
    return ScoredWindow(name, maps[0].grid.shape, labels, prediction, covers)


def _predicted_windows(
    name: str,
    paths: tuple[Path, ...],
    images: Files,
    predict: PredictPair,
    legend: Legend,
    overrule: bool,
) -> Iterator[ScoredWindow]:
    """Windows of labels, and of known land cover if there, with predictions made on the way."""
    with open_maps(paths, legend, overrule) as maps:
        height, width = shape = maps[0].grid.shape
        rows = columns = 0
        for predicted in predict(*images):
            window = predicted.window
            rows = max(rows, window.row_off + window.height)
            columns = max(columns, window.col_off + window.width)
            if rows > height or columns > width:
                break
            labels = _read_both(maps[:2], window)
            covers = _read_covers(maps[2:], window) if len(maps) > 2 else None
            yield ScoredWindow(name, shape, labels, predicted, covers)
        if (rows, columns) != (height, width):
            raise DatasetError(
                f"{paths[0]} is {width} x {height} pixels, but {images[0]} is not of that size; "
                "labels lie on the grid of the before image."
            )


def _scene_windows(
    scene: Sample, maps: Files, legend: Legend | None, overrule: bool
) -> Iterator[ScoredWindow]:
    """Labels of a scene, burnt or read on the grid of the predicted maps."""
    with open_maps(maps, legend, overrule) as opened:
        grid = opened[0].grid
        with open_scene_labels(scene, grid, legend) as read_labels:
            for window in label_windows(opened):
                predicted = Prediction(window, _read_both(opened, window))
                yield ScoredWindow(scene.name, grid.shape, read_labels(window), predicted)


def _predicted_scene(scene: Sample, predict: PredictPair, legend: Legend) -> Iterator[ScoredWindow]:
    with open_scene(scene.before) as dataset:
        grid = scene_grid(dataset, scene.before)
    with open_scene_labels(scene, grid, legend) as read_labels:
        for predicted in predict(scene.before, scene.after):
            labels = read_labels(predicted.window)
            yield ScoredWindow(scene.name, grid.shape, labels, predicted)


def _read_both(maps: Sequence[LabelMap], window: Window) -> DateMaps:
    first, second = (each.read(window) for each in maps)
    return first, second


def _read_covers(maps: Sequence[LabelMap], window: Window) -> DateMaps:
    """Land cover is not counted by value, so that what the legend lacks is refused here."""
    covers = _read_both(maps, window)
    for index, label in zip(covers, maps, strict=True):
        require_known(index, str(label.path), label.legend)
    return covers


def _require_everywhere(index: ClassMap, path: Path) -> None:
    holes = int((index == UNCHANGED).sum())
    if holes:
        raise DatasetError(
            f"{path} holds 0 in {'1 pixel' if holes == 1 else f'{holes} pixels'}, but a predicted "
            f"land cover has a class everywhere, or {NODATA} for nodata; write it with scd predict "
            "--land-cover."
        )


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
    if label.collapsed:
        return  # whatever its classes are
    own = label.carried if legend else label.legend
    if own and (legend is None or own.names != legend.names):
        other = f"legend {legend.name!r} ({', '.join(legend.names)})" if legend else "none"
        raise DatasetError(
            f"{label.path} has the legend {own.name!r} ({', '.join(own.names)}), but the maps "
            f"before it have {other}. Say which one holds for all with --legend."
        )
