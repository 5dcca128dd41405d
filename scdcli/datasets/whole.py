"""A labelled set as a whole: its splits, legend and bands, and what a look through it finds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.datasets.classmap import open_label
from scdcli.datasets.division import split_validation
from scdcli.datasets.layouts import is_drawn, is_unlabelled, layout_of, list_samples, no_set
from scdcli.datasets.legendfile import find_legend
from scdcli.datasets.samples import SPLITS, Sample
from scdcli.datasets.scan import CoverCounts, DatasetScan, Progress, learns_nothing, notes, scan
from scdcli.errors import DatasetError, ScdError
from scdcli.legend import CHANGE, MAX_CLASSES, TRANSITION_BASE, LandCover, Legend
from scdcli.rasters.pair.bands import BandNames, are_names, same_bands
from scdcli.rasters.scene import Scene, open_scene, scene_grid

WHOLE = "train"  # what a set without splits is
# Stands for the classes of labels that do not say what their numbers mean.
NUMBERS = Legend("numbers", tuple(LandCover(str(n), (n, n, n)) for n in range(1, MAX_CLASSES + 1)))


@dataclass(frozen=True)
class SetReport:
    """The result of a look through a set.

    Attributes:
        folder: The set.
        layout: A name in `LAYOUTS`.
        legend: The classes; None where labels hold numbers that nobody has explained.
        bands: Bands that a training would read, numbers from 1 or names; None where images do not
            say.
        splits: What each split holds, by name.
        problems: Everything that training or scoring would refuse, as sentences.
        notes: What else to know, as sentences.
    """

    folder: Path
    layout: str
    legend: Legend | None
    bands: BandNames | None
    splits: dict[str, DatasetScan]
    problems: list[str]
    notes: list[str]

    @property
    def total(self) -> DatasetScan:
        """All splits together."""
        first, *others = self.splits.values()
        for other in others:
            first += other
        return first

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return {
            "dataset": str(self.folder),
            "layout": self.layout,
            "legend": self.legend and self.legend.to_dict(),
            "bands": self.bands and list(self.bands),
            "splits": {name: _described(each, self.legend) for name, each in self.splits.items()},
            "problem_count": len(self.problems),
            "problems": self.problems,
            "notes": self.notes,
        }


def check_set(
    root: Path,
    legend_name: str | None = None,
    bands: BandNames | None = None,
    progress: Progress | None = None,
    *,
    binary: bool = False,
) -> SetReport:
    """Look through every split of a set, but for a test split without labels.

    Progress counts pairs over all splits.

    Raises:
        DatasetError: The folder is no labelled set, or is empty.
        UnknownName: No such legend.
    """
    folders = {split: root / split for split in SPLITS if (root / split).is_dir()} or {WHOLE: root}
    unlabelled = len(folders) > 1 and is_unlabelled(root / "test")
    if unlabelled:
        del folders["test"]
    problems: list[str] = []
    splits: dict[str, list[Sample]] = {}
    for split, folder in folders.items():
        if layout_of(folder) is None:
            raise no_set(folder)
        splits[split], missing = list_samples(folder)
        problems += [f"{problem}." for problem in missing]
    first = next((samples[0] for samples in splits.values() if samples), None)
    if first is None:
        raise DatasetError(f"{root} has no complete pair: {problems[0]}")
    legend = _or_problem(
        lambda: set_legend(first, legend_name, binary=binary), problems, keep=not legend_name
    )
    chosen = _or_problem(lambda: shared_bands(first, bands), problems, keep=True)
    problems += _untrainable(root, splits)
    total = sum(map(len, splits.values()))
    scans: dict[str, DatasetScan] = {}
    for split, samples in splits.items():
        scans[split] = scan(
            [replace(sample, bands=chosen) for sample in samples],
            legend or NUMBERS,
            progress=_counting_on(progress, sum(each.pairs for each in scans.values()), total),
        )
        problems += scans[split].problems
    learnt = scans.get(WHOLE) or next(iter(scans.values()))
    if not learnt.problems:
        problems += learns_nothing(learnt, legend or NUMBERS, str(root))
    layout = layout_of(next(iter(folders.values())))
    assert layout is not None
    report = SetReport(root, layout, legend, chosen, scans, problems, [])
    found = notes(report.total, legend or NUMBERS)
    if unlabelled:
        found.append(
            f"{root / 'test'} has images and no labels, as some copies of a set have: scd train "
            "does not need it, scd predict --pairs can map it, and it cannot be scored."
        )
    return replace(report, notes=found)


def set_legend(sample: Sample, name: str | None, *, binary: bool = False) -> Legend:
    """The legend asked for, or the one that the labels carry or have the colors of.

    Raises:
        UnknownName: No such legend.
        DatasetError: The labels do not say what their numbers mean, or hold no classes.
    """
    if name and sample.mask:
        raise DatasetError(
            f"{sample.from_label} is a mask of change, which has no classes; leave --legend out."
        )
    if binary or sample.mask:
        return CHANGE
    if name:
        return find_legend(name)
    label = sample.from_label
    if is_drawn(label):
        raise DatasetError(
            f"{label} holds polygons, whose numbers and names of classes need a legend; say which "
            "with --legend, a built-in name or a file."
        )
    with open_label(label) as opened:
        if opened.legend is None:
            raise DatasetError(
                f"{label} holds indices, and copies of one set differ in their order; say which "
                "classes they are with --legend, for example --legend second if 1 is water, "
                "2 n.v.g. surface, 3 low vegetation, 4 tree, 5 building and 6 playground."
            )
        return opened.legend


def shared_bands(sample: Sample, asked: BandNames | None, count: int | None = None) -> BandNames:
    """The bands asked for, or all of the first pair but alpha; its colors for three of a model.

    Names stay names: other pairs may have the same bands in another order.

    Raises:
        PairError: The first pair has not those bands, or its images have different ones.
    """
    with open_scene(sample.before) as first, open_scene(sample.after) as second:
        scenes = [
            Scene(path, each, scene_grid(each, path))
            for path, each in ((sample.before, first), (sample.after, second))
        ]
        numbers = same_bands(scenes[0], scenes[1], asked or None, count)
    return asked if asked and are_names(asked) else numbers


def _or_problem(find: Callable[[], Any], problems: list[str], *, keep: bool) -> Any:  # noqa: ANN401
    """What a function finds; or None, with its error added to the problems."""
    try:
        return find()
    except ScdError as error:
        if not keep:
            raise
        problems.append(str(error))
        return None


def _counting_on(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Progress of a part, after so many pairs, as that of the whole."""
    if progress is None:
        return None
    return lambda done, _: progress(before + done, total)


def _untrainable(root: Path, splits: dict[str, list[Sample]]) -> list[str]:
    """Reasons why training refuses a set of sound pairs, as sentences."""
    if WHOLE not in splits:
        return [f"{root} has no train folder, only {' and '.join(splits)}: it can be scored only."]
    if "val" in splits or not splits[WHOLE]:
        return []
    try:
        split_validation(splits[WHOLE], 0.05, 0)
    except ScdError as error:
        return [str(error)]
    return []


def _described(result: DatasetScan, legend: Legend | None) -> dict[str, Any]:
    counts = result.counts
    codes = [(int(a), int(b)) for a, b in np.argwhere(counts.transitions)]
    return {
        "pairs": result.pairs,
        "sizes": {f"{width}x{height}": n for (width, height), n in sorted(result.sizes.items())},
        "bands": {str(bands): n for bands, n in sorted(result.bands.items())},
        "types": dict(result.types),
        "crs": {name or "none": n for name, n in result.systems.items()},
        "pixels": counts.total,
        "unchanged": counts.unchanged,
        "changed": counts.changed,
        "nodata": counts.nodata,
        "classes": _described_classes(
            legend, from_pixels=counts.from_pixels, to_pixels=counts.to_pixels
        ),
        "transitions": {
            str((a + 1) * TRANSITION_BASE + b + 1): int(counts.transitions[a, b]) for a, b in codes
        },
        "cover": _described_cover(counts.cover, legend) if counts.cover.pairs else None,
    }


def _described_cover(cover: CoverCounts, legend: Legend | None) -> dict[str, Any]:
    return {
        "pairs": cover.pairs,
        "pixels": cover.pixels,
        "classes": _described_classes(legend, before_pixels=cover.before, after_pixels=cover.after),
    }


def _described_classes(legend: Legend | None, **pixels: NDArray[np.int64]) -> list[dict[str, Any]]:
    """A row per class with its pixels, (K,) each; without a legend of the classes that occur."""
    rows = []
    for index, each in enumerate(zip(*pixels.values(), strict=True), start=1):
        counts = dict(zip(pixels, map(int, each), strict=True))
        if legend or any(counts.values()):
            rows.append({"index": index, "name": legend[index].name if legend else None, **counts})
    return rows
