"""Pictures to compare systems by: images, truth and predictions of one pair side by side.

As the paper's Figs. 7-9 and 12: the classes of changed pixels only, unchanged ones white; the
earlier date above, the later one below.
"""

from collections.abc import Collection, Iterator, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from scdcli.errors import DatasetError
from scdcli.legend import NODATA, UNCHANGED_COLOR, Color, LandCover, Legend
from scdcli.scoring.counting import DateMaps, largest_index
from scdcli.scoring.figures.thumbnails import (
    ClassThumbnail,
    Picture,
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
class Column:
    """Two pictures of one shape under a title, the earlier date above the later one."""

    title: str
    before: Picture
    after: Picture


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


DPI = 100
FONT_POINTS = 11
FONT = "DejaVu Sans"  # comes with matplotlib, so a panel looks the same everywhere
# Names are no formulas, even with dollars in them.
STYLE: Any = {"font.family": FONT, "font.size": FONT_POINTS, "text.parse_math": False}

# All in pixels.
MARGIN = 10
GAP = 6
LINE = 20
ROW_LABEL = 22
SWATCH = 14
SMALLEST_CELL = 256
NARROWEST_COLUMN = 96
EDGE_GRAY = "0.6"


@dataclass(frozen=True)
class _Layout:
    """Where things go, in pixels from the top left."""

    columns: int
    cell: tuple[int, int]  # height, width
    slot: int  # width of a column
    title_lines: int
    legend_rows: int

    @property
    def top(self) -> int:
        return MARGIN + LINE + GAP + self.title_lines * LINE

    @property
    def bottom(self) -> int:
        return self.top + 2 * self.cell[0] + GAP

    @property
    def width(self) -> int:
        return 2 * MARGIN + ROW_LABEL + self.columns * (self.slot + GAP) - GAP

    @property
    def height(self) -> int:
        return self.bottom + GAP + self.legend_rows * (LINE + GAP // 2) + MARGIN

    def left(self, column: int) -> int:
        """The left edge of a column."""
        return MARGIN + ROW_LABEL + column * (self.slot + GAP)


def draw_panel(name: str, columns: Sequence[Column], covers: Sequence[LandCover]) -> bytes:
    """One panel as a PNG."""
    height, width = columns[0].before.shape[:2]
    scale = max(1, SMALLEST_CELL // max(height, width))
    slot = max(scale * width, NARROWEST_COLUMN)
    titles = [_wrapped(column.title, slot) for column in columns]
    cell, highest = (scale * height, scale * width), max(map(len, titles))
    layout = _Layout(len(columns), cell, slot, highest, legend_rows=0)
    entries = _legend_rows(covers, layout.width - 2 * MARGIN)
    layout = replace(layout, legend_rows=len(entries))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(layout.width / DPI, layout.height / DPI), dpi=DPI)
        page = _Page(figure, layout)
        page.text(name, MARGIN + ROW_LABEL, MARGIN, weight="bold")
        for number, (column, lines) in enumerate(zip(columns, titles, strict=True)):
            page.column(number, column, lines)
        for row, label in enumerate(("before", "after")):
            page.row_label(row, label)
        page.legend(entries)
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=DPI)
    return picture.getvalue()


@dataclass(frozen=True)
class _Page:
    """A figure addressed in pixels from its top left."""

    figure: Figure
    layout: _Layout

    def text(self, text: str, x: float, y: float, **options: Any) -> None:  # noqa: ANN401
        style = {"ha": "left", "va": "top"} | options
        self.figure.text(x / self.layout.width, 1 - y / self.layout.height, text, **style)

    def column(self, number: int, column: Column, lines: Sequence[str]) -> None:
        height, width = self.layout.cell
        left = self.layout.left(number)
        middle = left + self.layout.slot / 2
        for row, line in enumerate(lines[::-1], start=1):
            baseline = self.layout.top - row * LINE + LINE - GAP
            self.text(line, middle, baseline, ha="center", va="baseline")
        for row, pixels in enumerate((column.before, column.after)):
            top = self.layout.top + row * (height + GAP)
            self._picture(pixels, left + (self.layout.slot - width) // 2, top)

    def row_label(self, row: int, label: str) -> None:
        height = self.layout.cell[0]
        middle = self.layout.top + row * (height + GAP) + height / 2
        self.text(label, MARGIN + LINE / 2, middle, rotation=90, ha="center", va="center")

    def legend(self, rows: Sequence[Sequence[tuple[int, LandCover]]]) -> None:
        for row, entries in enumerate(rows):
            top = self.layout.bottom + GAP + row * (LINE + GAP // 2)
            for offset, cover in entries:
                left = MARGIN + ROW_LABEL + offset
                self._swatch(left, top, cover)
                self.text(cover.name, left + SWATCH + GAP, top + SWATCH / 2, va="center_baseline")

    def _picture(self, pixels: Picture, left: int, top: int) -> None:
        axes = self.figure.add_axes(self._box(left, top, *self.layout.cell))
        axes.imshow(pixels, interpolation="nearest", aspect="auto")
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(color=EDGE_GRAY, linewidth=0.6)

    def _swatch(self, left: int, top: int, cover: LandCover) -> None:
        x, y, width, height = self._box(left, top, SWATCH, SWATCH)
        color = tuple(value / 255 for value in cover.color)
        box = Rectangle((x, y), width, height, facecolor=color, edgecolor=EDGE_GRAY, linewidth=0.6)
        box.set_transform(self.figure.transFigure)
        self.figure.add_artist(box)

    def _box(
        self, left: int, top: int, height: int, width: int
    ) -> tuple[float, float, float, float]:
        """Left, bottom, width and height as shares of the figure."""
        whole_width, whole_height = self.layout.width, self.layout.height
        bottom = 1 - (top + height) / whole_height
        return left / whole_width, bottom, width / whole_width, height / whole_height


def _legend_rows(covers: Sequence[LandCover], width: int) -> list[list[tuple[int, LandCover]]]:
    """Entries with their offset from the left, as many in a row as fit, at least one."""
    rows: list[list[tuple[int, LandCover]]] = [[]]
    offset = 0
    for cover in covers:
        taken = SWATCH + GAP + text_width(cover.name) + 3 * GAP
        if rows[-1] and offset + taken > width - ROW_LABEL:
            rows.append([])
            offset = 0
        rows[-1].append((offset, cover))
        offset += taken
    return rows


def _wrapped(title: str, width: int) -> list[str]:
    """The title in lines no wider than a column, broken at spaces, else anywhere."""
    lines = [""]
    for word in _pieces(title, width):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _pieces(title: str, width: int) -> Iterator[str]:
    for word in title.split():
        while text_width(word) > width and len(word) > 1:
            fits = max(n for n in range(1, len(word)) if n == 1 or text_width(word[:n]) <= width)
            yield word[:fits]
            word = word[fits:]
        yield word


def text_width(text: str) -> int:
    """The width of a line as it is drawn, pixels."""
    if not text.strip():
        return 0
    with matplotlib.rc_context(STYLE):
        path = TextPath((0, 0), text, size=FONT_POINTS, prop=FontProperties(family=FONT))
    return int(path.get_extents().width * DPI / 72) + 2
