"""The data of ``scd train``: samples, legend and bands from its options, looked through first."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from scdcli.cli.options import Command, bands_option, legend_option
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.labelled.samples import Sample
    from scdcli.legend import Legend


class TrainingSet(NamedTuple):
    """What is trained on.

    Attributes:
        samples: For training; a scene as often as chips are drawn from it in an epoch.
        validation: For choosing the best epoch; windows of scenes.
        legend: Classes of the labels.
        bands: Band numbers read of every image, from 1.
        cover: Whether classes are learnt on every pixel.
    """

    samples: "list[Sample]"
    validation: "list[Sample]"
    legend: "Legend"
    bands: tuple[int, ...]
    cover: bool


DATA = (
    bands_option,
    legend_option,
    click.option(
        "--val-share",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.05,
        help="Share of the training pairs held out to choose the best epoch, unless there is a val "
        "folder or a split file; 0 for none. The test split is never touched.",
    ),
    click.option(
        "--split-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        default=None,
        show_default=False,
        help="Which pairs of the training folder train and which validate: a table with the "
        "columns name,split (train, val or test), or a name per line (these train, the others "
        "validate).",
    ),
    click.option(
        "--chips-per-epoch",
        type=click.IntRange(min=1),
        default=None,
        show_default="area / chip²",
        help="Windows drawn from large scenes in an epoch; other pairs come once.",
    ),
)


def data_options(command: Command) -> Command:
    """All options that say what is trained on; `training_set` takes them."""
    for option in reversed(DATA):
        command = option(command)
    return command


def training_set(
    dataset: Path, options: dict[str, Any], terminal: Terminal, *, look: bool = True
) -> TrainingSet:
    """The set in a folder.

    Args:
        dataset: The folder.
        options: Values of `DATA`, and of seed, chip and cover.
        terminal: Where notes go.
        look: Look through all labels first; in one process of several is enough.

    Raises:
        DatasetError: The folder holds no set, or one with problems.
    """
    from scdcli.errors import DatasetError
    from scdcli.labelled.division import lattice, share_out, split_validation
    from scdcli.labelled.layouts import find_split, list_samples, no_set
    from scdcli.labelled.samples import require_none
    from scdcli.labelled.whole import set_legend, shared_bands

    folder = find_split(dataset, "train")
    if folder is None:
        raise no_set(dataset)
    samples, problems = list_samples(folder)
    by_file = options["split_file"]
    val_folder = None if by_file else find_split(dataset, "val")
    held_out, more = list_samples(val_folder) if val_folder else ([], [])
    problems = [*problems, *more]
    if not look or not samples:
        require_none(problems, f"{dataset} is incomplete")
    if by_file:
        samples, held_out = _divided(samples, by_file, terminal)
    legend = set_legend(samples[0], options["legend"])
    bands = shared_bands(samples[0], options["bands"])
    samples, held_out = (
        [replace(sample, bands=bands) for sample in each] for each in (samples, held_out)
    )
    has_cover = all(sample.from_cover for sample in samples)
    cover = has_cover if options["cover"] is None else options["cover"]
    if cover and not has_cover:
        raise DatasetError(f"{folder} has no cover1 and cover2; leave --cover out.")
    if look:
        problems += _look_through([*samples, *held_out], legend, terminal)
        require_none(problems, f"{dataset} cannot be trained on")
    if not (val_folder or by_file):
        samples, held_out = split_validation(samples, options["val_share"], options["seed"])
    samples = share_out(samples, options["chip"], options["chips_per_epoch"])
    return TrainingSet(samples, lattice(held_out), legend, bands, cover)


def _divided(
    samples: "list[Sample]", split_file: Path, terminal: Terminal
) -> "tuple[list[Sample], list[Sample]]":
    """Training and validation samples, as a file says."""
    from scdcli.labelled.splitfile import divide

    found = divide(samples, split_file)
    if found.not_named:
        terminal.note(f"{found.not_named} pairs that {split_file.name} does not name are left out.")
    return found.train, found.validation


def _look_through(samples: "list[Sample]", legend: "Legend", terminal: Terminal) -> list[str]:
    """What would stop the training, perhaps after hours."""
    from scdcli.labelled.scan import scan

    with terminal.progress("looking through the labels", len(samples)) as bar:
        return scan(samples, legend, progress=bar.update).problems
