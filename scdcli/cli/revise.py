"""``scd revise``: a prediction made again with polygons that a person has corrected."""

from json import dumps
from pathlib import Path

import click

from scdcli.cli.options.shared import (
    json_option,
    moved_options,
    output_option,
    overwrite_option,
    quiet_and_verbose,
)
from scdcli.cli.terminal import Terminal, shown_hectares


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--polygons",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The polygons of DIR, corrected: a copy of its changes.gpkg in which some were deleted, "
    "redrawn or given another class.",
)
@output_option("DIR", "Folder of the corrected prediction; DIR-revised if not given.")
@moved_options
@overwrite_option
@json_option
@quiet_and_verbose
def revise(
    folder: Path,
    polygons: Path,
    output: Path | None,
    before: str | None,
    after: str | None,
    overwrite: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Make a prediction again from polygons that a person has corrected.

    DIR stays as it is. Rasters, polygons, table, summary and page are made anew; what was left
    alone keeps its very pixels. The summary says how much was changed.

    \b
    scd revise changes --polygons corrected.gpkg
    scd revise changes --polygons corrected.gpkg -o final --json
    """
    from scdcli.errors import OutputError
    from scdcli.files.naming import beside
    from scdcli.sampling.revision import revise as make_again

    out = output or beside(folder, "-revised")
    if out.resolve() == folder.resolve():
        raise OutputError(f"{out} is the prediction itself, which is kept; name another folder.")
    terminal = Terminal(quiet)
    summary = make_again(
        folder,
        polygons,
        out,
        before=before,
        after=after,
        overwrite=overwrite,
        say=terminal.note,
    )
    changed = summary["revision"]
    for note in changed["notes"]:
        terminal.note(note)
    area = f", {shown_hectares(changed['hectares'])} hectares" if "hectares" in changed else ""
    terminal.note(
        f"{changed['polygons_removed']} polygons removed, {changed['polygons_renamed']} with "
        f"another class, {changed['polygons_drawn']} drawn: {changed['pixels']:,} pixels{area} are "
        f"other than in {folder}."
    )
    click.echo(dumps(summary, ensure_ascii=False) if json else out)
