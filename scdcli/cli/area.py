"""``scd area``: areas with intervals, from a map and what was judged at the places of a sample."""

import shlex
from json import dumps
from pathlib import Path

import click

from scdcli.cli.options.shared import (
    json_option,
    output_option,
    overwrite_option,
    quiet_and_verbose,
)
from scdcli.cli.terminal import Terminal


def _columns(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Names of columns by ours, from texts such as ``x=lon``."""
    pairs = [text.partition("=") for each in texts for text in each.split(",")]
    for ours, equals, theirs in pairs:
        if not (ours and equals and theirs):
            raise click.BadParameter(
                f"{ours + equals + theirs!r} is not OURS=THEIRS, such as x=lon."
            )
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The judged sample: the file of scd sample, what scd judge exports, or another table or "
    "layer of points (GeoPackage, GeoJSON, CSV).",
)
@click.option(
    "--columns",
    multiple=True,
    callback=_columns,
    metavar="OURS=THEIRS",
    help="What the file calls a column, for example reference_from=before,x=lon; may be given "
    "several times.",
)
@click.option(
    "--other-map",
    is_flag=True,
    help="DIR is not the map that was sampled: its accuracy, with the strata of the other.",
)
@click.option(
    "--report",
    is_flag=True,
    help="Also leave them in DIR, as areas.json, and in its page.",
)
@output_option("FILE.csv|FILE.json", "Also write the areas to a table, or everything as JSON.")
@overwrite_option
@json_option
@quiet_and_verbose
def area(
    folder: Path,
    reference: Path,
    columns: dict[str, str],
    other_map: bool,
    report: bool,
    output: Path | None,
    overwrite: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Estimate areas and accuracies with 95 % intervals.

    DIR is the prediction that scd sample has drawn from. Beside each adjusted area stands what
    counting pixels of the map gives, so that its bias is seen.

    \b
    scd area changes --reference points.gpkg
    scd area changes --reference judged.csv -o areas.csv
    """
    from scdcli.cli.tables.areas import show_assessment
    from scdcli.files.whole import write_csv, write_whole
    from scdcli.reporting.finished import ADJUSTED
    from scdcli.sampling.assessment import assess
    from scdcli.sampling.changemap import open_map
    from scdcli.sampling.reference import read_reference

    _require_usable(columns, output, overwrite=overwrite)
    change_map = open_map(folder)
    judged = read_reference(reference, change_map.grid, change_map.legend, columns)
    found = assess(change_map, judged, other_map=other_map)
    terminal = Terminal(quiet)
    for note in found.notes:
        terminal.note(note)
    text = dumps(found.to_dict(), indent=2, ensure_ascii=False)
    if output is not None and output.suffix == ".csv":
        write_csv(output, found.rows())
    elif output is not None:
        write_whole(output, f"{text}\n".encode())
    if report:
        write_whole(folder / ADJUSTED, f"{text}\n".encode())
        _renew_page(folder, terminal)
    if json:
        click.echo(text)
    else:
        show_assessment(found)


def _require_usable(columns: dict[str, str], output: Path | None, *, overwrite: bool) -> None:
    """Refuse names of columns that are none of ours, and outputs that cannot be written."""
    from scdcli.files.whole import require_free_file
    from scdcli.sampling.reference import MEANT

    unknown = sorted(set(columns) - MEANT)
    if unknown:
        raise click.UsageError(
            f"--columns {unknown[0]} is none of ours, which are {', '.join(sorted(MEANT))}."
        )
    if output is not None and output.suffix not in (".csv", ".json"):
        raise click.UsageError(f"{output} ends in neither .csv nor .json.")
    if output is not None:
        require_free_file(output, overwrite=overwrite)


def _renew_page(folder: Path, terminal: Terminal) -> None:
    """Make the page of the prediction again, unless it would lose its images."""
    from scdcli.reporting.finished import read_finished
    from scdcli.reporting.report import opened_images, rebuild_report

    with opened_images(read_finished(folder), None, None) as (pair, missing):
        if pair is None:
            terminal.note(
                f"The page is left as it was: {missing} scd report {shlex.quote(str(folder))} "
                "--before IMAGE --after IMAGE makes it with the areas."
            )
            return
    rebuild_report(folder)
