"""What a labelled set consists of: samples, each the files that belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scdcli.errors import DatasetError

SHOWN = 10


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
        bands: Band numbers to read of both images, from 1; None for all but alpha.
        windowed: Whether this is a scene to cut windows from; other pairs are read whole.
        aoi: Polygons of a scene outside of which nothing is labelled.
        part: What to use of a scene; None for all. Training draws windows in it.
    """

    name: str
    before: Path
    after: Path
    from_label: Path
    to_label: Path
    from_cover: Path | None = None
    to_cover: Path | None = None
    bands: tuple[int, ...] | None = None
    windowed: bool = False
    aoi: Path | None = None
    part: Part | None = None


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
