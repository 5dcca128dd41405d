"""Labelled images of one date to make pairs from: the options of ``scd simulate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options.shared import Command, fine_first
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
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
    from scdcli.simulation.sourcekeys import SourceKey, find_source
    from scdcli.simulation.sources import Source

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
