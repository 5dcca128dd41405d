"""``scd judge``: a page on which a person judges a sample, and how far several judges agree."""

from itertools import combinations
from pathlib import Path

import click

from scdcli.cli.options.shared import (
    moved_options,
    output_option,
    overwrite_option,
    quiet_and_verbose,
)
from scdcli.cli.terminal import Terminal, open_console
from scdcli.errors import InputError

MOST_SHOWN = 20


@click.command()
@click.argument("points", type=click.Path(path_type=Path))
@click.option(
    "--map",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    show_default="found by what POINTS says of it",
    help="The prediction that was sampled.",
)
@output_option("FILE.html", "The page; POINTS with .html if not given.")
@moved_options
@click.option(
    "--show-map", is_flag=True, help="Show what the map says; judges then agree with it too often."
)
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="In place of a page, how far the judgements in POINTS and in this file agree; may be "
    "given several times.",
)
@overwrite_option
@quiet_and_verbose
def judge(
    points: Path,
    folder: Path | None,
    output: Path | None,
    before: str | None,
    after: str | None,
    show_map: bool,
    compare: tuple[Path, ...],
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make a page on which a person judges the places of a sample.

    One file to open in a browser, without a network: each place before and after, near and from
    afar, keys for the classes, undo, notes. It keeps what was judged, and saves it as CSV or
    GeoJSON for scd area.

    \b
    scd judge changes-points.gpkg
    scd judge points.gpkg --map maps/changes -o judge.html
    scd judge ann.csv --compare ben.csv
    """
    if compare:
        _compare((points, *compare))
        return
    from scdcli.files.whole import require_free_file, write_whole
    from scdcli.reporting.finished import read_finished
    from scdcli.reporting.report import opened_images
    from scdcli.sampling.changemap import open_map
    from scdcli.sampling.judging import build_judging_page
    from scdcli.sampling.sampledmap import find_sampled_map

    out = output or points.with_suffix(".html")
    require_free_file(out, overwrite=overwrite)
    folder = folder or find_sampled_map(points)
    change_map = open_map(folder)
    with opened_images(read_finished(folder), before, after) as (pair, missing):
        if pair is None:
            raise InputError(str(missing))
        page = build_judging_page(points, change_map, pair, show_map=show_map)
    write_whole(out, page.encode())
    Terminal(quiet).note(f"{len(page) / 1e6:.1f} MB; open it in a browser.")
    click.echo(out)


def _compare(files: tuple[Path, ...]) -> None:
    """Agreement of every two files, on stdout."""
    from rich.table import Table

    from scdcli.sampling.reference import agreement, judgements_by_id

    judged = [judgements_by_id(file) for file in files]
    table = Table("judges", box=None, header_style="bold")
    for name in ("places", "agree", "kappa"):
        table.add_column(name, justify="right")
    table.add_column("differ at", overflow="fold")
    for one, other in combinations(range(len(files)), 2):
        found = agreement(judged[one], judged[other])
        share, kappa = (
            f"{100 * found.share:.1f} %" if found.share is not None else "",
            f"{found.kappa:.2f}" if found.kappa is not None else "",
        )
        listed = ", ".join(found.differing[:MOST_SHOWN])
        more = len(found.differing) - MOST_SHOWN
        names = f"{files[one].name}, {files[other].name}"
        table.add_row(
            names, str(found.places), share, kappa, listed + (f", {more} more" if more > 0 else "")
        )
    open_console().print(table)
