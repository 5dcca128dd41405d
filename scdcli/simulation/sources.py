"""Single-date labelled images: what their labels mean, and reading them block by block."""

import re
import tomllib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
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
from scdcli.errors import DatasetError, InputError, UnknownName
from scdcli.legend import NODATA, UNCHANGED, Color, Legend
from scdcli.polygons.area import central_pixel
from scdcli.rasters.scene import (
    open_scene,
    read_window,
    scene_grid,
    spectral_bands,
    valid_window,
)
from scdcli.simulation.compose.library import Contents, contents_of
from scdcli.simulation.compose.scene import LabelledImage

KEYS = {"pixel_size", "unknown", "nodata", "classes"}
UNSEEN = 254  # of decoded labels: the image shows nothing

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
SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".jp2")
BLOCK = 2048  # pixels; a mosaic is read in blocks of this side, or of so many as a pair needs
LARGEST_BLOCK = 8192  # pixels; a third of a gigabyte
KEPT_BYTES = 1 << 30


@dataclass(frozen=True)
class SourceKey:
    """What the labels of a source mean.

    Attributes:
        name: A name in `SOURCES`, or that of a file.
        codes: Class index by value or color; 255 where the class is not known, `UNSEEN` where the
            image shows nothing.
        pixel_size: Ground resolution of its images in meters; None where they say it themselves.
    """

    name: str
    codes: dict[int | Color, int]
    pixel_size: float | None

    @property
    def colored(self) -> bool:
        """Whether its labels hold colors."""
        return any(isinstance(code, tuple) for code in self.codes)

    def decode(
        self, pixels: NDArray[Any], source: str, labelled: NDArray[np.bool_] | None = None
    ) -> NDArray[np.uint8]:
        """Class indices of a label.

        Args:
            pixels: (3, H, W) uint8 of colors, or (1, H, W) whole numbers.
            source: File named in the error.
            labelled: Where the file says that it holds a label, (H, W); elsewhere the class is not
                known, unless the key names what is written there.

        Raises:
            DatasetError: A color or value that the key does not name.
        """
        codes = {_packed(code): index for code, index in self.codes.items()}
        packed = np.zeros(pixels.shape[1:], dtype=np.int64)
        for band in pixels:
            packed = packed * 256 + band
        index = np.full(packed.shape, NODATA, dtype=np.uint8)
        strange = np.ones(packed.shape, dtype=bool)
        for code, value in codes.items():
            found = packed == code
            index[found] = value
            strange ^= found
        if labelled is not None:
            strange &= labelled
        if strange.any():
            row, col = (int(axis[0]) for axis in np.nonzero(strange))
            value = int(packed[row, col])
            shown = f"the color #{value:06X}" if len(pixels) == 3 else f"the value {value}"
            raise DatasetError(
                f"{source} holds {shown} (row {row}, column {col}), which the source {self.name} "
                "does not name; add it to a class, or to unknown or nodata."
            )
        return index


def find_source(name: str, legend: Legend) -> SourceKey:
    """A built-in source by name, or the one in a file, for a legend.

    Raises:
        UnknownName: Neither a built-in source nor a file.
        InputError: The file cannot be read, or is no TOML.
        DatasetError: It does not say what labels mean in this legend.
    """
    if name in SOURCES:
        return _key(name, dict(SOURCES[name]), legend)
    path = Path(name)
    if path.suffix.lower() != ".toml" and not path.is_file():
        raise UnknownName("source (and no such file)", name, SOURCES)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check the name.") from error
    except ValueError as error:
        raise InputError(f"{path} is not TOML: {error}; mend it there.") from error
    return _key(str(path), found, legend)


def _key(name: str, found: dict[str, Any], legend: Legend) -> SourceKey:
    strange = sorted(found.keys() - KEYS)
    if strange or not isinstance(found.get("classes"), dict):
        what = f"has {strange[0]!r}, which means nothing here" if strange else "has no [classes]"
        raise DatasetError(f"{name} {what}; a source has {', '.join(sorted(KEYS))}.")
    by_name = {legend[index].name: index for index in legend.indices()}
    codes: dict[int | Color, int] = {}
    for each, index in (("unknown", NODATA), ("nodata", UNSEEN)):
        _add(codes, name, each, found.get(each, []), index)
    for each, listed in found["classes"].items():
        if each not in by_name:
            raise DatasetError(
                f"{name} names the class {each!r}, which legend {legend.name!r} does not have; it "
                f"has {', '.join(by_name)}."
            )
        _add(codes, name, each, listed, by_name[each])
    if len({isinstance(code, tuple) for code in codes}) > 1:
        raise DatasetError(f"{name} names both colors and values; labels hold one or the other.")
    size = found.get("pixel_size")
    if size is not None and not (isinstance(size, int | float) and size > 0):
        raise DatasetError(f"{name}: pixel_size is {size!r}; give meters, for example 0.5.")
    return SourceKey(Path(name).stem, codes, None if size is None else float(size))


def _add(codes: dict[int | Color, int], name: str, what: str, listed: object, index: int) -> None:
    for each in listed if isinstance(listed, list) else [listed]:
        code = _code(each, f"{name}: {what}")
        if code in codes:
            raise DatasetError(f"{name}: {each!r} of {what!r} is named twice; keep one.")
        codes[code] = index


def _code(each: object, where: str) -> int | Color:
    if isinstance(each, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", each):
        red, green, blue = bytes.fromhex(each[1:])
        return red, green, blue
    if isinstance(each, int) and not isinstance(each, bool) and 0 <= each <= 255:
        return each
    raise DatasetError(f"{where} is {each!r}; give a value from 0 to 255, or a color as #RRGGBB.")


def _packed(code: int | Color) -> int:
    return code if isinstance(code, int) else (code[0] << 16) | (code[1] << 8) | code[2]


@dataclass(frozen=True)
class Source:
    """A folder of images with labels, and what the labels mean; no key: as the legend says."""

    folder: Path
    key: SourceKey | None = None


@dataclass(frozen=True)
class Block:
    """A part of an image and of its label."""

    image: Path
    label: Path
    window: Window
    pixel_size: float
    key: SourceKey | None


class Blocks(Sequence[LabelledImage]):
    """The blocks of some sources; read when asked for, the last ones kept in memory."""

    def __init__(self, blocks: Sequence[Block], legend: Legend, room: int = KEPT_BYTES) -> None:
        """Take the blocks; ``room`` is how many bytes of them are kept."""
        self.blocks = list(blocks)
        self.legend = legend
        self.room = room
        self._kept: OrderedDict[int, LabelledImage] = OrderedDict()

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    def __getitem__(self, index: int) -> LabelledImage:  # type: ignore[override]
        """A block's image, land cover and measured pixels.

        Raises:
            DatasetError: A label holds what nobody explained.
            InputError: A file cannot be read.
        """
        if index not in self._kept:
            self._kept[index] = read_block(self.blocks[index], self.legend)
            while len(self._kept) > 1 and sum(map(_size, self._kept.values())) > self.room:
                self._kept.popitem(last=False)
        self._kept.move_to_end(index)
        return self._kept[index]

    def __getstate__(self) -> dict[str, Any]:
        """Other processes get none of what is kept: each reads what it needs."""
        return self.__dict__ | {"_kept": OrderedDict()}

    def contents(self) -> Iterator[Contents]:
        """What each block holds; reads all of them."""
        return (contents_of(image) for image in self)


def find_blocks(source: Source, side: float = 0) -> list[Block]:
    """The blocks of all images of a folder, or of the folders in it, in order of their names.

    Args:
        source: The folder.
        side: What a block shows at least where the image is as large, in meters.

    Raises:
        DatasetError: The folder holds no images with labels, or an image has none of its size.
    """
    folders = [source.folder, *sorted(p for p in source.folder.iterdir() if p.is_dir())]
    blocks = [
        block
        for folder in folders
        for image, label in _pairs(folder)
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
    """Image, land cover and measured pixels of a block."""
    with open_scene(block.image) as dataset:
        bands = spectral_bands(dataset)
        if len(bands) < 3 or dataset.dtypes[0] != "uint8":
            raise DatasetError(
                f"{block.image} has {len(bands)} x {dataset.dtypes[0]}; images to put changes into "
                "have three bands of uint8: red, green and blue."
            )
        image = read_window(dataset, block.window, bands[:3], block.image)
        seen = valid_window(dataset, block.window, block.image)
    cover = _cover(block, legend)
    seen &= cover != UNSEEN
    cover[~seen] = NODATA
    return LabelledImage(str(block.image), image, cover, seen, block.pixel_size)


def _cover(block: Block, legend: Legend) -> NDArray[np.uint8]:
    if block.key is None:
        with open_label(block.label, legend) as label:
            cover = label.read(block.window)
        beyond = cover[(cover > len(legend)) & (cover != NODATA)]
        if beyond.size:
            counts = np.bincount(beyond)
            raise unknown_class(str(block.label), int(counts.argmax()), int(counts.max()), legend)
        # No class: of an image of one date this says that nobody labelled it.
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


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    labels = next((folder / name for name in LABELS if (folder / name).is_dir()), None)
    if labels is None or not (folder / IMAGES).is_dir():
        return
    by_name = {file.stem: file for file in sorted(labels.iterdir()) if _is_image(file)}
    for image in sorted((folder / IMAGES).iterdir()):
        if not _is_image(image):
            continue
        if image.stem not in by_name:
            raise DatasetError(f"{image} has no label of the same name in {labels}; add it.")
        yield image, by_name[image.stem]


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and file.name[0] != "."


def _blocks(image: Path, label: Path, key: SourceKey | None, side: float) -> Iterator[Block]:
    with open_scene(image) as dataset, open_scene(label) as other:
        grid = scene_grid(dataset, image)
        if grid.shape != other.shape:
            raise DatasetError(
                f"{label} has {_pixels(other.shape)} and {image} {_pixels(grid.shape)}; make them "
                "equal."
            )
        pixel = central_pixel(grid)
    # The key speaks first: it is what the user says of this set.
    pixel_size = (
        key.pixel_size if key and key.pixel_size else pixel and (pixel[0] * pixel[1]) ** 0.5
    )
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


def _size(image: LabelledImage) -> int:
    return image.image.nbytes + image.cover.nbytes + image.seen.nbytes


def _pixels(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"
