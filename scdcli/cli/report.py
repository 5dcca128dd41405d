"""``scd report``: the page of a prediction, made again."""

from pathlib import Path

import click

from scdcli.cli.options.shared import (
    output_option,
    overwrite_option,
    quiet_option,
    verbose_option,
)
from scdcli.cli.terminal import Terminal
from scdcli.errors import OutputError


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@output_option("FILE", "The page; DIR/report.html if not given.")
@click.option(
    "--before",
    type=click.Path(),
    metavar="IMAGE",
    default=None,
    show_default=False,
    help="The earlier image, where it has moved.",
)
@click.option(
    "--after",
    type=click.Path(),
    metavar="IMAGE",
    default=None,
    show_default=False,
    help="The later image, where it has moved.",
)
@overwrite_option
@quiet_option
@verbose_option
def report(
    folder: Path,
    output: Path | None,
    before: str | None,
    after: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make the page of a prediction again.

    predict leaves report.html in its folder: one file to open in a browser, without a network. This
    makes it anew from the maps in DIR and the two images, which are looked for in DIR, beside and
    above it, and in the working directory.

    \b
    scd report changes
    scd report changes -o for-the-mayor.html --before 2009.tif --after 2018.tif
    """
    from scdcli.reporting.report import rebuild_report

    if output is not None and output.exists() and not overwrite:
        raise OutputError(f"{output} exists; replace it with --overwrite, or name another file.")
    page, missing = rebuild_report(folder, output, before=before, after=after)
    if missing:
        Terminal(quiet).note(f"Warning: {missing}")
    click.echo(page)
