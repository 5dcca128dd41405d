"""``scd simulate``: a drawn world that changes, as a demo scene or a labelled set."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options.shared import (
    fine_first,
    gathered,
    overwrite_option,
    quiet_and_verbose,
    together,
)
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.simulation.job import LabelSettings

label_options = together(
    click.option(
        "--from-labels",
        "folders",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        multiple=True,
        help="Folder with images/ and labels/ or masks/, or of such folders; may be given several "
        "times.",
    ),
    click.option(
        "--source",
        "keys",
        metavar="dubai|monterey|banepa|FILE",
        multiple=True,
        show_default="as the legend says",
        help="What the labels of --from-labels mean: a TOML file with the colors or values of each "
        "class, or a known set; once for all folders, or once for each in their order.",
    ),
    click.option(
        "--legend",
        metavar="NAME|FILE",
        show_default="urban, of drawn pairs second",
        help="Classes of the set: second or urban, or for labels a legend file.",
    ),
    click.option(
        "--pixel-size",
        type=(click.FloatRange(0, min_open=True), click.FloatRange(0, min_open=True)),
        callback=fine_first,
        show_default="0.5 1.2",
        help="Finest and coarsest pixels of the pairs made from labels, in meters.",
    ),
    click.option(
        "--change",
        type=click.FloatRange(0, 0.6),
        show_default="0.2",
        help="Share of changed pixels to aim at, on average, where something changed.",
    ),
    click.option(
        "--unchanged",
        type=click.FloatRange(0, 1),
        show_default="0.2",
        help="Share of pairs made from labels in which nothing changed.",
    ),
    click.option(
        "--strength",
        type=click.FloatRange(0, 2),
        show_default="1",
        help="Of the differences that are no change: 0 none, 1 as between real dates.",
    ),
)


def _label_settings(**values: Any) -> "LabelSettings":  # noqa: ANN401
    from scdcli.simulation.job import LabelSettings

    return LabelSettings(**values)


NOTHING_KEPT = (
    "Nothing is kept: a split appears when all its pairs are made. Of many, make several splits "
    "(--split), and train on them together."
)


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    help="Write a labelled set of so many pairs; without it, one georeferenced demo scene.",
)
@click.option(
    "--size",
    type=click.IntRange(min=128),
    show_default="512, demo scene 1600",
    help="Side of a pair in pixels.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    default="train",
    help="Split the pairs belong to; another split is other pairs.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, help="Processes; the result is the same."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    show_default="0; the demo scene has its own",
    help="Which world.",
)
@label_options
@overwrite_option
@quiet_and_verbose
@gathered(
    "labels",
    _label_settings,
    ("folders", "keys", "pixel_size", "change", "unchanged", "strength"),
)
def simulate(
    out: Path,
    pairs: int | None,
    size: int | None,
    split: str,
    workers: int,
    seed: int | None,
    legend: str | None,
    overwrite: bool,
    quiet: bool,
    labels: "LabelSettings",
) -> None:
    """Make labelled pairs: of a drawn world, or from labelled images of one date.

    Without --from-labels, a plausible aerial world is drawn at two dates. Without --pairs too, OUT
    becomes a demo scene in the classes of the default model: before.tif, after.tif and the truth.
    With --pairs, OUT/SPLIT becomes a labelled set that scd train and scd evaluate read; the land
    cover of every pixel lies in cover1 and cover2. The same seed gives the same pictures.

    With --from-labels, changes are put into real places: buildings, water, vegetation, roads and
    blocks of one place into another, and buildings taken away; and both dates get the differences
    that are not change: light, season, haze, sharpness, shadows, registration.

    \b
    scd simulate demo
    scd simulate world --pairs 1000 --workers 2
    scd simulate world --pairs 200 --split test
    scd simulate town --from-labels labelled --source key.toml --pairs 1000
    """
    from scdcli.simulation.composed import shortfall
    from scdcli.simulation.job import SimulationJob

    _require_usable(labels, pairs)
    job = SimulationJob(out, size, split, workers, seed, legend, labels, overwrite)
    terminal = Terminal(quiet)
    if labels.folders:
        terminal.note("Looking through the labelled images.")
    composer = job.composer()
    for warning in composer.warnings if composer else ():
        terminal.note(f"Warning: {warning}")
    stopped = terminal.when_stopped(lambda: NOTHING_KEPT)
    if pairs is None:
        with stopped:
            job.write_demo()
        click.echo(out)
        return
    with stopped, terminal.progress("pairs", pairs) as bar:
        made = job.write_pairs(pairs, composer, bar.update)
    if composer and (too_little := shortfall(composer.settings, made)):
        terminal.note(f"Warning: {too_little}")
    click.echo(out / split)


def _require_usable(labels: "LabelSettings", pairs: int | None) -> None:
    """Refuse options that do not go together."""
    folders, keys = labels.folders, labels.keys
    if not folders:
        given = [name for name, value in vars(labels).items() if value not in (None, ())]
        if given:
            option = {"keys": "source"}.get(given[0], given[0].replace("_", "-"))
            raise click.UsageError(f"--{option} is for pairs made from labels; add --from-labels.")
        return
    if pairs is None:
        raise click.UsageError("--from-labels needs --pairs: how many to make.")
    if len(keys) not in (0, 1, len(folders)):
        raise click.UsageError(
            f"{len(folders)} folders with --from-labels and {len(keys)} --source; give one for "
            "all, or one for each in the same order."
        )
