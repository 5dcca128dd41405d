"""``scd check``: whether two images can be compared, or what is wrong with a labelled set."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from scdcli.cli.options.pair import pair_options
from scdcli.cli.options.shared import (
    binary_option,
    complete_model,
    json_option,
    legend_option,
    quiet_option,
    refuse_legend_of_masks,
    verbose_option,
)
from scdcli.cli.terminal import Terminal
from scdcli.rasters.pair.settings import PairSettings

if TYPE_CHECKING:
    from scdcli.models.checkpoint import LoadedModel
    from scdcli.prediction.fit import Remarks
    from scdcli.rasters.pair.open import Pair

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
    default=None,
    show_default=False,
    help="The model that two images are for: other bands than its own are a problem, other pixel "
    "sizes or looks a warning. If not given, bands and sizes are warnings, by the default model.",
)
@pair_options
@json_option
@quiet_option
@verbose_option
def check(
    paths: tuple[str, ...],
    legend: str | None,
    binary: bool,
    model: str | None,
    pair: PairSettings,
    coregister: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Say whether two images can be compared, or what is in a labelled set.

    With two images: grids, overlap, bands, nodata, brightness and the shift between them, as
    scd predict would read them, from samples. Exit status 1 when scd predict would refuse them.

    With one path: SET is what scd train takes: pairs, sizes, types, classes, transitions and
    problems. Every label is read whole; of the images only size, place, bands and type. Exit
    status 1 when scd train or scd evaluate would refuse the set.

    \b
    scd check 2009.tif 2018.tif
    scd check 2009.tif 2018.tif --bands 1,2,3 --coregister
    scd check 2009.tif 2018.tif --model second
    scd check my-scenes --legend parcels.toml --json
    """
    if not 1 <= len(paths) <= 2:
        raise click.UsageError(f"Give two images or one labelled set, not {len(paths)} paths.")
    ctx = click.get_current_context()
    _refuse_foreign_options(ctx, of_a_pair=len(paths) == 2)
    problems: Sequence[str]
    if len(paths) == 2:
        problems = _check_pair(*paths, model, pair, coregister=coregister, as_json=json)
    else:
        refuse_legend_of_masks(legend, binary=binary)
        bands, terminal = pair.bands, Terminal(quiet)
        problems = _check_set(Path(paths[0]), legend, bands, terminal, binary=binary, as_json=json)
    ctx.exit(1 if problems else 0)


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

    loaded = _load(model)
    settings = loaded.reads(settings) if loaded else replace(settings, count=MODEL_BANDS)
    report = check_pair(
        before,
        after,
        settings,
        coregister=coregister,
        needs=loaded.requirements if loaded else None,
        judge=_likeness(loaded) if loaded else None,
    )
    if as_json:
        click.echo(dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        show_pair(report)
    return report.problems


def _load(model: str | None) -> "LoadedModel | None":
    if model is None:
        return None
    from scdcli.models.checkpoint import load_model  # imports torch, which nothing else here needs

    return load_model(model)


def _likeness(loaded: "LoadedModel") -> Callable[["Pair"], "Remarks"]:
    from scdcli.prediction.likeness import judge_likeness

    return partial(judge_likeness, loaded)


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
