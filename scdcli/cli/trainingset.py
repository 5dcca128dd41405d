"""The data of ``scd train``: samples, legend and bands from its options, looked through first."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from scdcli.cli.options import Command, bands_option, legend_option
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.legend import Legend
    from scdcli.samples import Sample


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
        "folder; 0 for none. The test split is never touched.",
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
    from scdcli.division import lattice, share_out, split_validation
    from scdcli.errors import DatasetError
    from scdcli.layouts import find_samples, find_split, no_set

    folder = find_split(dataset, "train")
    if folder is None:
        raise no_set(dataset)
    samples = find_samples(folder)
    val_folder = find_split(dataset, "val")
    held_out = find_samples(val_folder) if val_folder else []
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
        _look_through(dataset, [*samples, *held_out], legend, terminal)
    if val_folder is None:
        samples, held_out = split_validation(samples, options["val_share"], options["seed"])
    samples = share_out(samples, options["chip"], options["chips_per_epoch"])
    return TrainingSet(samples, lattice(held_out), legend, bands, cover)


def set_legend(sample: "Sample", name: str | None) -> "Legend":
    """The legend asked for, or the one that the labels carry or have the colors of.

    Raises:
        DatasetError: The labels do not say what their numbers mean.
    """
    from scdcli.errors import DatasetError
    from scdcli.labels import open_label
    from scdcli.legendfile import find_legend
    from scdcli.scenelabels import is_drawn

    if name:
        return find_legend(name)
    label = sample.from_label
    if is_drawn(label):
        raise DatasetError(
            f"{label} holds polygons, whose numbers and names of classes need a legend; say which "
            "with --legend, a built-in name or a file."
        )
    with open_label(label) as opened:
        if opened.legend is None:
            raise DatasetError(
                f"{label} holds indices, and copies of one set differ in their order; say which "
                "classes they are with --legend, for example --legend second if 1 is water, "
                "2 n.v.g. surface, 3 low vegetation, 4 tree, 5 building and 6 playground."
            )
        return opened.legend


def shared_bands(sample: "Sample", asked: tuple[int, ...]) -> tuple[int, ...]:
    """The bands asked for, or all of the first pair but alpha.

    Raises:
        PairError: The first pair has not those bands, or its images have different ones.
    """
    from scdcli.bands import choose_bands
    from scdcli.raster import Scene, open_scene, scene_grid

    with open_scene(sample.before) as first, open_scene(sample.after) as second:
        scenes = [
            Scene(path, each, scene_grid(each, path))
            for path, each in ((sample.before, first), (sample.after, second))
        ]
        return choose_bands(scenes[0], scenes[1], asked or None)


def _look_through(
    dataset: Path, samples: "list[Sample]", legend: "Legend", terminal: Terminal
) -> None:
    """Stop here with what would stop the training, perhaps after hours."""
    from scdcli.datasetscan import scan
    from scdcli.samples import require_none

    with terminal.progress("looking through the labels", len(samples)) as bar:
        found = scan(samples, legend, progress=bar.update)
    require_none(found.problems, f"{dataset} cannot be trained on")
