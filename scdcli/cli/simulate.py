"""``scd simulate``: a drawn world that changes, as a demo scene or a labelled set."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options.shared import (
    Command,
    fine_first,
    overwrite_option,
    quiet_option,
    verbose_option,
)
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.legend import Legend
    from scdcli.simulation.composed import Composer

OPTIONS = (
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
        default=None,
        show_default="urban, of drawn pairs second",
        help="Classes of the set: second or urban, or for labels a legend file.",
    ),
    click.option(
        "--pixel-size",
        type=(click.FloatRange(0, min_open=True), click.FloatRange(0, min_open=True)),
        default=None,
        callback=fine_first,
        show_default="0.5 1.2",
        help="Finest and coarsest pixels of the pairs made from labels, in meters.",
    ),
    click.option(
        "--change",
        type=click.FloatRange(0, 0.6),
        default=None,
        show_default="0.2",
        help="Share of changed pixels to aim at, on average, where something changed.",
    ),
    click.option(
        "--unchanged",
        type=click.FloatRange(0, 1),
        default=None,
        show_default="0.2",
        help="Share of pairs made from labels in which nothing changed.",
    ),
    click.option(
        "--strength",
        type=click.FloatRange(0, 2),
        default=None,
        show_default="1",
        help="Of the differences that are no change: 0 none, 1 as between real dates.",
    ),
)
COMPOSED = ("pixel_size", "change", "unchanged", "strength")


def label_options(command: Command) -> Command:
    """All options that say what pairs are made from; `label_sources` takes them."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def label_sources(
    options: dict[str, Any], pairs: int | None, size: int, terminal: Terminal
) -> "Composer | None":
    """What composes pairs of labelled images; None where the drawn world is asked for."""
    folders, keys = options["folders"], options["keys"]
    if not folders:
        own = options.keys() - {"legend"}  # which the drawn world takes too
        given = [name for name in options if name in own and options[name] not in (None, ())]
        if given:
            option = {"keys": "source"}.get(given[0], given[0].replace("_", "-"))
            raise click.UsageError(f"--{option} is for pairs made from labels; add --from-labels.")
        return None
    if pairs is None:
        raise click.UsageError("--from-labels needs --pairs: how many to make.")
    if len(keys) not in (0, 1, len(folders)):
        raise click.UsageError(
            f"{len(folders)} folders with --from-labels and {len(keys)} --source; give one for "
            "all, or one for each in the same order."
        )
    from scdcli.datasets.legendfile import find_legend
    from scdcli.simulation.compose.compose import Composition
    from scdcli.simulation.composed import open_composer
    from scdcli.simulation.sources import Source, SourceKey, find_source

    legend = find_legend(options["legend"] or "urban")
    meanings: list[SourceKey | None] = [find_source(key, legend) for key in keys] or [None]
    if len(meanings) == 1:
        meanings *= len(folders)
    sources = [Source(folder, key) for folder, key in zip(folders, meanings, strict=True)]
    chosen = {name: options[name] for name in COMPOSED if options[name] is not None}
    terminal.note("Looking through the labelled images.")
    composer = open_composer(sources, legend, Composition(size=size, **chosen))
    for doubt in composer.doubts:
        terminal.note(f"Warning: {doubt}")
    return composer


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    default=None,
    show_default=False,
    help="Write a labelled set of so many pairs; without it, one georeferenced demo scene.",
)
@click.option(
    "--size",
    type=click.IntRange(min=128),
    default=None,
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
    default=None,
    show_default="0; the demo scene has its own",
    help="Which world.",
)
@label_options
@overwrite_option
@quiet_option
@verbose_option
def simulate(
    out: Path,
    pairs: int | None,
    size: int | None,
    split: str,
    workers: int,
    seed: int | None,
    overwrite: bool,
    quiet: bool,
    **labels: Any,  # noqa: ANN401
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
    scd simulate town --from-labels labelled --legend urban --source key.toml --pairs 1000
    """
    from scdcli.legend import SECOND, URBAN
    from scdcli.simulation.composed import shortfall, write_composed
    from scdcli.simulation.drawn import DEMO_SEED, DEMO_SIZE, PAIR_SIZE, write_demo, write_pairs

    terminal = Terminal(quiet)
    composed = label_sources(labels, pairs, size or PAIR_SIZE, terminal)
    if pairs is None:
        write_demo(
            out,
            seed=DEMO_SEED if seed is None else seed,
            size=size or DEMO_SIZE,
            legend=_world_legend(labels["legend"] or URBAN.name),
            overwrite=overwrite,
        )
        click.echo(out)
        return
    how: dict[str, Any] = {"seed": seed or 0, "split": split}
    how |= {"workers": workers, "overwrite": overwrite}
    with terminal.progress("pairs", pairs) as bar:
        if composed:
            made = write_composed(out, composed, pairs, **how, progress=bar.update)
        else:
            how |= {
                "size": size or PAIR_SIZE,
                "legend": _world_legend(labels["legend"] or SECOND.name),
            }
            write_pairs(out, pairs, **how, progress=bar.update)
    if composed and (doubt := shortfall(composed.settings, made)):
        terminal.note(f"Warning: {doubt}")
    click.echo(out / split)


def _world_legend(name: str) -> "Legend":
    """The legend that the world is drawn in."""
    from scdcli.errors import UnknownName
    from scdcli.legend import LEGENDS
    from scdcli.simulation.drawn import WORLD_LEGENDS

    if name not in WORLD_LEGENDS:
        raise UnknownName("legend of the drawn world", name, WORLD_LEGENDS)
    return LEGENDS[name]
