"""Pictures to compare systems by: images, truth and predictions of one pair side by side.

As the paper's Figs. 7-9 and 12: the classes of changed pixels only, unchanged ones white; the
earlier date above, the later one below.
"""

from collections.abc import Iterator, Mapping, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import DatasetError, OutputError
from scdcli.legend import NODATA, UNCHANGED_COLOR, Color, LandCover, Legend
from scdcli.rasters.scene import open_scene
from scdcli.scoring.counting import largest_index
from scdcli.scoring.figures.panelfigure import Column, draw_panel
from scdcli.scoring.figures.thumbnails import (
    ClassThumbnail,
    class_thumbnail,
    image_thumbnails,
    scene_thumbnails,
)
from scdcli.scoring.mappairs import PredictedWindow, PredictPair
from scdcli.scoring.mapsets import NAMES_SHOWN, Files, LabelSet, find_images

DEFAULT_PAIRS = 4
NODATA_COLOR = (0, 0, 0)
# A panel of many columns gets narrower ones, so that it still fits a page.
WIDEST_PANEL = 4096
SIDES = (160, 512)
GOLDEN = 0.618034


class FromTo(NamedTuple):
    """Small class maps of one pair, (h, w) uint8 each."""

    from_class: NDArray[np.uint8]
    to_class: NDArray[np.uint8]


@dataclass(frozen=True)
class Panels:
    """Which pairs are drawn, and what has been predicted of them so far.

    Attributes:
        truth: The labels of these pairs only.
        legend: The classes.
        side: Longest side of a picture, pixels.
        predicted: Per title of a run and name of a pair, its maps.
    """

    truth: LabelSet
    legend: Legend | None
    side: int
    predicted: dict[str, dict[str, FromTo]] = field(default_factory=dict)

    def watch(self, title: str, predict: PredictPair) -> PredictPair:
        """The same predictor, whose maps of these pairs are kept under a title.

        Nothing is predicted twice, and no more than a thumbnail is held.
        """
        kept = self.predicted.setdefault(title, {})
        # Both dates: of a series, several pairs may begin with one image.
        names = {images: name for name, images in find_images(self.truth).items()}

        def predict_and_keep(before: Path, after: Path) -> Iterator[PredictedWindow]:
            if (before, after) not in names:
                yield from predict(before, after)
                return
            with open_scene(before) as scene:
                shape = scene.height, scene.width
            small = [ClassThumbnail(*shape, self.side) for _ in range(2)]
            for window, *maps in predict(before, after):
                for thumbnail, classes in zip(small, maps, strict=True):
                    thumbnail.add(window, classes)
                yield window, maps[0], maps[1]
            kept[names[before, after]] = FromTo(small[0].index, small[1].index)

        return predict_and_keep

    def read(self, title: str, maps: Mapping[str, Files]) -> None:
        """Keep maps that exist under a title.

        Raises:
            InputError: A map cannot be read.
        """
        self.predicted[title] = {name: self._read(maps[name]) for name in self.truth.maps}

    def draw(self, name: str) -> bytes:
        """The panel of one pair as a PNG: images where the set has them, truth, every run.

        Raises:
            InputError: An image or a label cannot be read.
        """
        labels = self._labels(name)
        maps = {"truth": labels} | {title: found[name] for title, found in self.predicted.items()}
        legend = self.legend or numbered_legend(max(map(_largest, maps.values())))
        columns = [*self._images(name)]
        for title, found in maps.items():
            colored = (np.moveaxis(legend.encode(index), 0, -1) for index in found)
            columns.append(Column(title, *colored))
        holes = any((index == NODATA).any() for found in maps.values() for index in found)
        return draw_panel(name, columns, _covers(legend, nodata=holes))

    def _labels(self, name: str) -> FromTo:
        scene = self.truth.scenes.get(name)
        if scene is None:
            return self._read(self.truth.maps[name])
        return FromTo(*scene_thumbnails(scene, self.legend, self.side))

    def _read(self, files: Files) -> FromTo:
        return FromTo(*(class_thumbnail(path, self.legend, self.side) for path in files))

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
        more = len(known) - NAMES_SHOWN
        listed = ", ".join(known[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
        raise DatasetError(f"{truth.root} has no pair named {strange[0]!r}; it has {listed}.")
    names = dict.fromkeys(wanted or known[:DEFAULT_PAIRS])
    return replace(truth, maps={name: truth.maps[name] for name in names})


def panel_files(folder: Path, truth: LabelSet, *, overwrite: bool) -> dict[str, Path]:
    """Where the panel of every pair is written.

    Raises:
        OutputError: The folder cannot be made, or a file in it exists.
    """
    files = {name: folder / f"{name}.png" for name in truth.maps}
    taken = [path for path in files.values() if path.exists()]
    if taken and not overwrite:
        raise OutputError(
            f"{taken[0]} exists; replace it with --overwrite, or name another folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made ({error.strerror}); name another folder."
        ) from error
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


def _largest(maps: FromTo) -> int:
    return max(1, *(largest_index(index) for index in maps))


def _covers(legend: Legend, *, nodata: bool) -> list[LandCover]:
    unchanged = LandCover("unchanged", UNCHANGED_COLOR)
    holes = [LandCover("nodata", NODATA_COLOR)] if nodata else []
    return [unchanged, *legend.classes, *holes]
