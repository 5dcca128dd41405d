"""``scd report``: the page of a prediction, made again."""

from pathlib import Path

import click

from scdcli.cli.options.output import require_zone_file, zone_options
from scdcli.cli.options.shared import (
    moved_options,
    output_option,
    overwrite_option,
    quiet_and_verbose,
)
from scdcli.cli.terminal import Terminal
from scdcli.files.whole import require_free_file


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
@output_option("FILE.html", "The page; DIR/report.html, or index.html of a batch, if not given.")
@click.option(
    "--pairs",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Instead of one DIR, a folder of predictions: write a page that lists them, and what "
    "predict --pairs leaves beside it.",
)
@zone_options
@moved_options
@overwrite_option
@quiet_and_verbose
def report(
    folder: Path | None,
    output: Path | None,
    pairs: Path | None,
    zones: str | None,
    zone_names: str | None,
    before: str | None,
    after: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make the page of a prediction again.

    predict leaves report.html in its folder: one file to open in a browser, without a network. This
    makes it anew from the maps in DIR and the two images, which are looked for where changes.qgz
    says, in DIR, beside and above it, and in the working directory. A page that has images is not
    replaced by one without, unless with --overwrite. With --pairs one page lists all predictions in
    a folder; of one that predict --pairs has filled the table, the list and the layer are made
    again, too, of all that is finished by now. With --zones the areas are also given by zone, as if
    predict had been told of them.

    \b
    scd report changes
    scd report changes -o for-the-mayor.html --before 2009.tif --after 2018.tif
    scd report changes --zones districts.gpkg
    scd report --pairs maps
    """
    _require_one_kind(folder, pairs, output, overwrite=overwrite, images=bool(before or after))
    require_zone_file(zones, zone_names)
    terminal = Terminal(quiet)
    if pairs is not None:
        if zones is not None:
            _give_all_by_zone(pairs, zones, zone_names, terminal)
        click.echo(_several(pairs, output, terminal))
    elif folder is not None:
        if zones is not None:
            _give_by_zone(folder, zones, zone_names, terminal)
        click.echo(_one(folder, output, before, after, terminal, bare=overwrite))


def _require_one_kind(
    folder: Path | None, pairs: Path | None, output: Path | None, *, overwrite: bool, images: bool
) -> None:
    """Refuse a call that gives neither a prediction nor a folder of them, or both."""
    if (folder is None) == (pairs is None):
        raise click.UsageError("Give DIR, the folder of a prediction, or --pairs with several.")
    if pairs is not None and images:
        raise click.UsageError("--before and --after are for one prediction, not for --pairs.")
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{output} does not end in .html, as a page does.")
    if output is not None:
        require_free_file(output, overwrite=overwrite)


def _one(
    folder: Path,
    output: Path | None,
    before: str | None,
    after: str | None,
    terminal: Terminal,
    *,
    bare: bool,
) -> Path:
    from scdcli.reporting.report import rebuild_report

    page, missing = rebuild_report(folder, output, before=before, after=after, bare=bare)
    if missing:
        terminal.note(f"Warning: {missing}")
    return page


def _several(folder: Path, output: Path | None, terminal: Terminal) -> Path:
    from scdcli.reporting.batch import is_batch
    from scdcli.reporting.batchfiles import renew_batch
    from scdcli.reporting.batchpage import write_index

    if output is None and is_batch(folder):
        for note in renew_batch(folder).notes:
            terminal.note(note)
    page, count, without = write_index(folder, output)
    terminal.note(f"{count} {'prediction' if count == 1 else 'predictions'} listed.")
    if without:
        terminal.note(f"{without} of them have no report.html to open; scd report DIR makes one.")
    return page


def _give_by_zone(folder: Path, zones: str, zone_names: str | None, terminal: Terminal) -> None:
    """Write the areas of a prediction by zone into its folder."""
    from scdcli.datasets.zonefile import place_zones, read_zones
    from scdcli.reporting.finished import read_finished
    from scdcli.reporting.report import add_zones

    placed = place_zones(read_zones(zones, zone_names), read_finished(folder).grid, str(folder))
    for sentence in add_zones(folder, placed):
        terminal.note(f"Warning: {sentence}")
    terminal.note(f"{folder / 'zones.csv'} has the areas by zone.")


def _give_all_by_zone(folder: Path, zones: str, zone_names: str | None, terminal: Terminal) -> None:
    """Write the areas by zone of all predictions in a folder, and their sums."""
    from scdcli.reporting.batch import gather_batch, locked_batch, write_batch
    from scdcli.reporting.batchfiles import require_batch_folder
    from scdcli.reporting.page import REPORT

    require_batch_folder(folder, ())
    for member, _ in gather_batch(folder).done:
        _give_by_zone(member.folder, zones, zone_names, terminal)
        if (member.folder / REPORT).is_file():
            _one(member.folder, None, None, None, terminal, bare=False)
    with locked_batch(folder):
        write_batch(gather_batch(folder))
