"""``scd predict``: two images in, a folder of maps, polygons and tables out."""

import json
from pathlib import Path
from typing import Any

import click

from scdcli.cli.onepair import output_folder, predict_pair, require_usable_output
from scdcli.cli.options import json_option, output_option, quiet_option, running_options
from scdcli.cli.outputoptions import writing_options
from scdcli.cli.pairoptions import pairing_options
from scdcli.cli.predictor import make_predictor
from scdcli.cli.terminal import Terminal


@click.command()
@click.argument("before")
@click.argument("after")
@output_option("DIR", "Folder of the result; <before>__<after> if not given.")
@running_options
@pairing_options
@writing_options
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
    out = output or output_folder(before, after)
    require_usable_output(out, before, after, options)
    terminal = Terminal(options["quiet"])
    predictor = make_predictor(options, terminal)
    if options["land_cover"] and not predictor.loaded.header.land_cover:
        terminal.note(
            f"The model {predictor.loaded.name} has learnt classes on changed pixels only: its "
            "land cover elsewhere is a guess."
        )
    summary = predict_pair(before, after, out, predictor, options, terminal)
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
