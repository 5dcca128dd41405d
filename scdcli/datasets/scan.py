"""One quick pass over the labels of a set: what would stop a training, and how much of each class.

Of the images only size, place, bands and type are looked at; of the labels every pixel.
"""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.windows import Window

from scdcli.datasets.classmap import read_label
from scdcli.datasets.counts import DatasetCounts as DatasetCounts
from scdcli.datasets.counts import count_classes, with_covers
from scdcli.datasets.division import lattice
from scdcli.datasets.samples import Sample
from scdcli.datasets.scenelabels import open_scene_labels, read_drawn
from scdcli.errors import ScdError
from scdcli.files.naming import crs_name
from scdcli.legend import Legend
from scdcli.rasters.alignment import align
from scdcli.rasters.pair.bands import same_bands
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.scene import Scene, open_scene, scene_grid

Progress = Callable[[int, int], None]

MOST_THREADS = 8
SCENE_WINDOW = 2048  # pixels


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
        samples: The pairs; one that is there several times is looked at once.
        legend: The classes of the labels.
        cover: Of pairs with land cover, let the classes of every pixel take the place of those of
            changed ones: what a training sees.
        progress: Called with (pairs done, pairs) after each.
    """

    def look_at(sample: Sample) -> DatasetScan:
        return _scan_scene(sample, legend) if sample.windowed else _scan_pair(sample, legend, cover)

    distinct = list(dict.fromkeys(samples))
    found = DatasetScan(0, DatasetCounts.empty(len(legend)))
    with warnings.catch_warnings(), ThreadPoolExecutor(_threads()) as threads:
        # Threads share the filters: what one of them silences for itself, another may undo.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for done, one in enumerate(threads.map(look_at, distinct), start=1):
            found += one
            if progress:
                progress(done, len(distinct))
    return found


def _threads() -> int:
    return min(MOST_THREADS, os.cpu_count() or 1)


def _scan_pair(sample: Sample, legend: Legend, cover: bool) -> DatasetScan:
    """One pair read whole; what cannot be read is a problem of it, not the end."""
    found = DatasetScan(1, DatasetCounts.empty(len(legend)))
    sizes = _scan_images(sample, found)
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
        found.problems.append(_half_changed(sample, half))
    return found + DatasetScan(0, with_covers(counts, maps, instead=cover) if covers else counts)


def _scan_images(sample: Sample, found: DatasetScan) -> dict[Path, tuple[int, int]]:
    """Heights and widths by file; facts and problems go to what was found."""
    sizes: dict[Path, tuple[int, int]] = {}
    try:
        with open_scene(sample.before) as first, open_scene(sample.after) as second:
            sizes |= {sample.before: first.shape, sample.after: second.shape}
            scenes = [
                Scene(path, dataset, scene_grid(dataset, path))
                for path, dataset in ((sample.before, first), (sample.after, second))
            ]
            bands = same_bands(scenes[0], scenes[1], sample.bands)
            _note_facts(found, first, bands)
            kinds = [each.dtypes[bands[0] - 1] for each in (first, second)]
            if kinds[0] != kinds[1]:
                found.problems.append(
                    f"{sample.before} is {kinds[0]} and {sample.after} is {kinds[1]}; convert one "
                    "to the units of the other."
                )
            if first.shape == second.shape:
                shift = align(scenes[0].grid, scenes[1].grid, (scenes[0].name, scenes[1].name))
                found.problems.extend(_moved(sample, shift.differences))
    except ScdError as error:
        found.problems.append(str(error))
    return sizes


def _moved(sample: Sample, differences: Sequence[str]) -> list[str]:
    if not differences:
        return []
    return [
        f"{sample.before} and {sample.after} are not on the same grid: {'; '.join(differences)}. "
        "Resample one onto the other with gdalwarp, or lay the pair out as a scene."
    ]


def _note_facts(found: DatasetScan, before: DatasetReader, bands: tuple[int, ...]) -> None:
    found.sizes[before.width, before.height] += 1
    found.bands[len(bands)] += 1
    found.types[before.dtypes[bands[0] - 1]] += 1
    found.systems[crs_name(before.crs)] += 1


def _scan_scene(sample: Sample, legend: Legend) -> DatasetScan:
    """One scene, window by window; the first thing that cannot be read ends it."""
    found = DatasetScan(1, DatasetCounts.empty(len(legend)))
    counts, half = found.counts, 0
    try:
        with open_pair(sample.before, sample.after, PairSettings(bands=sample.bands)) as pair:
            with open_scene(sample.before) as before:
                _note_facts(found, before, pair.bands)
            drawn = read_drawn(sample, pair.grid, legend)
            with open_scene_labels(sample, pair.grid, legend, drawn) as read:
                for window in lattice([sample], SCENE_WINDOW):
                    assert window.part is not None
                    top, left, height, width = window.part
                    maps = read(Window(left, top, width, height))
                    more, alone = count_classes(*maps, len(legend))
                    counts, half = counts + more, half + alone
    except ScdError as error:
        found.problems.append(str(error))
    if half:
        found.problems.append(_half_changed(sample, half))
    return found + DatasetScan(0, counts)


def _half_changed(sample: Sample, pixels: int) -> str:
    return (
        f"{sample.name}: {pixels} pixels have a class at one date and are unchanged at the "
        "other; label changed pixels at both dates."
    )


def _sizes_differ(sizes: dict[Path, tuple[int, int]]) -> str:
    listed = ", ".join(f"{path} {width} x {height}" for path, (height, width) in sizes.items())
    return f"images and labels of a pair differ in size: {listed} pixels; make them equal."
