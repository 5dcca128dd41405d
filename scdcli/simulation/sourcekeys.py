"""How the labels of single-date images write the classes: built-in keys, or one in a TOML file.

pixel_size = 0.3             # meters; not needed where the images are georeferenced
unknown = ["#9B9B9B"]        # labelled as nothing: the class is not known
nodata = [0]                 # the image shows nothing there

[classes]                    # by the names of the legend
building = "#3C1098"         # a color, a value, or a list of them
vegetation = [3, 4]
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.coding import NODATA, Color
from scdcli.errors import DatasetError, InputError, UnknownName
from scdcli.legend import Legend

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
