"""``scd predict``: two images in, a folder of maps, polygons and tables out."""

import json
from math import isfinite
from pathlib import Path
from typing import Any

import click

from scdcli.cli.options import (
    bands_option,
    json_option,
    output_option,
    overwrite_option,
    quiet_option,
    running_options,
)
from scdcli.cli.predictor import make_predictor
from scdcli.cli.terminal import Terminal


def _numbers(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[float, ...]:
    """Comma-separated numbers."""
    try:
        numbers = tuple(float(part) for part in (text or "").split(",") if part)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not numbers with commas between.") from error
    if numbers and not _is_range(numbers):
        raise click.BadParameter(f"{text!r} is not LO,HI, the lower value first.")
    return numbers


def _is_range(numbers: tuple[float, ...]) -> bool:
    return len(numbers) == 2 and all(map(isfinite, numbers)) and numbers[0] < numbers[1]


def _formats(ctx: click.Context, param: click.Parameter, text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",")]
    if "none" in names and len(names) > 1:
        raise click.BadParameter(f"{text!r}: none goes with no other format.")
    return () if names == ["none"] else tuple(dict.fromkeys(names))


@click.command()
@click.argument("before")
@click.argument("after")
@output_option("DIR", "Folder of the result; <before>__<after> if not given.")
@running_options
@bands_option
@click.option(
    "--scale",
    callback=_numbers,
    metavar="LO,HI",
    default=None,
    help="Values that become 0 and 255, for both dates; by default uint8 is used as it is and "
    "other types get the 2-98 % range of both dates together.",
)
@click.option("--strict", is_flag=True, help="Refuse images on different grids; do not warp.")
@click.option("--allow-vrt", is_flag=True, help="Also open VRT files.")
@click.option("--land-cover", is_flag=True, help="Also write the class of every pixel.")
@click.option(
    "--vector",
    callback=_formats,
    metavar="gpkg,geojson,fgb,shp|none",
    default="gpkg",
    help="Polygon formats.",
)
@click.option(
    "--min-area",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Smallest polygon, m² (pixels without a CRS); the rasters keep everything.",
)
@overwrite_option
@json_option
@quiet_option
def predict(before: str, after: str, output: Path | None, **options: Any) -> None:  # noqa: ANN401
    """Map what changed between two images of one place.

    AFTER is brought onto the grid of BEFORE when they differ. DIR gets from.tif, to.tif,
    transition.tif, probability.tif, changes.gpkg, transitions.csv and summary.json.

    \b
    scd predict before.tif after.tif
    scd predict 2009.tif 2018.tif -o changes --bands 1,2,3 --vector gpkg,geojson
    """
    from scdcli.folder import require_free
    from scdcli.prediction import SUMMARY, OutputSettings, write_prediction
    from scdcli.rasters.pair import open_pair

    out = output or Path(f"{_stem(before)}__{_stem(after)}")
    require_free(out, mark=SUMMARY, overwrite=options["overwrite"])
    _refuse_inputs_inside(out, before, after, options["model"])
    terminal = Terminal(options["quiet"])
    predictor = make_predictor(options, terminal)
    if options["land_cover"] and not predictor.loaded.header.land_cover:
        terminal.note(
            f"The model {predictor.loaded.name} has learnt classes on changed pixels only: its "
            "land cover elsewhere is a guess."
        )
    settings = OutputSettings(
        land_cover=options["land_cover"],
        formats=options["vector"],
        min_area=options["min_area"],
        overwrite=options["overwrite"],
    )
    reading = {"scale": options["scale"] or None, "strict": options["strict"]}
    with open_pair(
        before, after, bands=options["bands"] or None, allow_vrt=options["allow_vrt"], **reading
    ) as pair:
        for note in pair.notes:
            terminal.note(note)
        with terminal.progress("predicting, %", 100) as bar:
            summary = write_prediction(
                pair,
                predictor,
                out,
                settings,
                recorded=reading,
                progress=lambda share: bar.update(int(100 * share), 100),
            )
    if not terminal.quiet and not options["json"]:
        _show(summary)
    click.echo(json.dumps(summary, ensure_ascii=False) if options["json"] else out)


def _show(summary: dict[str, Any]) -> None:
    """The transitions as a table on stderr, largest first."""
    from rich.console import Console
    from rich.table import Table

    unit = "hectares" if summary["valid"]["hectares"] is not None else "pixels"
    table = Table(box=None, header_style="bold")
    for name in ("from", "to"):
        table.add_column(name)
    for name in (unit, "% of area"):
        table.add_column(name, justify="right")

    def cells(extent: dict[str, Any]) -> tuple[str, str]:
        amount = extent[unit]
        return f"{amount:,.2f}" if unit == "hectares" else f"{amount:,}", _percent(extent)

    for row in sorted(summary["transitions"], key=lambda row: -row["pixels"]):
        table.add_row(row["from_name"], row["to_name"], *cells(row))
    for name in ("changed", "unchanged"):
        table.add_row(name, "", *cells(summary[name]), style="bold")
    Console(stderr=True).print(table)


def _percent(extent: dict[str, Any]) -> str:
    return "" if extent["percent"] is None else f"{extent['percent']:.2f}"


def _refuse_inputs_inside(out: Path, *inputs: str | None) -> None:
    """Replacing the result must not remove what it is made from."""
    from scdcli.errors import OutputError

    for name in inputs:
        if name and Path(name).exists() and out.resolve() in Path(name).resolve().parents:
            raise OutputError(f"{name} lies in {out}, which is the output; name another folder.")


def _stem(path: str) -> str:
    """The name of a local or remote file without folder, query and suffix."""
    return Path(path.split("?")[0]).stem
