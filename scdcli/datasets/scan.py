"""One quick pass over the labels of a set: what would stop a training, and how much of each class.

Of the images only size, place, bands and type are looked at; of the labels every pixel.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from scdcli.datasets.classmap import count_transparent, read_and_count
from scdcli.datasets.division import lattice
from scdcli.datasets.samples import Sample, half_changed
from scdcli.datasets.scenelabels import open_scene_labels, read_drawn
from scdcli.datasets.sums import Sums
from scdcli.errors import ScdError
from scdcli.files.naming import crs_name
from scdcli.legend import NODATA, UNCHANGED, Legend
from scdcli.rasters.alignment import align
from scdcli.rasters.limits import georeference_optional
from scdcli.rasters.pair.bands import same_bands
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.scene import Scene, open_scene, scene_grid

VALUES = NODATA + 1
Progress = Callable[[int, int], None]
"""Called with how many are done, and of how many."""
Watch = Callable[[str, int], AbstractContextManager[Progress]]
"""Opens a progress by its title and how many there are."""

MOST_THREADS = 8
MOSTLY = 0.9  # of the pixels
SCENE_WINDOW = 2048  # pixels


@dataclass(frozen=True)
class CoverCounts(Sums):
    """Pixels by land cover, over the pairs that have it.

    Attributes:
        before: Pixels of each class 1..K before, (K,) int64, where there is a label.
        after: The same after, (K,) int64.
        pixels: Pixels with a label in these pairs, whether their class is known or not.
        pairs: Number of these pairs.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    pixels: int = 0
    pairs: int = 0


@dataclass(frozen=True)
class DatasetCounts(Sums):
    """Pixels of a set by class; a pixel that is nodata at either date counts as nodata only.

    Attributes:
        transitions: Changed pixels by class before (row) and after (column), (K, K) int64.
        unchanged: Unchanged pixels.
        nodata: Pixels without a label at either date.
        cover: Pixels by land cover.
    """

    transitions: NDArray[np.int64]
    unchanged: int
    nodata: int
    cover: CoverCounts

    @classmethod
    def empty(cls, classes: int) -> "DatasetCounts":
        """Nothing counted yet."""
        none = np.zeros((classes, classes), dtype=np.int64)
        return cls(none, 0, 0, CoverCounts(none[0], none[0]))

    @property
    def from_pixels(self) -> NDArray[np.int64]:
        """Changed pixels of each class 1..K before, (K,) int64."""
        pixels: NDArray[np.int64] = self.transitions.sum(axis=1)
        return pixels

    @property
    def to_pixels(self) -> NDArray[np.int64]:
        """Changed pixels of each class 1..K after, (K,) int64."""
        pixels: NDArray[np.int64] = self.transitions.sum(axis=0)
        return pixels

    @property
    def changed(self) -> int:
        """Changed pixels."""
        return int(self.transitions.sum())

    @property
    def total(self) -> int:
        """All pixels, with nodata."""
        return self.unchanged + self.changed + self.nodata


def count_classes(
    from_label: NDArray[np.uint8], to_label: NDArray[np.uint8], classes: int
) -> tuple[DatasetCounts, int]:
    """Counts of a pair of labels, and how many pixels are changed at one date only.

    Args:
        from_label: Class before, (H, W) uint8, nothing above ``classes`` but nodata.
        to_label: Class after, (H, W) uint8.
        classes: K.
    """
    joint = _joint(from_label, to_label)
    known = joint[:NODATA, :NODATA]
    transitions = known[1 : classes + 1, 1 : classes + 1]
    half = int(known[UNCHANGED, 1:].sum() + known[1:, UNCHANGED].sum())
    unchanged = int(known[UNCHANGED, UNCHANGED])
    nodata = from_label.size - unchanged - int(transitions.sum()) - half
    no_cover = DatasetCounts.empty(classes).cover
    return DatasetCounts(transitions, unchanged, nodata, no_cover), half


def _joint(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels by value in both maps, (256, 256) int64."""
    code = first.astype(np.uint16) * np.uint16(VALUES) + second
    return np.bincount(code.ravel(), minlength=VALUES**2).reshape(VALUES, VALUES)


def _cover_counts(maps: Sequence[NDArray[np.uint8]], classes: int) -> CoverCounts:
    """The land cover of a pair.

    Args:
        maps: Both labels and both covers, (H, W) uint8 each; in covers 0 and 255 are not known.
        classes: K.
    """
    from_label, to_label, *covers = maps
    labelled = (from_label != NODATA) & (to_label != NODATA)
    every = (np.bincount(each[labelled], minlength=VALUES) for each in covers)
    before, after = (each[1 : classes + 1] for each in every)
    return CoverCounts(before, after, int(labelled.sum()), 1)


@dataclass(frozen=True)
class DatasetScan(Sums):
    """The result of a look through the pairs of a set, or through one of them.

    Attributes:
        pairs: Number of samples looked at.
        counts: Pixels by class, of the samples without a problem in their labels.
        problems: One sentence for each thing that would stop a training, in order of the samples.
        sizes: Pairs by (width, height) of the before image.
        bands: Pairs by number of bands.
        types: Pairs by type of the pixels.
        systems: Pairs by name of the CRS; None for pairs without one.
        transparent: Transparent pixels of the labels, of each pair the larger number of both.
    """

    pairs: int
    counts: DatasetCounts
    problems: list[str] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    bands: Counter[int] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    systems: Counter[str | None] = field(default_factory=Counter)
    transparent: int = 0


def scan(
    samples: Sequence[Sample], legend: Legend, *, progress: Progress | None = None
) -> DatasetScan:
    """Look at every label of a set, in threads; the result does not depend on their number.

    A pair that is there several times is looked at once. Progress is told after each.
    """

    def look_at(sample: Sample) -> DatasetScan:
        return _scan_scene(sample, legend) if sample.windowed else _scan_pair(sample, legend)

    distinct = list(dict.fromkeys(samples))
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    result = DatasetScan(0, DatasetCounts.empty(len(legend)))
    # Threads share the filters: what one of them silences for itself, another may undo.
    with georeference_optional(), ThreadPoolExecutor(threads) as executor:
        for done, one in enumerate(executor.map(look_at, distinct), start=1):
            result += one
            if progress:
                progress(done, len(distinct))
    return result


def _scan_pair(sample: Sample, legend: Legend) -> DatasetScan:
    """One pair read whole; what cannot be read is a problem of it, not the end."""
    result = DatasetScan(1, DatasetCounts.empty(len(legend)))
    sizes = _scan_images(sample, result)
    maps, transparent = [], 0
    covers = [path for path in (sample.from_cover, sample.to_cover) if path]
    for path in (sample.from_label, sample.to_label, *covers):
        try:
            index, hidden = read_and_count(path, legend)
            maps.append(index)
            sizes[path], transparent = index.shape, max(transparent, hidden)
        except ScdError as error:
            result.problems.append(str(error))
    if len(set(sizes.values())) > 1:
        result.problems.append(_sizes_differ(sizes))
    if result.problems:
        return result
    counts, half = count_classes(maps[0], maps[1], len(legend))
    if half:
        result.problems.append(half_changed(sample.name, half))
    if covers:
        counts = replace(counts, cover=_cover_counts(maps, len(legend)))
    return result + DatasetScan(0, counts, transparent=transparent)


def _scan_images(sample: Sample, result: DatasetScan) -> dict[Path, tuple[int, int]]:
    """Heights and widths by file; facts and problems are noted in the result."""
    sizes: dict[Path, tuple[int, int]] = {}
    try:
        with open_scene(sample.before) as first, open_scene(sample.after) as second:
            sizes |= {sample.before: first.shape, sample.after: second.shape}
            scenes = [
                Scene(path, dataset, scene_grid(dataset, path))
                for path, dataset in ((sample.before, first), (sample.after, second))
            ]
            bands = same_bands(scenes[0], scenes[1], sample.bands)
            _note_facts(result, first, bands)
            kinds = [each.dtypes[bands[0] - 1] for each in (first, second)]
            if kinds[0] != kinds[1]:
                result.problems.append(
                    f"{sample.before} is {kinds[0]} and {sample.after} is {kinds[1]}; convert one "
                    "to the units of the other."
                )
            if first.shape == second.shape:
                shift = align(scenes[0].grid, scenes[1].grid, (scenes[0].name, scenes[1].name))
                if shift.differences:
                    result.problems.append(
                        f"{sample.before} and {sample.after} are not on the same grid: "
                        f"{'; '.join(shift.differences)}. Resample one onto the other with "
                        "gdalwarp, or lay the pair out as a scene."
                    )
    except ScdError as error:
        result.problems.append(str(error))
    return sizes


def _note_facts(result: DatasetScan, before: DatasetReader, bands: tuple[int, ...]) -> None:
    result.sizes[before.width, before.height] += 1
    result.bands[len(bands)] += 1
    result.types[before.dtypes[bands[0] - 1]] += 1
    result.systems[crs_name(before.crs)] += 1


def _scan_scene(sample: Sample, legend: Legend) -> DatasetScan:
    """One scene, window by window; the first thing that cannot be read ends it."""
    result = DatasetScan(1, DatasetCounts.empty(len(legend)))
    counts, half, transparent = result.counts, 0, 0
    try:
        with open_pair(sample.before, sample.after, PairSettings(bands=sample.bands)) as pair:
            with open_scene(sample.before) as before:
                _note_facts(result, before, pair.bands)
            drawn = read_drawn(sample, pair.grid, legend)
            with open_scene_labels(sample, pair.grid, legend, drawn) as read:
                for window in lattice([sample], SCENE_WINDOW):
                    assert window.part is not None
                    top, left, height, width = window.part
                    maps = read(Window(left, top, width, height))
                    more, alone = count_classes(*maps, len(legend))
                    counts, half = counts + more, half + alone
            if not drawn.changes:
                labels = (sample.from_label, sample.to_label)
                transparent = max(count_transparent(path, legend) for path in labels)
    except ScdError as error:
        result.problems.append(str(error))
    if half:
        result.problems.append(half_changed(sample.name, half))
    return result + DatasetScan(0, counts, transparent=transparent)


def notes(result: DatasetScan, legend: Legend) -> list[str]:
    """Sentences about what is worth knowing of a set and no problem."""
    sentences, total = [], result.counts.total
    if result.transparent:
        share = f" ({100 * result.transparent / total:.1f} %)" if total else ""
        counted = (
            f"{result.transparent:,} pixels{share} of the labels are transparent, which counts"
        )
        sentences.append(
            f"{counted} as unchanged, as the legend says."
            if legend.coding.transparent == UNCHANGED
            else f'{counted} as nodata. If it means unchanged, write transparent = "unchanged" in '
            "a legend file and give that with --legend."
        )
    if result.counts.nodata > MOSTLY * total:
        sentences.append(
            f"{100 * result.counts.nodata / total:.1f} % of the pixels of the labels are nodata; "
            "nothing is learnt from these."
        )
    return sentences


def learns_nothing(result: DatasetScan, legend: Legend, name: str) -> list[str]:
    """Why nothing can be learnt from labels that are sound one by one; nothing if it can."""
    counts = result.counts
    if not counts.total:
        return []
    masks = "Are these masks of change (0 and 255, or 0 and 1)? Give --binary to learn from them."
    nodata = f"{100 * counts.nodata / counts.total:.2f} % of the pixels are nodata"
    if not counts.changed:
        hint = f", and {nodata}, as which {NODATA} counts. {masks}" if counts.nodata else "."
        if legend.coding.mask:
            hint = ": the masks are black everywhere."
        return [f"{name}: no pixel is labelled as changed{hint}"]
    if not counts.unchanged:
        hint = "" if not counts.nodata else f", and {nodata}"
        remedy = (
            'If transparent means unchanged, write transparent = "unchanged" in a legend file.'
            if result.transparent
            else "Labels hold 0 where nothing changed; the class of every pixel belongs in cover1 "
            "and cover2."
        )
        return [f"{name}: no pixel is labelled as unchanged{hint}. {remedy}"]
    kinds = np.argwhere(counts.transitions)
    if len(legend) > 1 and len(kinds) == 1 and kinds[0][0] == kinds[0][1]:
        index = int(kinds[0][0]) + 1
        return [
            f"{name}: all that changed is of one class before and after, {index} "
            f"{legend[index].name}. {masks}"
        ]
    return []


def _sizes_differ(sizes: dict[Path, tuple[int, int]]) -> str:
    listed = ", ".join(f"{path} {width} x {height}" for path, (height, width) in sizes.items())
    return f"images and labels of a pair differ in size: {listed} pixels; make them equal."
