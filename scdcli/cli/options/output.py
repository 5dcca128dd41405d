"""What a prediction leaves on disk: options that make `OutputSettings`."""

import math
from typing import Any

import click

from scdcli.cli.options.shared import CommaList, Command, grouped, overwrite_option, together
from scdcli.prediction.settings import OutputSettings


def _formats(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    return () if names == ("none",) else tuple(dict.fromkeys(names))


def _finite(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number to compare with.")
    return value


land_cover_option = click.option(
    "--land-cover", is_flag=True, help="Also write the class of every pixel."
)
vector_option = click.option(
    "--vector",
    type=CommaList(
        str,
        "names of formats with commas between, or none alone",
        lambda names: "none" not in names or len(names) == 1,
    ),
    callback=_formats,
    metavar="gpkg,geojson,fgb,shp,parquet|none",
    default=",".join(OutputSettings.formats),
    help="Polygon formats.",
)
simplify_option = click.option(
    "--simplify",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=OutputSettings.simplify,
    help="How far outlines of polygons may move to lose vertices, m (pixels without a CRS); "
    "neighbors stay neighbors.",
)
zone_options = together(
    click.option(
        "--zones",
        metavar="FILE[:LAYER]",
        help="Polygons such as districts: zones.csv, summary.json and the page then give the areas "
        "in each, too.",
    ),
    click.option(
        "--zone-names",
        metavar="FIELD",
        help="Field of --zones with the names; name, or the first of texts that differ, if not "
        "given.",
    ),
)
report_option = click.option(
    "--report/--no-report",
    default=OutputSettings.report,
    help="Write report.html, a page to look at, and preview.png.",
)
resume_option = click.option(
    "--resume",
    is_flag=True,
    help="Go on with what an interrupted run has left, and leave alone what is finished.",
)


def require_zone_file(zones: str | None, zone_names: str | None) -> None:
    """Refuse zones that cannot be read, before any work."""
    if zones is None:
        if zone_names is not None:
            raise click.UsageError("--zone-names is a field of --zones; give the file, too.")
        return
    from scdcli.datasets.zonefile import read_zones

    read_zones(zones, zone_names)


def _output_settings(vector: tuple[str, ...], **others: Any) -> OutputSettings:  # noqa: ANN401
    return OutputSettings(formats=vector, **others)


def writing_options(command: Command) -> Command:
    """All options that say what a prediction writes, as ``writing``."""
    options = (
        land_cover_option,
        vector_option,
        simplify_option,
        zone_options,
        report_option,
        overwrite_option,
        resume_option,
    )
    return grouped("writing", _output_settings, options)(command)
