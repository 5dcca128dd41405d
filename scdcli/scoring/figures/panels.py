"""Pictures to compare systems by: images, truth and predictions of one pair side by side.

As the paper's Figs. 7-9 and 12: the classes of changed pixels only, unchanged ones white; the
earlier date above, the later one below.
"""

from collections.abc import Collection, Iterator, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from scdcli.errors import DatasetError
from scdcli.legend import NODATA, UNCHANGED_COLOR, Color, LandCover, Legend
from scdcli.scoring.counting import DateMaps, largest_index
from scdcli.scoring.figures.panelfigure import Column, draw_panel
from scdcli.scoring.figures.thumbnails import (
    ClassThumbnail,
    class_thumbnail,
    image_thumbnails,
    scene_thumbnails,
)
from scdcli.scoring.mappairs import ScoredWindow
from scdcli.scoring.mapsets import LabelSet, find_images, listed
from scdcli.scoring.scorefiles import prepare_folder

DEFAULT_PAIRS = 4
NODATA_COLOR = (0, 0, 0)
# A panel of many columns gets narrower ones, so that it still fits a page.
WIDEST_PANEL = 4096
Thumbnails = tuple[ClassThumbnail, ClassThumbnail]
"""Small versions of a from and a to map."""

SIDES = (160, 512)
GOLDEN = 0.618034


@dataclass(frozen=True)
class PanelTally:
    """Thumbnails of the maps of some pairs, gathered while these are scored.

    Attributes:
        side: Longest side of a thumbnail, pixels.
        names: The pairs.
        maps: Thumbnails of the from and the to map by name of the pair.
    """

    side: int
    names: Collection[str]
    maps: dict[str, Thumbnails]

    def add(self, window: ScoredWindow) -> None:
        """Take what a window holds of the thumbnails."""
        name, predicted = window.pair, window.predicted
        if name not in self.names:
            return
        if name not in self.maps:
            first, second = (ClassThumbnail(*window.shape, self.side) for _ in range(2))
            self.maps[name] = first, second
        for thumbnail, classes in zip(self.maps[name], predicted.classes, strict=True):
            thumbnail.add(predicted.window, classes)


@dataclass(frozen=True)
class Panels:
    """The pairs that are drawn, and thumbnails of what has been predicted of them so far.

    Attributes:
        truth: The labels of these pairs only.
        legend: The classes.
        side: Longest side of a picture, pixels.
        predicted: By title of a run and name of a pair, thumbnails of its from and to map.
    """

    truth: LabelSet
    legend: Legend | None
    side: int
    predicted: dict[str, dict[str, Thumbnails]] = field(default_factory=dict)

    def tally(self, title: str) -> PanelTally:
        """A tally that keeps the maps of these pairs under a title."""
        return PanelTally(self.side, self.truth.maps, self.predicted.setdefault(title, {}))

    def draw(self, name: str) -> bytes:
        """The panel of one pair as a PNG: images where the set has them, truth, every run.

        Raises:
            InputError: An image or a label cannot be read.
        """
        labels = self._labels(name)
        maps = {"truth": labels}
        for title, thumbnails in self.predicted.items():
            first, second = thumbnails[name]
            maps[title] = first.index, second.index
        largest = max(largest_index(index) for dates in maps.values() for index in dates)
        legend = self.legend or numbered_legend(max(1, largest))
        columns = [*self._images(name)]
        for title, both in maps.items():
            colored = (np.moveaxis(legend.encode(index), 0, -1) for index in both)
            columns.append(Column(title, *colored))
        holes = any((index == NODATA).any() for both in maps.values() for index in both)
        return draw_panel(name, columns, _covers(legend, nodata=holes))

    def _labels(self, name: str) -> DateMaps:
        scene = self.truth.scenes.get(name)
        if scene:
            return scene_thumbnails(scene, self.legend, self.side)
        maps = self.truth.maps[name]
        first, second = (class_thumbnail(path, self.legend, self.side) for path in maps)
        return first, second

    def _images(self, name: str) -> Iterator[Column]:
        one = replace(self.truth, maps={name: self.truth.maps[name]})
        try:
            images = find_images(one)[name]
        except DatasetError:
            return  # a set of labels only
        yield Column("images", *image_thumbnails(*images, self.side))


def choose_pairs(truth: LabelSet, wanted: Sequence[str]) -> LabelSet:
    """The pairs to draw: those wanted, or the first few.

    Raises:
        DatasetError: A name is not in the set.
    """
    known = list(truth.maps)
    strange = [name for name in wanted if name not in truth.maps]
    if strange:
        raise DatasetError(
            f"{truth.root} has no pair named {strange[0]!r}; it has {listed(known)}."
        )
    names = dict.fromkeys(wanted or known[:DEFAULT_PAIRS])
    return replace(truth, maps={name: truth.maps[name] for name in names})


def panel_files(folder: Path, truth: LabelSet, *, overwrite: bool) -> dict[str, Path]:
    """The file of the panel of every pair, by name, in a folder that is made.

    Raises:
        OutputError: The folder cannot be made, or a file in it exists.
    """
    files = {name: folder / f"{name}.png" for name in truth.maps}
    prepare_folder(folder, files.values(), overwrite=overwrite)
    return files


def picture_side(runs: int) -> int:
    """Longest side of each picture when so many runs stand beside images and truth, pixels."""
    smallest, largest = SIDES
    return min(largest, max(smallest, WIDEST_PANEL // (runs + 2)))


def numbered_legend(classes: int) -> Legend:
    """Colors far apart for classes that nobody named."""
    return Legend(
        "numbers",
        tuple(LandCover(f"class {index}", _hue(index)) for index in range(1, classes + 1)),
    )


def _hue(index: int) -> Color:
    """Steps of the golden ratio around the color circle never meet."""
    shade = hsv_to_rgb(index * GOLDEN % 1, 0.8, (0.9, 0.6)[index % 2])
    red, green, blue = (round(255 * part) for part in shade)
    return red, green, blue


def _covers(legend: Legend, *, nodata: bool) -> list[LandCover]:
    unchanged = LandCover("unchanged", UNCHANGED_COLOR)
    holes = [LandCover("nodata", NODATA_COLOR)] if nodata else []
    return [unchanged, *legend.classes, *holes]
