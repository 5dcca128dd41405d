"""One quick pass over the labels of a set: what would stop a training, and how much of each class.

Of the images only size, bands and type are looked at; of the labels every pixel.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import ScdError
from scdcli.labels import read_label
from scdcli.legend import NODATA, UNCHANGED, Legend
from scdcli.naming import crs_name
from scdcli.raster import open_scene, spectral_bands
from scdcli.samples import Sample

Progress = Callable[[int, int], None]

VALUES = NODATA + 1
MOST_THREADS = 8


@dataclass(frozen=True)
class DatasetCounts:
    """Pixels of a set by class; a pixel that is nodata at either date counts as nodata only.

    Attributes:
        from_pixels: Pixels of each class 1..K before, (K,) int64: changed ones, or every pixel
            where the land cover was counted.
        to_pixels: The same after, (K,) int64.
        transitions: Changed pixels by class before (row) and after (column), (K, K) int64.
        unchanged: Unchanged pixels.
        changed: Changed pixels.
        nodata: Pixels without a label at either date.
    """

    from_pixels: NDArray[np.int64]
    to_pixels: NDArray[np.int64]
    transitions: NDArray[np.int64]
    unchanged: int
    changed: int
    nodata: int

    @classmethod
    def empty(cls, classes: int) -> "DatasetCounts":
        """Nothing counted yet."""
        none = np.zeros(classes, dtype=np.int64)
        return cls(none, none, np.zeros((classes, classes), dtype=np.int64), 0, 0, 0)

    def __add__(self, other: "DatasetCounts") -> "DatasetCounts":
        """The counts of both."""
        return DatasetCounts(
            self.from_pixels + other.from_pixels,
            self.to_pixels + other.to_pixels,
            self.transitions + other.transitions,
            self.unchanged + other.unchanged,
            self.changed + other.changed,
            self.nodata + other.nodata,
        )

    @property
    def total(self) -> int:
        """All pixels, nodata too."""
        return self.unchanged + self.changed + self.nodata


@dataclass(frozen=True)
class DatasetScan:
    """What a set holds.

    Attributes:
        pairs: Number of samples looked at.
        counts: Pixels by class, of the samples without a problem in their labels.
        problems: One sentence for each thing that would stop a training, in order of the samples.
        sizes: Pairs by (width, height) of the before image.
        bands: Pairs by number of bands.
        types: Pairs by type of the pixels.
        systems: Pairs by name of the CRS; None for pairs without one.
    """

    pairs: int
    counts: DatasetCounts
    problems: list[str] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    bands: Counter[int] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    systems: Counter[str | None] = field(default_factory=Counter)

    def __add__(self, other: "DatasetScan") -> "DatasetScan":
        """Both together."""
        return DatasetScan(
            self.pairs + other.pairs,
            self.counts + other.counts,
            self.problems + other.problems,
            self.sizes + other.sizes,
            self.bands + other.bands,
            self.types + other.types,
            self.systems + other.systems,
        )


def scan(
    samples: Sequence[Sample],
    legend: Legend,
    *,
    cover: bool = False,
    progress: Progress | None = None,
) -> DatasetScan:
    """Look at every label of a set, in threads; the result does not depend on their number.

    Args:
        samples: The pairs.
        legend: The classes of the labels.
        cover: Count the classes of every pixel in the covers, not of the changed ones only.
        progress: Called with (pairs done, pairs) after each.
    """
    found = DatasetScan(0, DatasetCounts.empty(len(legend)))
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        each = threads.map(lambda sample: _look_at(sample, legend, cover), samples)
        for done, one in enumerate(each, start=1):
            found += one
            if progress:
                progress(done, len(samples))
    return found


def _look_at(sample: Sample, legend: Legend, cover: bool) -> DatasetScan:
    """One sample; what cannot be read is a problem of it, not the end."""
    found = DatasetScan(1, DatasetCounts.empty(len(legend)))
    sizes = _look_at_images(sample, found)
    maps = []
    covers = [path for path in (sample.from_cover, sample.to_cover) if path]
    for path in (sample.from_label, sample.to_label, *covers):
        try:
            maps.append(read_label(path, legend))
            sizes[path] = maps[-1].shape
        except ScdError as error:
            found.problems.append(str(error))
    if len(set(sizes.values())) > 1:
        found.problems.append(_sizes_differ(sizes))
    if found.problems:
        return found
    counts, half = count_classes(maps[0], maps[1], len(legend))
    if half:
        found.problems.append(
            f"{sample.name}: {half} pixels have a class at one date and are unchanged at the "
            "other; label changed pixels at both dates."
        )
    return found + DatasetScan(0, _with_covers(counts, maps) if cover and covers else counts)


def _look_at_images(sample: Sample, found: DatasetScan) -> dict[Path, tuple[int, int]]:
    """Heights and widths by file; facts and problems go to what was found."""
    sizes: dict[Path, tuple[int, int]] = {}
    for path in (sample.before, sample.after):
        try:
            with open_scene(path) as dataset:
                sizes[path] = dataset.shape
                if path == sample.before:
                    found.sizes[dataset.width, dataset.height] += 1
                    found.bands[len(spectral_bands(dataset))] += 1
                    found.types[dataset.dtypes[0]] += 1
                    found.systems[crs_name(dataset.crs)] += 1
        except ScdError as error:
            found.problems.append(str(error))
    return sizes


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
    unchanged, changed = int(known[UNCHANGED, UNCHANGED]), int(transitions.sum())
    nodata = from_label.size - unchanged - changed - half
    sums = transitions.sum(axis=1), transitions.sum(axis=0)
    return DatasetCounts(*sums, transitions, unchanged, changed, nodata), half


def _joint(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels by value in both maps, (256, 256) int64."""
    code = first.astype(np.uint16) * np.uint16(VALUES) + second
    return np.bincount(code.ravel(), minlength=VALUES**2).reshape(VALUES, VALUES)


def _with_covers(counts: DatasetCounts, maps: Sequence[NDArray[np.uint8]]) -> DatasetCounts:
    """The same counts with the classes of every labelled pixel."""
    from_label, to_label, from_cover, to_cover = maps
    labelled = (from_label != NODATA) & (to_label != NODATA)
    classes = slice(1, len(counts.from_pixels) + 1)
    before, after = (
        np.bincount(each[labelled], minlength=VALUES)[classes] for each in (from_cover, to_cover)
    )
    return replace(counts, from_pixels=before, to_pixels=after)


def _sizes_differ(sizes: dict[Path, tuple[int, int]]) -> str:
    listed = ", ".join(f"{path} {width} x {height}" for path, (height, width) in sizes.items())
    return f"images and labels of a pair differ in size: {listed} pixels; make them equal."
