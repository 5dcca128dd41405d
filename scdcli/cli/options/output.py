"""What a prediction leaves on disk: the options, and the settings they make."""

import math
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options.shared import Command, overwrite_option

if TYPE_CHECKING:
    from scdcli.prediction.write import OutputSettings


def _formats(ctx: click.Context, param: click.Parameter, text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",")]
    if "none" in names and len(names) > 1:
        raise click.BadParameter(f"{text!r}: none goes with no other format.")
    return () if names == ["none"] else tuple(dict.fromkeys(names))


def _finite(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number to compare with.")
    return value


land_cover_option = click.option(
    "--land-cover", is_flag=True, help="Also write the class of every pixel."
)
vector_option = click.option(
    "--vector",
    callback=_formats,
    metavar="gpkg,geojson,fgb,shp,parquet|none",
    default="gpkg",
    help="Polygon formats.",
)
min_area_option = click.option(
    "--min-area",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=0.0,
    help="Smallest polygon, m² (pixels without a CRS); the rasters keep everything.",
)
simplify_option = click.option(
    "--simplify",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=0.0,
    help="How far outlines of polygons may move to lose vertices, m (pixels without a CRS); "
    "neighbors stay neighbors.",
)
resume_option = click.option(
    "--resume",
    is_flag=True,
    help="Go on with what an interrupted run has left, and leave alone what is finished.",
)


def writing_options(command: Command) -> Command:
    """All options that say what a prediction writes; `output_settings` takes them."""
    for option in (
        resume_option,
        overwrite_option,
        simplify_option,
        min_area_option,
        vector_option,
        land_cover_option,
    ):
        command = option(command)
    return command


def output_settings(options: dict[str, Any]) -> "OutputSettings":
    """What to write, from `writing_options`."""
    from scdcli.prediction.write import OutputSettings

    return OutputSettings(
        land_cover=options["land_cover"],
        formats=options["vector"],
        min_area=options["min_area"],
        simplify=options["simplify"],
        overwrite=options["overwrite"],
        resume=options["resume"],
    )
