"""The drawing of a panel: columns of two pictures, placed to the pixel, and a legend of colors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from scdcli.legend import LandCover
from scdcli.scoring.figures.thumbnails import Picture

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
class Column:
    """Two pictures of one shape under a title, the earlier date above the later one."""

    title: str
    before: Picture
    after: Picture


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
