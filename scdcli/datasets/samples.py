"""Samples, of which a labelled set consists: the files that belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import NamedTuple

from scdcli.errors import DatasetError
from scdcli.rasters.pair.bands import BandNames
from scdcli.rasters.scene import DRIVERS

SHOWN = 10
SPLITS = ("train", "val", "test")
IMAGE_SUFFIXES = tuple(suffix for suffixes in DRIVERS.values() for suffix in suffixes)
# The compression of a JPEG turns classes into others.
LABEL_SUFFIXES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix not in DRIVERS["JPEG"])
# Lie beside an image of the same name and are none.
BESIDE = (".xml", ".tfw", ".pgw", ".jgw", ".wld", ".prj", ".ovr", ".msk", ".hdr", ".qml", ".aux")


class Part(NamedTuple):
    """A rectangle of pixels on the grid of a scene."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Sample:
    """The files of one labelled pair.

    Attributes:
        name: The pair's name.
        before: The earlier image.
        after: The later image.
        from_label: Class before where changed; or a layer of polygons with both classes.
        to_label: Class after where changed; or the same layer of polygons.
        from_cover: Class before of every pixel; None where only changes are labelled.
        to_cover: Class after of every pixel.
        bands: Bands to read of both images, numbers from 1 or names; None for all but alpha.
        windowed: Whether this is a scene to cut windows from; other pairs are read whole.
        aoi: Polygons of a scene outside of which nothing is labelled.
        part: What to use of a scene; None for all. Training draws windows in it.
        mask: Whether the label is one mask of change, which says where but not what.
    """

    name: str
    before: Path
    after: Path
    from_label: Path
    to_label: Path
    from_cover: Path | None = None
    to_cover: Path | None = None
    bands: BandNames | None = None
    windowed: bool = False
    aoi: Path | None = None
    part: Part | None = None
    mask: bool = False


class Listing(NamedTuple):
    """The complete samples of a folder, sorted by name, and what is incomplete, as sentences."""

    samples: list[Sample]
    problems: list[str]


def require_none(problems: Sequence[str], what: str) -> None:
    """Refuse a set with problems: the count of all and the first ten.

    Raises:
        DatasetError: There are problems.
    """
    if problems:
        more = len(problems) - SHOWN
        shown = [text.rstrip(".") for text in problems[:SHOWN]]
        listed = [*shown, f"and {more} more: scd check counts them"] if more > 0 else shown
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise DatasetError(f"{what}, {count}:" + ";".join(f"\n- {text}" for text in listed) + ".")


def half_changed(name: str, pixels: int) -> str:
    """What is wrong with the labels of a pair that call pixels changed at one date only."""
    return (
        f"{name}: {pixels} pixels have a class at one date and are unchanged at the other; label "
        "changed pixels at both dates."
    )


def by_stem(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The files of a folder with one of the suffixes, by name without it; nothing without a folder.

    Raises:
        DatasetError: Two files have one name.
    """
    if not folder.is_dir():
        return {}
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in suffixes]
    visible = {file.stem: file for file in files if file.name[0] != "."}
    for file in files:
        if visible.get(file.stem, file) != file:
            raise DatasetError(f"{file} and {visible[file.stem]} have the same name; keep one.")
    return visible


def find_file(folder: Path, stem: str, suffixes: Sequence[str]) -> Path | None:
    """The file of a folder with this name and one of the suffixes; None without one.

    Raises:
        DatasetError: There are two.
    """
    # Escaped: a name may hold brackets.
    files = [file for file in sorted(folder.glob(f"{escape(stem)}.*")) if file.is_file()]
    readable = [file for file in files if file.stem == stem and file.suffix.lower() in suffixes]
    if len(readable) > 1:
        raise DatasetError(f"{readable[0]} and {readable[1]} have the same name; keep one.")
    return readable[0] if readable else None


def unread(
    path: Path, suffixes: Sequence[str], others: Mapping[str, Path] | None = None
) -> str | None:
    """Why the file in a needed one's place does not count, without a full stop; None without one.

    Args:
        path: The file that is needed, without its suffix.
        suffixes: Those that are read there.
        others: The `unread_files` of its folder, where they are known.
    """
    file = (unread_files(path.parent, suffixes) if others is None else others).get(path.name)
    if file is None:
        return None
    if file.suffix.lower() in DRIVERS["JPEG"]:
        return (
            f"{file} is a JPEG, whose compression turns classes into others; write the labels as "
            "PNG or GeoTIFF, from before they were compressed"
        )
    return f"{file} is not read, only {', '.join(suffixes)}; convert it"


def unread_files(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The files of a folder with other suffixes than those that are read, by name without it."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    known = (*suffixes, *BESIDE, "")
    return {
        file.stem: file
        for file in files
        if file.suffix.lower() not in known and file.name[0] != "."
    }
