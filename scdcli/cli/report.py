"""``scd report``: the page of a prediction, made again."""

from pathlib import Path

import click

from scdcli.cli.options.shared import (
    moved_after_option,
    moved_before_option,
    output_option,
    overwrite_option,
    quiet_option,
    verbose_option,
)
from scdcli.cli.terminal import Terminal
from scdcli.errors import OutputError


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
@output_option("FILE.html", "The page; DIR/report.html, or index.html of a batch, if not given.")
@click.option(
    "--pairs",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=None,
    show_default=False,
    help="Instead of one DIR, a folder of predictions: write a page that lists them.",
)
@moved_before_option
@moved_after_option
@overwrite_option
@quiet_option
@verbose_option
def report(
    folder: Path | None,
    output: Path | None,
    pairs: Path | None,
    before: str | None,
    after: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make the page of a prediction again.

    predict leaves report.html in its folder: one file to open in a browser, without a network. This
    makes it anew from the maps in DIR and the two images, which are looked for in DIR, beside and
    above it, and in the working directory. With --pairs one page lists all predictions in a folder.

    \b
    scd report changes
    scd report changes -o for-the-mayor.html --before 2009.tif --after 2018.tif
    scd report --pairs maps
    """
    if (folder is None) == (pairs is None):
        raise click.UsageError("Give DIR, the folder of a prediction, or --pairs with several.")
    if pairs is not None and (before or after):
        raise click.UsageError("--before and --after are for one prediction, not for --pairs.")
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{output} does not end in .html, as a page does.")
    if output is not None and output.exists() and not overwrite:
        raise OutputError(f"{output} exists; replace it with --overwrite, or name another file.")
    terminal = Terminal(quiet)
    if folder is not None:
        click.echo(_one(folder, output, before, after, terminal))
    elif pairs is not None:
        click.echo(_several(pairs, output, terminal))


def _one(
    folder: Path, output: Path | None, before: str | None, after: str | None, terminal: Terminal
) -> Path:
    from scdcli.reporting.report import rebuild_report

    page, missing = rebuild_report(folder, output, before=before, after=after)
    if missing:
        terminal.note(f"Warning: {missing}")
    return page


def _several(folder: Path, output: Path | None, terminal: Terminal) -> Path:
    from scdcli.reporting.batchpage import write_index

    page, count, without = write_index(folder, output)
    terminal.note(f"{count} {'prediction' if count == 1 else 'predictions'} listed.")
    if without:
        terminal.note(f"{without} of them have no report.html to open; scd report DIR makes one.")
    return page
