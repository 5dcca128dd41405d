"""Class maps on disk, in colors or as indices, read as what the legend says they are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError
from json import loads as parse_json
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from scdcli.errors import DatasetError
from scdcli.legend import MAX_CLASSES, NODATA, SECOND, UNCHANGED, Coding, Color, Legend
from scdcli.rasters.grid import Grid
from scdcli.rasters.scene import open_scene, read_window, scene_grid, spectral_bands, valid_window

MASK_CHANGED = (1, 255)
JPEG_CHANGED = 128
UNSET: Color = (0, 0, 0)  # a palette's entry that nobody has set

# Enough rows to make reading cheap, few enough that four maps and their codes stay small.
WINDOW_PIXELS = 1 << 22
WIDEST_STRIP_PIXELS = 1 << 24
WINDOW_COLUMNS = 4096
DECODED_PIXELS = 1 << 19


def carried_legend(dataset: DatasetReader, path: Path) -> Legend | None:
    """The legend in a file's tags, which our own outputs carry.

    Raises:
        DatasetError: The tag does not hold a legend.
    """
    text = dataset.tags(ns="SCD").get("LEGEND") or dataset.tags().get("SCD_LEGEND")
    if text is None:
        return None
    try:
        return Legend.from_dict(parse_json(text))
    except (JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{path} carries a legend that cannot be read ({error}); remove its tag SCD LEGEND "
            "and name a legend with --legend."
        ) from error


def is_colored(dataset: DatasetReader, path: Path) -> bool:
    """Whether a file holds colors (three bands of uint8), or indices (one of whole numbers).

    Raises:
        DatasetError: Neither.
    """
    bands, kind = len(spectral_bands(dataset)), dataset.dtypes[0]
    if bands == 3 and kind == "uint8":
        return True
    if bands == 1 and np.issubdtype(np.dtype(kind), np.integer):
        return False
    raise DatasetError(
        f"{path} holds {bands} x {kind}; a class map holds one band of whole numbers (indices) "
        "or three of uint8 (colors)."
    )


def has_mask(dataset: DatasetReader, colored: bool, coding: Coding) -> bool:
    """Whether pixels can be nodata in another way than by their value."""
    flags = dataset.mask_flag_enums[0]
    by_value = MaskFlags.nodata in flags and dataset.nodata in coding.nodata and not colored
    return not by_value and MaskFlags.all_valid not in flags


def require_usable_nodata(
    dataset: DatasetReader, path: Path, colored: bool, coding: Coding
) -> None:
    """Refuse a nodata value that means unchanged here: the whole unchanged area would vanish.

    What is nodata because a PNG shows it transparent is a matter of `is_transparent`.
    """
    unchanged = coding.unchanged_color[0] if colored else coding.unchanged
    if dataset.nodata == unchanged and dataset.driver != "PNG":
        raise DatasetError(
            f"{path} declares {unchanged} as nodata, but {unchanged} means unchanged in a class "
            f"map. Clear it with gdal_edit.py -unsetnodata {path}; for indices, {NODATA} is nodata."
        )


def hidden_values(dataset: DatasetReader, coding: Coding) -> tuple[int, ...]:
    """The values that a PNG's palette shows transparent, without those that are nodata anyway.

    GDAL takes one such entry for nodata and says nothing of several.
    """
    if dataset.driver != "PNG" or dataset.colorinterp[0] != ColorInterp.palette:
        return ()
    colors = dataset.colormap(1).items()
    return tuple(v for v, color in colors if color[3] == 0 and v not in coding.nodata)


def is_transparent(dataset: DatasetReader, colored: bool, coding: Coding) -> bool:
    """Whether a file can have transparent pixels: by a band, an entry of a palette or a color."""
    if dataset.driver == "PNG" and dataset.colorinterp[0] == ColorInterp.palette:
        return bool(hidden_values(dataset, coding))
    by_color = dataset.driver == "PNG" and has_mask(dataset, colored, coding)
    return by_color or MaskFlags.alpha in dataset.mask_flag_enums[0]


def require_plain_palette(dataset: DatasetReader, path: Path, legend: Legend) -> None:
    """Refuse a palette that gives an index the color of another class: one of both is wrong."""
    if dataset.colorinterp[0] != ColorInterp.palette:
        return
    owner = {legend[index].color: index for index in legend.indices()}
    colors = dataset.colormap(1)
    for index in legend.indices():
        color = colors.get(index, UNSET)[:3]
        other = owner.get(color, index)
        if other != index and color != UNSET:
            raise DatasetError(
                f"{path} shows the value {index} in the color of {legend[other].name}, which "
                f"legend {legend.name!r} has as {other}, and as {index} {legend[index].name}: "
                "write the colors out with gdal_translate -expand rgb, or give a legend file that "
                "says the value of each class."
            )


def require_same_classes(path: Path, legend: Legend, carried: Legend) -> None:
    """Refuse a legend that has not the classes of the one a file carries, or orders them otherwise.

    Other names are taken as they are: classes may be renamed.
    """
    if len(legend) != len(carried):
        raise DatasetError(
            f"{path} carries the legend {carried.name!r} with {len(carried)} classes, but "
            f"legend {legend.name!r} has {len(legend)}; give the legend it was made with."
        )
    given, own = (each.names for each in (legend, carried))
    if given != own and sorted(given) == sorted(own):
        raise DatasetError(
            f"{path} carries the classes {', '.join(own)} in this order, but legend "
            f"{legend.name!r} has {', '.join(given)}; give the legend it was made with."
        )


@dataclass(frozen=True)
class LabelMap:
    """An open map of classes.

    Attributes:
        path: The file.
        dataset: The file, open.
        grid: Where it lies; `UNPLACED` without a CRS when it does not say.
        legend: What its colors or indices mean; None for indices that nobody declared.
        carried: The legend in the file's own tags, if any.
        colored: Whether the file holds colors (3 bands) instead of indices.
        coding: How its pixels write the classes; ours for a file that carries its legend.
        transparent: Whether pixels may be transparent, and are what the coding says.
        collapsed: Whether its classes are read as one, changed: it carries some where only change
            is asked for.
    """

    path: Path
    dataset: DatasetReader
    grid: Grid
    legend: Legend | None
    carried: Legend | None
    colored: bool
    coding: Coding
    transparent: bool
    collapsed: bool = False

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices of a window, (h, w); values above the legend's last come as they are.

        Raises:
            DatasetError: A color is not in the legend, or a value is outside 0-255.
            InputError: The window cannot be read.
        """
        bands = spectral_bands(self.dataset)
        pixels = read_window(self.dataset, window, bands, self.path)
        hidden = self._hidden(window, pixels)
        if hidden is not None:
            unchanged = self.coding.unchanged_color if self.colored else (self.coding.unchanged,)
            pixels[:, hidden] = np.array(unchanged)[:, None]
        if self.coding.mask:
            index = self._decode_mask(pixels)
        elif self.colored:
            index = self._decode_colors(pixels, window)
        else:
            index = self._decode(pixels[0])
        if hidden is not None:
            index[hidden] = self.coding.transparent if self.transparent else NODATA
        if self.collapsed:
            require_known(index, str(self.path), self.carried)
            index[(index != UNCHANGED) & (index != NODATA)] = 1
        return index

    def count_transparent(self, window: Window) -> int:
        """How many pixels of a window are transparent."""
        if not self.transparent:
            return 0
        pixels = read_window(self.dataset, window, [1], self.path)
        hidden = self._hidden(window, pixels)
        return 0 if hidden is None else int(hidden.sum())

    def _hidden(self, window: Window, pixels: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Where pixels are no label whatever their value, (h, w); None for nowhere."""
        values = hidden_values(self.dataset, self.coding)
        if values:
            return np.isin(pixels[0], values)
        if has_mask(self.dataset, self.colored, self.coding):
            return ~valid_window(self.dataset, window, self.path)
        return None

    def _decode_colors(self, pixels: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
        """A few rows at a time: decoding takes many bytes per pixel."""
        legend = self.legend or SECOND
        index = np.empty(pixels.shape[1:], dtype=np.uint8)
        step = max(1, DECODED_PIXELS // pixels.shape[2])
        for row in range(0, pixels.shape[1], step):
            top, left = window.row_off + row, window.col_off
            source = f"{self.path}, counted from row {top}, column {left}," if top + left else ""
            rows = slice(row, row + step)
            index[rows] = legend.decode(pixels[:, rows], source or str(self.path))
        return index

    def _decode_mask(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """0 unchanged, 1 changed, whatever of the two usual ways says so."""
        if self.dataset.driver == "JPEG":  # nearly black and nearly white
            pixels = np.where(pixels >= JPEG_CHANGED, MASK_CHANGED[1], UNCHANGED)
        found, values = "colors", pixels[0]
        strange = (pixels != values).any(axis=0)
        if not strange.any():
            ways = [value for value in MASK_CHANGED if (values == value).any()]
            # With both, one of them is likely to mean something else.
            known = ways if len(ways) < 2 else MASK_CHANGED[:1]
            strange = ~np.isin(values, (UNCHANGED, *known))
            if strange.any():
                found = f"the value {values[strange][0]}{' beside 1' if len(ways) > 1 else ''}"
        if strange.any():
            raise DatasetError(
                f"{self.path} holds {found} in {_pixels(int(strange.sum()))}; a mask of change "
                "holds 0 where nothing changed, and either 255 or 1 where something did. If these "
                "are classes, leave --binary out; if a value is nodata, declare it in the file."
            )
        index: NDArray[np.uint8] = (values > UNCHANGED).astype(np.uint8)
        return index

    def _decode(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        if self.coding.values is None:
            return self._narrow(values)
        index, unknown = self.coding.decode(values)
        if unknown:
            assert self.legend is not None
            raise unknown_values(str(self.path), unknown, self.legend)
        return index

    def _narrow(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        if values.dtype != np.uint8:
            for value in (int(values.min()), int(values.max())):
                if not UNCHANGED <= value <= NODATA:
                    raise DatasetError(
                        f"{self.path} holds the value {value} in "
                        f"{_pixels(int((values == value).sum()))}, but class indices are 0 to "
                        f"{MAX_CLASSES}, and {NODATA} is nodata; a legend file can say what other "
                        "values mean (--legend)."
                    )
        index: NDArray[np.uint8] = values.astype(np.uint8, copy=False)
        return index


@contextmanager
def open_label(path: Path, legend: Legend | None = None) -> Iterator[LabelMap]:
    """A class map, open for reading windows.

    Args:
        path: PNG or GeoTIFF with colors (RGB) or indices (one band, with or without palette).
        legend: What the map means; without it, the legend in the file's tags, and for colors
            in the end SECOND's.

    Raises:
        InputError: The file cannot be opened.
        DatasetError: The file cannot be a class map, or its own legend does not fit the one given.
    """
    with open_scene(path) as dataset:
        colored = is_colored(dataset, path)
        carried = carried_legend(dataset, path)
        coding = legend.coding if legend and not carried else Coding()
        require_usable_nodata(dataset, path, colored, coding)
        if legend and carried and not legend.coding.mask:
            require_same_classes(path, legend, carried)
        known = legend or carried or (SECOND if colored else None)
        if legend and not colored and coding.values is None and not coding.mask:
            require_plain_palette(dataset, path, legend)
        grid = scene_grid(dataset, path)
        transparent = is_transparent(dataset, colored, coding)
        collapsed = carried is not None and legend is not None and legend.coding.mask
        yield LabelMap(path, dataset, grid, known, carried, colored, coding, transparent, collapsed)


def read_label(path: Path, legend: Legend | None = None) -> NDArray[np.uint8]:
    """A whole class map, (H, W): 0 unchanged, 1..K, 255 nodata.

    Raises:
        InputError: The file cannot be read.
        DatasetError: The file holds a color or an index that the legend does not know.
    """
    return read_and_count(path, legend)[0]


def read_and_count(path: Path, legend: Legend | None = None) -> tuple[NDArray[np.uint8], int]:
    """A whole class map as of `read_label`, and how many of its pixels are transparent."""
    with open_label(path, legend) as label:
        whole = Window(0, 0, label.grid.width, label.grid.height)
        index = label.read(whole)
        require_known(index, str(path), label.legend)
        return index, label.count_transparent(whole)


def count_transparent(path: Path, legend: Legend | None = None) -> int:
    """How many pixels of a class map of any size are transparent."""
    with open_label(path, legend) as label:
        return sum(label.count_transparent(window) for window in label_windows([label]))


def require_known(index: NDArray[np.uint8], source: str, legend: Legend | None) -> None:
    """Refuse classes, (H, W), that the legend does not know.

    Raises:
        DatasetError: A value is above the legend's last, and not nodata.
    """
    last = len(legend) if legend else MAX_CLASSES
    unknown = index[(index > last) & (index != NODATA)]
    if unknown.size:
        value = int(unknown[0])
        raise unknown_class(source, value, int((unknown == value).sum()), legend)


def unknown_class(source: str, value: int, pixels: int, legend: Legend | None) -> DatasetError:
    """The error for an index beyond the legend, found in so many pixels of a source."""
    where = f"{source} holds the value {value} in {_pixels(pixels)}"
    if legend is None:
        return DatasetError(f"{where}, but class indices end at {MAX_CLASSES}; {NODATA} is nodata.")
    return DatasetError(
        f"{where}, but legend {legend.name!r} ends at {len(legend)}. "
        "Give the legend that belongs to these maps with --legend."
    )


def unknown_values(source: str, unknown: dict[int, int], legend: Legend) -> DatasetError:
    """The error for values that a legend with values of its own does not know."""
    value, pixels = max(unknown.items(), key=itemgetter(1))
    others = f" (and {len(unknown) - 1} other values)" if len(unknown) > 1 else ""
    coding = legend.coding
    classes = zip(coding.values or (), legend.classes, strict=True)
    known = [f"{each} {cover.name}" for each, cover in classes]
    known += [f"{coding.unchanged} unchanged", *(f"{each} nodata" for each in coding.nodata)]
    return DatasetError(
        f"{source} holds the value {value} in {_pixels(pixels)}{others}, which legend "
        f"{legend.name!r} does not know; it has {', '.join(known)}. "
        "Add it to the legend file, or mend the label."
    )


def label_windows(maps: Sequence[LabelMap]) -> Iterator[Window]:
    """Windows that together cover maps of one size, aligned with how the files are stored.

    Full-width strips of whole block rows where they fit in memory: then every block of every
    file is decoded once.
    """
    height, width = maps[0].grid.shape
    rows = max(shape[0] for each in maps for shape in each.dataset.block_shapes)
    columns = width if rows * width <= WIDEST_STRIP_PIXELS else WINDOW_COLUMNS
    rows *= max(1, WINDOW_PIXELS // (rows * columns))
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield Window(left, top, min(columns, width - left), min(rows, height - top))


def _pixels(count: int) -> str:
    return "1 pixel" if count == 1 else f"{count} pixels"
