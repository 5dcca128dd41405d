"""How two images are read as a pair: options of bands, place and values, and the pair they open."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options.shared import Command
from scdcli.cli.terminal import Terminal
from scdcli.rasters.pair.methods import DEFAULT_METHOD, METHODS

if TYPE_CHECKING:
    from scdcli.models.checkpoint import LoadedModel
    from scdcli.rasters.pair.open import Pair
    from scdcli.rasters.pair.settings import PairSettings

Bands = tuple[int, ...] | tuple[str, ...]
normalize_option = click.option(
    "--normalize",
    type=click.Choice(METHODS),
    default=DEFAULT_METHOD,
    help="Bring the colors of AFTER to those of BEFORE: match, by their histograms; pif, by a line "
    "per band through what seems unchanged.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Refuse images on different grids; do not warp."
)
allow_vrt_option = click.option("--allow-vrt", is_flag=True, help="Also open VRT files.")
coregister_option = click.option(
    "--coregister",
    is_flag=True,
    help="Move AFTER over BEFORE by the shift between them, up to 32 pixels, where most of the "
    "scene agrees on one.",
)


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


def _range(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[float, ...]:
    """Two numbers with a comma between, the lower first."""
    try:
        numbers = tuple(float(part) for part in (text or "").split(",") if part)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not numbers with commas between.") from error
    if numbers and not _is_range(numbers):
        raise click.BadParameter(f"{text!r} is not LO,HI, the lower value first.")
    return numbers


def _is_range(numbers: tuple[float, ...]) -> bool:
    return len(numbers) == 2 and all(map(isfinite, numbers)) and numbers[0] < numbers[1]


scale_option = click.option(
    "--scale",
    callback=_range,
    metavar="LO,HI",
    default=None,
    help="Values that become 0 and 255, for both dates; by default uint8 is used as it is and "
    "other types get the 2-98 % range of both dates together.",
)


def pairing_options(command: Command) -> Command:
    """All options that say how two images become a pair; `open_given_pair` takes them."""
    for option in (
        allow_vrt_option,
        strict_option,
        coregister_option,
        scale_option,
        normalize_option,
        place_options,
    ):
        command = option(command)
    return command


def given_settings(options: dict[str, Any], count: int | None = None) -> "PairSettings":
    """How the pair is to be read, from `pairing_options` and the number of bands of the model."""
    from scdcli.rasters.pair.settings import PairSettings

    return PairSettings(
        **placed(options),
        count=count,
        scale=options["scale"] or None,
        normalize=options["normalize"],
        strict=options["strict"],
        allow_vrt=options["allow_vrt"],
    )


@contextmanager
def open_given_pair(
    before: str,
    after: str,
    options: dict[str, Any],
    terminal: Terminal,
    model: "LoadedModel",
) -> Iterator["Pair"]:
    """The pair as `pairing_options` say it is to be read; tells what was done to match the two.

    The three bands that a model reads are red, green and blue of more.
    """
    from dataclasses import replace

    from scdcli.rasters.pair.coregister import open_registered

    settings = given_settings(options, model.header.network.bands)
    settings = replace(settings, levels=model.levels)
    coregister = options["coregister"]
    with open_registered(before, after, settings, coregister=coregister) as pair:
        for note in pair.notes:
            terminal.note(f"Warning: {note}" if note in pair.doubts else note)
        yield pair


def recorded(options: dict[str, Any]) -> dict[str, Any]:
    """What a summary says of these options, JSON-ready."""
    return {
        "scale": options["scale"] or None,
        "normalize": options["normalize"],
        "strict": options["strict"],
        "coregister": options["coregister"],
        **recorded_place(options),
    }
