"""``scd check``: whether two images can be compared, or what is wrong with a labelled set."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from json import dumps
from pathlib import Path

import click
from click.core import ParameterSource

from scdcli.cli.batch import Shard, open_batch, pairs_option
from scdcli.cli.options.pair import checked_pair_options
from scdcli.cli.options.shared import (
    binary_option,
    complete_model,
    json_option,
    legend_option,
    quiet_and_verbose,
    refuse_legend_of_masks,
)
from scdcli.cli.terminal import Terminal
from scdcli.models import DEFAULT_MODEL
from scdcli.rasters.pair.settings import PairSettings

FOR_BOTH = {"paths", "bands", "json", "quiet", "verbose"}
FOR_SETS = {"legend", "binary"}


@click.command()
@click.argument("paths", nargs=-1, metavar="BEFORE AFTER | SET")
@legend_option
@binary_option
@click.option(
    "-m",
    "--model",
    shell_complete=complete_model,
    metavar="NAME|FILE",
    help="The model that two images are for: other bands than its own are a problem, other pixel "
    "sizes or looks a warning. If not given, bands and sizes are warnings, by the default model.",
)
@checked_pair_options
@click.option(
    "--statistics",
    "statistics",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what maps the values of the two images into this JSON file, for scd predict "
    "--statistics; with --pairs one for all pairs of a table, such as the tiles of an orthophoto.",
)
@pairs_option
@json_option
@quiet_and_verbose
def check(
    paths: tuple[str, ...],
    legend: str | None,
    binary: bool,
    model: str | None,
    pair: PairSettings,
    coregister: bool,
    statistics: Path | None,
    pairs: Path | None,
    json: bool,
    quiet: bool,
) -> None:
    """Say whether two images can be compared, or what is in a labelled set.

    With two images: grids, overlap, bands, nodata, brightness and the shift between them, as
    scd predict would read them, from samples. Exit status 1 when scd predict would refuse them.

    With one path: SET is what scd train takes: pairs, sizes, types, classes, transitions and
    problems. Every label is read whole; of the images only size, place, bands and type. Exit
    status 1 when scd train or scd evaluate would refuse the set.

    With --statistics FILE: also what maps the values of the two images, so that parts or tiles of
    them are predicted alike; with --pairs TABLE that only, for all pairs of the table.

    \b
    scd check 2009.tif 2018.tif
    scd check 2009.tif 2018.tif --bands 1,2,3 --coregister
    scd check 2009.tif 2018.tif --model second
    scd check my-scenes --legend parcels.toml --json
    scd check --pairs tiles.csv --statistics tiles.json
    """
    if pairs is not None:
        _pool(paths, pairs, statistics, model, pair, coregister, Terminal(quiet))
        return
    if not 1 <= len(paths) <= 2:
        raise click.UsageError(f"Give two images or one labelled set, not {len(paths)} paths.")
    ctx = click.get_current_context()
    _refuse_foreign_options(ctx, of_a_pair=len(paths) == 2)
    problems: Sequence[str]
    if len(paths) == 2:
        problems = _check_pair(*paths, model, pair, coregister=coregister, as_json=json)
        if statistics is not None and not problems:
            _write_statistics([paths], statistics, model, pair, coregister, Terminal(quiet))
    else:
        refuse_legend_of_masks(legend, binary=binary)
        bands, terminal = pair.bands, Terminal(quiet)
        problems = _check_set(Path(paths[0]), legend, bands, terminal, binary=binary, as_json=json)
    ctx.exit(1 if problems else 0)


def _pool(
    paths: tuple[str, ...],
    table: Path,
    statistics: Path | None,
    model: str | None,
    settings: PairSettings,
    coregister: bool,
    terminal: Terminal,
) -> None:
    """Write one file of statistics for all pairs of a table."""
    if paths:
        raise click.UsageError("Give BEFORE and AFTER or --pairs, not both.")
    if statistics is None:
        raise click.UsageError(
            "--pairs is for --statistics FILE, which is to hold for all of them."
        )
    batch = open_batch(table, None, Shard(1, 1), terminal)
    files = [(each.before, each.after) for each in batch.pairs]
    _write_statistics(files, statistics, model, settings, coregister, terminal)


def _write_statistics(
    pairs: Sequence[tuple[str, ...]],
    path: Path,
    model: str | None,
    settings: PairSettings,
    coregister: bool,
    terminal: Terminal,
) -> None:
    from scdcli.models.requirements import read_requirements
    from scdcli.rasters.pair.pooling import pool_statistics
    from scdcli.rasters.pair.statistics import write_statistics

    needs = read_requirements(model or DEFAULT_MODEL)
    settings = replace(settings, count=needs.bands if needs else None)
    files = [(before, after) for before, after in pairs]
    found = pool_statistics(files, settings, coregister=coregister)
    write_statistics(path, found)
    number = "1 pair" if found.pairs == 1 else f"{found.pairs} pairs"
    terminal.note(
        f"{path} has the statistics of {number}; use them with scd predict --statistics {path}"
    )


def _refuse_foreign_options(ctx: click.Context, *, of_a_pair: bool) -> None:
    """Options of the other kind of check would be left unused without a word."""
    for param in ctx.command.params:
        name = param.name or ""
        foreign = name in FOR_SETS if of_a_pair else name not in FOR_BOTH | FOR_SETS
        if foreign and ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            kind = "one labelled set" if of_a_pair else "two images"
            raise click.UsageError(f"{param.opts[-1]} is for {kind}.")


def _check_pair(
    before: str,
    after: str,
    model: str | None,
    settings: PairSettings,
    *,
    coregister: bool,
    as_json: bool,
) -> Sequence[str]:
    from scdcli.cli.tables.pair import show_pair
    from scdcli.prediction.check import MODEL_BANDS, check_pair

    loaded, judge = None, None
    if model is not None:  # imports torch, which nothing else here needs
        from scdcli.models.checkpoint import load_model
        from scdcli.prediction.likeness import judge_likeness

        loaded = load_model(model)
        judge = partial(judge_likeness, loaded)
    settings = loaded.reads(settings) if loaded else replace(settings, count=MODEL_BANDS)
    report = check_pair(
        before,
        after,
        settings,
        coregister=coregister,
        needs=loaded.requirements if loaded else None,
        judge=judge,
    )
    if as_json:
        click.echo(dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        show_pair(report)
    return report.problems


def _check_set(
    dataset: Path,
    legend: str | None,
    bands: tuple[int | str, ...] | None,
    terminal: Terminal,
    *,
    binary: bool,
    as_json: bool,
) -> Sequence[str]:
    from scdcli.cli.tables.dataset import show_set
    from scdcli.datasets.whole import check_set

    with terminal.progress("looking through the labels", None) as bar:
        report = check_set(dataset, legend, bands, bar.update, binary=binary)
    if as_json:
        click.echo(dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        show_set(report)
    return report.problems
