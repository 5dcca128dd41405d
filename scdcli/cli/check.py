"""``scd check``: whether two images can be compared, or what is wrong with a labelled set."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from scdcli.cli.options.pair import given_settings, pairing_options
from scdcli.cli.options.shared import json_option, legend_option, quiet_option, verbose_option
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.datasets.whole import SetReport
    from scdcli.models.checkpoint import LoadedModel
    from scdcli.prediction.check import PairReport

FOR_BOTH = {"paths", "bands", "json", "quiet", "verbose"}
FOR_SETS = {"legend"}


@click.command()
@click.argument("paths", nargs=-1, metavar="BEFORE AFTER | SET")
@legend_option
@click.option(
    "-m",
    "--model",
    metavar="NAME|FILE",
    default=None,
    show_default=False,
    help="Also say whether two images are what this model was trained for: bands and pixel size.",
)
@pairing_options
@json_option
@quiet_option
@verbose_option
def check(paths: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
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
    report: SetReport | PairReport
    if len(paths) == 2:
        report = _check_pair(*paths, options)
    else:
        report = _check_set(Path(paths[0]), options, Terminal(options["quiet"]))
    ctx.exit(1 if report.problems else 0)


def _refuse_foreign_options(ctx: click.Context, *, of_a_pair: bool) -> None:
    """Options of the other kind of check would be left unused without a word."""
    for param in ctx.command.params:
        name = param.name or ""
        foreign = name in FOR_SETS if of_a_pair else name not in FOR_BOTH | FOR_SETS
        if foreign and ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            kind = "one labelled set" if of_a_pair else "two images"
            raise click.UsageError(f"{param.opts[-1]} is for {kind}.")


def _check_pair(before: str, after: str, options: dict[str, Any]) -> "PairReport":
    from scdcli.cli.tables.pair import show_pair
    from scdcli.prediction.check import MODEL_BANDS, check_pair

    model = _load(options["model"])
    settings = given_settings(options, model.expected.bands if model else MODEL_BANDS)
    settings = replace(settings, levels=model.levels if model else None)
    report = check_pair(
        before,
        after,
        settings,
        coregister=options["coregister"],
        expected=model.expected if model else None,
    )
    if options["json"]:
        click.echo(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        show_pair(report)
    return report


def _load(model: str | None) -> "LoadedModel | None":
    if model is None:
        return None
    from scdcli.models.checkpoint import load_model  # imports torch, which nothing else here needs

    return load_model(model)


def _check_set(dataset: Path, options: dict[str, Any], terminal: Terminal) -> "SetReport":
    from scdcli.cli.tables.dataset import show_set
    from scdcli.datasets.whole import check_set

    with terminal.progress("looking through the labels", None) as bar:
        report = check_set(dataset, options["legend"], options["bands"] or None, bar.update)
    if options["json"]:
        click.echo(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        show_set(report)
    return report
