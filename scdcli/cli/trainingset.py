"""The data of ``scd train``: samples, legend and bands from its options, looked through first."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from scdcli.cli.options.shared import Command, bands_option, fine_first, legend_option
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.datasets.samples import Sample
    from scdcli.datasets.union import Member
    from scdcli.legend import Legend


class TrainingSet(NamedTuple):
    """What is trained on.

    Attributes:
        names: What the sets are called.
        samples: For training; a scene as often as chips are drawn from it in an epoch.
        validation: For choosing the best epoch; windows of scenes.
        legend: Classes of the labels.
        bands: Band numbers read of every image, from 1.
        cover: Whether classes are learnt on every pixel where the land cover is known.
        pixel_size: Of the finest and the coarsest training pixels, in meters; None if not known.
        sets: Of several sets, what each gives, for the record.
    """

    names: list[str]
    samples: "list[Sample]"
    validation: "list[Sample]"
    legend: "Legend"
    bands: tuple[int, ...]
    cover: bool
    pixel_size: tuple[float, float] | None
    sets: dict[str, dict[str, int]] | None


def _whole_numbers(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    if text is None:
        return None
    counts = [each.strip() for each in text.split(",")]
    if not all(each.isdecimal() and int(each) > 0 for each in counts):
        raise click.BadParameter(f"{text!r}: give whole numbers from 1, for example 3,1")
    return tuple(int(each) for each in counts)


DATA = (
    bands_option,
    legend_option,
    click.option(
        "--val-share",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.05,
        help="Share of each set's training pairs held out to choose the best epoch, unless a set "
        "has a val folder or there is a split file; 0 for none. The test split is never touched.",
    ),
    click.option(
        "--split-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        default=None,
        show_default=False,
        help="Which pairs of the training folder train and which validate: a table with the "
        "columns name,split (train, val or test), or a name per line (these train, the others "
        "validate). Of several sets a name is SET/NAME.",
    ),
    click.option(
        "--repeat",
        metavar="N[,N...]",
        default=None,
        show_default="1 each",
        callback=_whole_numbers,
        help="How often the pairs of each DATASET come in an epoch, each time drawn differently.",
    ),
    click.option(
        "--chips-per-epoch",
        type=click.IntRange(min=1),
        default=None,
        show_default="area / chip²",
        help="Windows drawn from large scenes in an epoch, of all sets together.",
    ),
    click.option(
        "--pixel-size",
        type=(click.FloatRange(0, min_open=True), click.FloatRange(0, min_open=True)),
        default=None,
        show_default="as the images say",
        callback=fine_first,
        help="Finest and coarsest pixels in meters, of images without a georeference. The model "
        "then warns where it is given others.",
    ),
)


def data_options(command: Command) -> Command:
    """All options that say what is trained on; `training_set` takes them."""
    for option in reversed(DATA):
        command = option(command)
    return command


def training_set(
    datasets: Sequence[Path],
    options: dict[str, Any],
    terminal: Terminal,
    *,
    look: bool = True,
    count: int | None = None,
) -> TrainingSet:
    """The sets in some folders as one.

    Args:
        datasets: The folders.
        options: Values of `DATA`, and of seed, chip and cover.
        terminal: Where notes go.
        look: Look through all labels first; in one process of several is enough.
        count: How many bands the model to start from reads.

    Raises:
        DatasetError: A folder holds no set, or one with problems, or sets do not go together.
    """
    from scdcli.datasets import union
    from scdcli.datasets.division import lattice, share_out
    from scdcli.datasets.pixelsizes import pixel_sizes
    from scdcli.datasets.samples import require_none

    often = _repeats(options["repeat"], len(datasets))
    by_file = options["split_file"]
    members = union.find_members(datasets, val=not by_file)
    problems = [problem for member in members for problem in member.problems]
    where = " and ".join(str(each) for each in datasets)
    if not look or not all(member.train for member in members):
        require_none(problems, f"{where} {'is' if len(members) == 1 else 'are'} incomplete")
    legend = union.shared_legend(members, options["legend"])
    members = union.with_shared_bands(members, options["bands"], count)
    bands = members[0].train[0].bands or ()
    if by_file:
        members = _divided(members, by_file, terminal)
    cover = _covered(members, options["cover"])
    if look:
        problems += _look_through(members, legend, terminal)
        require_none(problems, f"{where} cannot be trained on")
    if not by_file:
        members = union.hold_out(members, options["val_share"], options["seed"])
    pixels = pixel_sizes(
        (each for member in members for each in member.train), options["pixel_size"]
    )
    samples = [each for member, n in zip(members, often, strict=True) for each in member.train * n]
    samples = share_out(samples, options["chip"], options["chips_per_epoch"])
    held_out = lattice([each for member in members for each in member.validation])
    names = [member.name for member in members]
    sets = _recorded(members, often) if len(members) > 1 or often != (1,) else None
    return TrainingSet(names, samples, held_out, legend, bands, cover, pixels, sets)


def describe(data: TrainingSet, where: str) -> list[str]:
    """Lines that say what is trained on, and where."""
    lines = [
        f"{name}: {each['pairs']} training pairs{_times(each['repeat'])} and "
        f"{each['validation_pairs']} validation pairs."
        for name, each in (data.sets or {}).items()
    ]
    if data.pixel_size is None:
        lines.append(
            "How large the pixels are on the ground is not known: the model cannot warn of images "
            "that it was not trained for; say it with --pixel-size."
        )
    source = data.names[0] if len(data.names) == 1 else f"{len(data.names)} sets"
    return [
        *lines,
        f"{len(data.samples)} training and {len(data.validation)} validation pairs of {source}; "
        f"classes learnt on {_learnt_on(data)}; {where}.",
    ]


def _times(repeat: int) -> str:
    return "" if repeat == 1 else f", {repeat} times in an epoch,"


def _learnt_on(data: TrainingSet) -> str:
    covered = sum(data.cover and each.from_cover is not None for each in data.samples)
    if not covered:
        return "changed pixels"
    others = len(data.samples) - covered
    return f"every pixel{f' of {covered} pairs, changed pixels of {others}' if others else ''}"


def _repeats(asked: tuple[int, ...] | None, sets: int) -> tuple[int, ...]:
    often = asked or (1,) * sets
    if len(often) != sets:
        raise click.UsageError(
            f"--repeat has {len(often)} {'number' if len(often) == 1 else 'numbers'} for {sets} "
            f"{'set' if sets == 1 else 'sets'}; give one for each, in the order of the sets."
        )
    return often


def _divided(members: "list[Member]", split_file: Path, terminal: Terminal) -> "list[Member]":
    """What trains and validates, as a file says."""
    from scdcli.datasets.union import divided_by

    found, not_named = divided_by(members, split_file)
    if not_named:
        terminal.note(f"{not_named} pairs that {split_file.name} does not name are left out.")
    return found


def _covered(members: "Sequence[Member]", asked: bool | None) -> bool:
    """Whether to learn classes on every pixel where the land cover is known."""
    from scdcli.errors import DatasetError

    has_cover = any(each.from_cover for member in members for each in member.train)
    if asked and not has_cover:
        names = " and ".join(str(member.root) for member in members)
        raise DatasetError(f"{names}: no cover1 and cover2 there; leave --cover out.")
    return has_cover if asked is None else asked


def _recorded(members: "Sequence[Member]", often: Sequence[int]) -> dict[str, dict[str, int]]:
    return {
        member.name: {
            "pairs": len(member.train),
            "validation_pairs": len(member.validation),
            "repeat": n,
        }
        for member, n in zip(members, often, strict=True)
    }


def _look_through(members: "Sequence[Member]", legend: "Legend", terminal: Terminal) -> list[str]:
    """What would stop the training, perhaps after hours."""
    from scdcli.datasets.scan import scan

    samples = [each for member in members for each in (*member.train, *member.validation)]
    with terminal.progress("looking through the labels", len(samples)) as bar:
        return scan(samples, legend, progress=bar.update).problems
