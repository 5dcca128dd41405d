"""``scd check``: what is in a labelled set, and what is wrong with it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scdcli.cli.options import (
    bands_option,
    json_option,
    legend_option,
    quiet_option,
    verbose_option,
)
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.labelled.whole import SetReport


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@legend_option
@bands_option
@json_option
@quiet_option
@verbose_option
@click.pass_context
def check(
    ctx: click.Context,
    dataset: Path,
    legend: str | None,
    bands: tuple[int, ...],
    json: bool,
    quiet: bool,
) -> None:
    """Look through a labelled set: pairs, sizes, types, classes, transitions, problems.

    DATASET is what scd train takes. Every label is read whole; of the images only size, place,
    bands and type. Exit status 1 when scd train or scd evaluate would refuse the set.

    \b
    scd check SECOND
    scd check my-scenes --legend parcels.toml --json
    """
    report = _check_set(dataset, legend, bands, Terminal(quiet), as_json=json)
    ctx.exit(1 if report.problems else 0)


def _check_set(
    dataset: Path,
    legend: str | None,
    bands: tuple[int, ...],
    terminal: Terminal,
    *,
    as_json: bool,
) -> "SetReport":
    from scdcli.cli.settable import show_set
    from scdcli.labelled.whole import check_set

    with terminal.progress("looking through the labels", None) as bar:
        report = check_set(dataset, legend, bands or None, bar.update)
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        show_set(report)
    return report
