"""`preview.png`: before, after, what was there and what is there now, side by side."""

import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from scdcli.legend import NODATA, LandCover, Legend
from scdcli.rasters.pair.glance import small_shape
from scdcli.reporting.encoding import resized
from scdcli.reporting.finished import Finished
from scdcli.reporting.overview import Overview
from scdcli.reporting.photos import Photos

PREVIEW = "preview.png"
SIDE = 480  # pixels of the longest side of a picture
NARROWEST = 150

MARGIN, GAP, LINE, SWATCH = 16, 8, 22, 13  # pixels
FONT_PIXELS = 14
INK, FAINT, PAPER = (35, 37, 31), (108, 111, 102), (251, 250, 247)
EMPTY: tuple[int, int, int] = (236, 234, 228)
HOLE: tuple[int, int, int] = (160, 160, 160)

Picture = NDArray[np.uint8]


def draw_preview(prediction: Finished, overview: Overview, photos: Photos | None) -> bytes:
    """The four pictures with a legend, as a PNG; without the images their places are empty."""
    shape = small_shape(prediction.grid.shape, SIDE)
    names = ("before", "after", "was there", "is there now")
    legend = prediction.legend
    maps = [_colored(layer, legend) for layer in (overview.from_class, overview.to_class)]
    blank = np.full((*shape, 3), EMPTY, dtype=np.uint8)
    images = [resized(photo.whole, shape) for photo in photos] if photos else [blank, blank]
    smooth = overview.shape[0] > shape[0]
    pictures = [*images, *(_fitted(each, shape, smooth=smooth) for each in maps)]
    present = np.unique([overview.from_class.ravel(), overview.to_class.ravel()])
    covers = [legend[index] for index in legend.indices() if index in present]
    if NODATA in present:
        covers.append(LandCover("not measured", HOLE))
    return _drawn(pictures, names, covers)


def _drawn(pictures: Sequence[Picture], names: Sequence[str], covers: Sequence[LandCover]) -> bytes:
    height, width = pictures[0].shape[:2]
    slot = max(width, NARROWEST)
    total = 2 * MARGIN + len(pictures) * slot + (len(pictures) - 1) * GAP
    font = _font()
    rows = _legend_rows(covers, total - 2 * MARGIN, font)
    top = MARGIN + LINE
    page = Image.new("RGB", (total, top + height + GAP + len(rows) * LINE + MARGIN), PAPER)
    pen = ImageDraw.Draw(page)
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        left = MARGIN + number * (slot + GAP)
        pen.text((left, MARGIN - 3), name, fill=FAINT, font=font)
        page.paste(Image.fromarray(picture), (left, top))
    for line, row in enumerate(rows):
        y = top + height + GAP + line * LINE + 5
        for offset, cover in row:
            x = MARGIN + offset
            pen.rectangle((x, y, x + SWATCH, y + SWATCH), fill=cover.color)
            pen.text((x + SWATCH + 6, y - 3), cover.name, fill=INK, font=font)
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def _colored(classes: NDArray[np.uint8], legend: Legend) -> Picture:
    table = np.full((256, 3), EMPTY, dtype=np.uint8)
    for index in legend.indices():
        table[index] = legend[index].color
    table[NODATA] = HOLE
    colors: Picture = table[classes]
    return colors


def _fitted(picture: Picture, shape: tuple[int, int], *, smooth: bool) -> Picture:
    """Of another size: averages where it becomes smaller, so that small changes stay visible."""
    if smooth:
        return resized(picture, shape)
    height, width = shape
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST))


def _legend_rows(
    covers: Sequence[LandCover], width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> list[list[tuple[int, LandCover]]]:
    """Entries with their offset from the left, as many in a row as fit, at least one."""
    rows: list[list[tuple[int, LandCover]]] = [[]]
    offset = 0
    for cover in covers:
        taken = SWATCH + 6 + int(font.getlength(cover.name)) + 22
        if rows[-1] and offset + taken > width:
            rows.append([])
            offset = 0
        rows[-1].append((offset, cover))
        offset += taken
    return rows


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that comes with matplotlib, which has most scripts, without loading matplotlib."""
    found = find_spec("matplotlib")
    if found and found.submodule_search_locations:
        folder = Path(next(iter(found.submodule_search_locations)))
        path = folder / "mpl-data/fonts/ttf/DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(str(path), FONT_PIXELS)
    return ImageFont.load_default(FONT_PIXELS)
