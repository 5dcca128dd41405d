"""Single-date labelled images: what their labels mean, and reading them block by block."""

import re
import tomllib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from scdcli.datasets.classmap import open_label, unknown_class
from scdcli.datasets.samples import IMAGE_SUFFIXES, by_stem, unread
from scdcli.errors import DatasetError, InputError, UnknownName
from scdcli.files.text import decode
from scdcli.legend import NODATA, UNCHANGED, Color, Legend
from scdcli.polygons.area import central_pixel
from scdcli.rasters.scene import open_scene, read_window, scene_grid, spectral_bands, valid_window
from scdcli.simulation.compose.scene import IMAGE_NODATA, LabelledImage

KEYS = {"pixel_size", "unknown", "nodata", "classes"}

# The open sets that the bundled models are made from.
SOURCES = MappingProxyType(
    {
        "dubai": {
            "pixel_size": 0.8,
            "unknown": ["#9B9B9B", "#000000"],
            "classes": {
                "water": "#E2A929",
                "ground": "#8429F6",
                "road": "#6EC1E4",
                "building": "#3C1098",
                "vegetation": "#FEDD3A",
            },
        },
        "monterey": {
            "pixel_size": 0.36,
            "unknown": [5, 7, 11],  # foredune, sparse dune, other: mixed covers
            "nodata": [0],
            "classes": {"water": 1, "vegetation": [2, 3, 6, 9], "ground": [4, 8], "road": 10},
        },
        "banepa": {"pixel_size": 0.13, "unknown": [0], "classes": {"building": 255}},
    }
)
IMAGES = "images"
LABELS = ("labels", "masks")
BLOCK = 2048  # pixels; a mosaic is read in blocks of this side, or of what a pair needs
LARGEST_BLOCK = 8192  # pixels; a third of a gigabyte
CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class SourceKey:
    """What the labels of a source mean.

    Attributes:
        name: A name in `SOURCES`, or that of a file.
        codes: Class index by value or color; 255 where the class is not known, `IMAGE_NODATA`
            where the image shows nothing.
        pixel_size: Ground resolution of its images in meters; None where their georeference
            says it.
    """

    name: str
    codes: dict[int | Color, int]
    pixel_size: float | None

    @property
    def colored(self) -> bool:
        """Whether the labels hold colors, not values."""
        return any(isinstance(code, tuple) for code in self.codes)

    def decode(
        self, pixels: NDArray[Any], source: str, labelled: NDArray[np.bool_] | None = None
    ) -> NDArray[np.uint8]:
        """Class indices of a label.

        Args:
            pixels: (3, H, W) uint8 of colors, or (1, H, W) whole numbers.
            source: File named in the error.
            labelled: Where the file is not nodata, (H, W) bool; elsewhere the class is not known,
                unless the key names the value there.

        Raises:
            DatasetError: A color or value that the key does not name.
        """
        packed = np.zeros(pixels.shape[1:], dtype=np.int64)
        for band in pixels:
            packed = packed * 256 + band
        index = np.full(packed.shape, NODATA, dtype=np.uint8)
        unnamed = np.ones(packed.shape, dtype=bool) if labelled is None else labelled.copy()
        for code, value in self.codes.items():
            number = code if isinstance(code, int) else int.from_bytes(bytes(code))
            here = packed == number
            index[here] = value
            unnamed &= ~here
        if unnamed.any():
            row, col = (int(axis[0]) for axis in np.nonzero(unnamed))
            value = int(packed[row, col])
            what = f"the color #{value:06X}" if len(pixels) == 3 else f"the value {value}"
            raise DatasetError(
                f"{source} holds {what} (row {row}, column {col}), which the source {self.name} "
                "does not name; add it to a class, or to unknown or nodata."
            )
        return index


def find_source(name: str, legend: Legend) -> SourceKey:
    """What the labels of a source mean in a legend.

    Raises:
        UnknownName: Neither a built-in source nor a file.
        InputError: The file cannot be read, or is not TOML.
        DatasetError: The file does not say what labels mean in this legend.
    """
    if name in SOURCES:
        return _key(name, SOURCES[name], legend)
    path = Path(name)
    if path.suffix.lower() != ".toml" and not path.is_file():
        raise UnknownName("source (and no such file)", name, SOURCES)
    try:
        table = tomllib.loads(decode(path.read_bytes(), str(path)))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check the name.") from error
    except ValueError as error:
        raise InputError(f"{path} is not TOML: {error}; mend it there.") from error
    return _key(str(path), table, legend)


def _key(name: str, table: Mapping[str, Any], legend: Legend) -> SourceKey:
    surplus = sorted(table.keys() - KEYS)
    if surplus or not isinstance(table.get("classes"), dict):
        what = f"has {surplus[0]!r}, which means nothing here" if surplus else "has no [classes]"
        raise DatasetError(f"{name} {what}; a source has {', '.join(sorted(KEYS))}.")
    by_name = {legend[index].name: index for index in legend.indices()}
    unknown = sorted(table["classes"].keys() - by_name.keys())
    if unknown:
        raise DatasetError(
            f"{name} names the class {unknown[0]!r}, which legend {legend.name!r} does not have; "
            f"it has {', '.join(by_name)}."
        )
    meanings = [(what, listed, by_name[what]) for what, listed in table["classes"].items()]
    for what, index in (("unknown", NODATA), ("nodata", IMAGE_NODATA)):
        meanings.append((what, table.get(what, []), index))
    size = table.get("pixel_size")
    if size is not None and not (isinstance(size, int | float) and size > 0):
        raise DatasetError(f"{name}: pixel_size is {size!r}; give meters, for example 0.5.")
    return SourceKey(Path(name).stem, _codes(name, meanings), None if size is None else float(size))


def _codes(name: str, meanings: list[tuple[str, object, int]]) -> dict[int | Color, int]:
    codes: dict[int | Color, int] = {}
    for what, listed, index in meanings:
        for each in listed if isinstance(listed, list) else [listed]:
            code = _code(each, f"{name}: {what}")
            if code in codes:
                raise DatasetError(f"{name}: {each!r} of {what!r} is named twice; keep one.")
            codes[code] = index
    if len({isinstance(code, tuple) for code in codes}) > 1:
        raise DatasetError(f"{name} names both colors and values; labels hold one or the other.")
    return codes


def _code(each: object, where: str) -> int | Color:
    if isinstance(each, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", each):
        red, green, blue = bytes.fromhex(each[1:])
        return red, green, blue
    if isinstance(each, int) and not isinstance(each, bool) and 0 <= each <= 255:
        return each
    raise DatasetError(f"{where} is {each!r}; give a value from 0 to 255, or a color as #RRGGBB.")


@dataclass(frozen=True)
class Source:
    """A folder of labelled images.

    Attributes:
        folder: Where they lie.
        key: What their labels mean; None where they are written in the legend's own codes.
    """

    folder: Path
    key: SourceKey | None = None


@dataclass(frozen=True)
class Block:
    """A part of an image and of its label.

    Attributes:
        image: File of the image.
        label: File of its label.
        window: The part.
        pixel_size: Ground resolution in meters.
        key: What the label means; None where it is written in the legend's own codes.
    """

    image: Path
    label: Path
    window: Window
    pixel_size: float
    key: SourceKey | None


class Blocks(Sequence[LabelledImage]):
    """The blocks of some sources: read on demand, those used last kept in memory."""

    def __init__(self, blocks: Sequence[Block], legend: Legend, room: int = CACHE_BYTES) -> None:
        """Take the blocks, the classes of their labels, and the bytes that are kept at most."""
        self.blocks = list(blocks)
        self.legend = legend
        self.room = room
        self._cache: OrderedDict[int, LabelledImage] = OrderedDict()

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    def __getitem__(self, index: int) -> LabelledImage:  # type: ignore[override]
        """A block's image, land cover and measured pixels; raises what `read_block` does."""
        if index not in self._cache:
            self._cache[index] = read_block(self.blocks[index], self.legend)
            while len(self._cache) > 1 and sum(map(_bytes, self._cache.values())) > self.room:
                self._cache.popitem(last=False)
        self._cache.move_to_end(index)
        return self._cache[index]

    def __getstate__(self) -> dict[str, Any]:
        """Sent to other processes without images: each reads what it needs."""
        return self.__dict__ | {"_cache": OrderedDict()}


def find_blocks(source: Source, side: float = 0) -> list[Block]:
    """The blocks of all images of a folder, or of the folders in it, in order of their names.

    Args:
        source: The folder.
        side: Least width and height of a block in meters, as far as the image is that large.

    Raises:
        DatasetError: The folder holds no images with labels, or an image has none of its size.
    """
    folders = [source.folder, *sorted(p for p in source.folder.iterdir() if p.is_dir())]
    blocks = [
        block
        for folder in folders
        for image, label in _labelled_files(folder)
        for block in _blocks(image, label, source.key, side)
    ]
    if not blocks:
        raise DatasetError(
            f"{source.folder} holds no labelled images: neither it nor a folder in it has "
            f"{IMAGES}/ and {' or '.join(f'{name}/' for name in LABELS)} with files of the same "
            "names."
        )
    return blocks


def read_block(block: Block, legend: Legend) -> LabelledImage:
    """Image, land cover and measured pixels of a block.

    Raises:
        DatasetError: The image is not three bands of uint8, or the label holds a value that neither
            key nor legend explains.
        InputError: A file cannot be read.
    """
    with open_scene(block.image) as dataset:
        bands = spectral_bands(dataset)
        if len(bands) < 3 or dataset.dtypes[0] != "uint8":
            raise DatasetError(
                f"{block.image} has {len(bands)} x {dataset.dtypes[0]}; images to put changes into "
                "have three bands of uint8: red, green and blue."
            )
        image = read_window(dataset, block.window, bands[:3], block.image)
        valid = valid_window(dataset, block.window, block.image)
    cover = _cover(block, legend)
    valid &= cover != IMAGE_NODATA
    cover[~valid] = NODATA
    return LabelledImage(image, cover, valid, block.pixel_size)


def _cover(block: Block, legend: Legend) -> NDArray[np.uint8]:
    if block.key is None:
        with open_label(block.label, legend) as label:
            cover = label.read(block.window)
        beyond = cover[(cover > len(legend)) & (cover != NODATA)]
        if beyond.size:
            counts = np.bincount(beyond)
            raise unknown_class(str(block.label), int(counts.argmax()), int(counts.max()), legend)
        # In a label of one date, "unchanged" can only say that nobody labelled the pixel.
        cover[cover == UNCHANGED] = NODATA
        return cover
    with open_scene(block.label) as dataset:
        bands = spectral_bands(dataset)
        if np.dtype(dataset.dtypes[bands[0] - 1]).kind not in "ui":
            raise DatasetError(
                f"{block.label} has values of type {dataset.dtypes[bands[0] - 1]}; labels are "
                "whole numbers or colors: write it anew, for example with gdal_translate -ot Byte."
            )
        pixels = read_window(dataset, block.window, bands, block.label)
        labelled = valid_window(dataset, block.window, block.label)
        if block.key.colored and dataset.colorinterp[0] == ColorInterp.palette:
            table = np.zeros((256, 3), dtype=np.uint8)
            for value, color in dataset.colormap(1).items():
                table[value] = color[:3]
            pixels = np.moveaxis(table[pixels[0]], -1, 0)
    wanted = 3 if block.key.colored else 1
    if len(pixels) != wanted:
        raise DatasetError(
            f"{block.label} has {len(pixels)} bands; the source {block.key.name} names "
            f"{'colors, which have three' if wanted == 3 else 'values, which have one'}."
        )
    return block.key.decode(pixels, str(block.label), labelled)


def _labelled_files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Image and label files of the same name in a folder."""
    labels = next((folder / name for name in LABELS if (folder / name).is_dir()), None)
    if labels is None or not (folder / IMAGES).is_dir():
        return
    by_name = by_stem(labels, IMAGE_SUFFIXES)
    for name, image in by_stem(folder / IMAGES, IMAGE_SUFFIXES).items():
        if name not in by_name:
            wrong = unread(labels / name, IMAGE_SUFFIXES)
            raise DatasetError(
                f"{wrong}."
                if wrong
                else f"{image} has no label of the same name in {labels}; add it."
            )
        yield image, by_name[name]


def _blocks(image: Path, label: Path, key: SourceKey | None, side: float) -> Iterator[Block]:
    with open_scene(image) as dataset, open_scene(label) as other:
        grid = scene_grid(dataset, image)
        if grid.shape != other.shape:
            raise DatasetError(
                f"{label} has {other.width} x {other.height} pixels and {image} {grid.width} x "
                f"{grid.height} pixels; make them equal."
            )
        pixel = central_pixel(grid)
    # The key is what the user says of this set, and overrules the georeference.
    stated = key.pixel_size if key else None
    pixel_size = stated or (pixel and (pixel[0] * pixel[1]) ** 0.5)
    if pixel_size is None:
        raise DatasetError(
            f"{image} does not say the size of its pixels; give it as pixel_size, in meters, in a "
            "file with --source."
        )
    step = min(max(BLOCK, ceil(side / pixel_size)), LARGEST_BLOCK)
    for top in range(0, grid.height, step):
        for left in range(0, grid.width, step):
            height, width = min(step, grid.height - top), min(step, grid.width - left)
            yield Block(image, label, Window(left, top, width, height), pixel_size, key)


def _bytes(image: LabelledImage) -> int:
    return image.image.nbytes + image.cover.nbytes + image.valid.nbytes
