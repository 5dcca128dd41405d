"""Which bands of two images are read, and which part of the ground: options."""

from math import isfinite
from typing import Any

import click

from scdcli.cli.options.shared import Command

Bands = tuple[int, ...] | tuple[str, ...]


def _bands(ctx: click.Context, param: click.Parameter, text: str | None) -> Bands:
    """Numbers or names with commas between."""
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit()]
    if numbers and len(numbers) < len(parts):
        raise click.BadParameter(f"{text!r} mixes numbers and names; give one or the other.")
    return tuple(numbers) or tuple(parts)


def _bounds(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[float, ...]:
    """Left, bottom, right, top."""
    try:
        found = tuple(float(part) for part in (text or "").replace(",", " ").split())
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not four numbers with commas between.") from error
    if found and not _is_box(found):
        raise click.BadParameter(
            f"{text!r} is not L,B,R,T: left below right, then bottom below top."
        )
    return found


def _is_box(found: tuple[float, ...]) -> bool:
    if len(found) != 4 or not all(map(isfinite, found)):
        return False
    return found[0] < found[2] and found[1] < found[3]


def _whole(ctx: click.Context, param: click.Parameter, number: float) -> int:
    return int(number)


PLACE_OPTIONS = (
    click.option(
        "--bands",
        callback=_bands,
        metavar="1,2,3|red,green,blue",
        default=None,
        help="Bands to use, numbers or names, in the order of the model; if not given all but "
        "alpha, matched by name where the files name them.",
    ),
    click.option(
        "--after-bands",
        callback=_bands,
        metavar="1,2,3",
        default=None,
        help="The same of AFTER, where it has them in another order.",
    ),
    click.option(
        "--assume-crs",
        metavar="CRS",
        default=None,
        help="CRS of an image that has a position and no CRS, such as EPSG:32650; one that an "
        "image has is never replaced.",
    ),
    click.option(
        "--bounds",
        callback=_bounds,
        metavar="L,B,R,T",
        default=None,
        help="Map only the pixels of BEFORE that touch left, bottom, right, top in its CRS.",
    ),
    click.option("--bounds-crs", metavar="CRS", default=None, help="CRS of --bounds, if another."),
    click.option(
        "--aoi",
        metavar="FILE[:LAYER]",
        default=None,
        help="Map only what lies in the polygons of this file; the rest becomes nodata.",
    ),
    click.option(
        "--max-pixels",
        type=click.FloatRange(min=1),
        callback=_whole,
        default=4e10,
        show_default="4e10",
        metavar="NUMBER",
        help="Refuse more pixels than this, which are hardly meant.",
    ),
)


def place_options(command: Command) -> Command:
    """All options of this module; `placed` turns them into settings."""
    for option in reversed(PLACE_OPTIONS):
        command = option(command)
    return command


def placed(options: dict[str, Any]) -> dict[str, Any]:
    """Fields of `scdcli.rasters.pair.settings.PairSettings` that these options give."""
    return {
        "bands": options["bands"] or None,
        "after_bands": options["after_bands"] or None,
        "assume_crs": options["assume_crs"],
        "bounds": options["bounds"] or None,
        "bounds_crs": options["bounds_crs"],
        "aoi": options["aoi"],
        "max_pixels": options["max_pixels"],
    }


def recorded_place(options: dict[str, Any]) -> dict[str, Any]:
    """What a summary says of these options, JSON-ready; the folder of a file is left out."""
    from scdcli.files.naming import file_name

    said = placed(options)
    aoi = None if said["aoi"] is None else file_name(said["aoi"])
    return {name: said[name] for name in said if name != "max_pixels"} | {"aoi": aoi}
