"""The data of a training: samples, legend and bands of one set or several, looked through first."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from scdcli.datasets import union
from scdcli.datasets.division import lattice, share_out
from scdcli.datasets.pixelsizes import pixel_sizes
from scdcli.datasets.samples import Sample, require_none
from scdcli.datasets.scan import Watch, learns_nothing, notes, scan
from scdcli.datasets.union import Member, divide_by_file
from scdcli.errors import DatasetError
from scdcli.legend import Legend
from scdcli.rasters.pair.bands import BandNames
from scdcli.training.settings import DataSettings


class TrainingSet(NamedTuple):
    """One labelled set or several, as a training uses them.

    Attributes:
        samples: The training pairs; a scene as often as chips are drawn from it in an epoch.
        validation: The pairs held out for choosing the best epoch; windows of scenes.
        legend: Classes of the labels.
        names: The names of the sets.
        bands: Bands read of every image, numbers from 1 or names.
        cover: Whether classes are learnt on every pixel where the land cover is known.
        pixel_size: Ground resolution of the finest and of the coarsest training images, in meters;
            None if it is not known.
        sets: How many pairs each of several sets gives, for the record; a resumed run must have
            the same.
    """

    samples: list[Sample]
    validation: list[Sample]
    legend: Legend
    names: Sequence[str] = ()
    bands: BandNames = ()
    cover: bool = False
    pixel_size: tuple[float, float] | None = None
    sets: dict[str, dict[str, int]] | None = None


def training_set(
    datasets: Sequence[Path],
    settings: DataSettings,
    note: Callable[[str], None],
    watch: Watch,
    *,
    chip: int,
    seed: int = 0,
    look: bool = True,
    count: int | None = None,
) -> TrainingSet:
    """Find the labelled sets in some folders and join them into one.

    Args:
        datasets: The folders.
        settings: Which pairs, bands and classes are used.
        note: Called with a sentence about what is left out.
        watch: Opens a progress by its title and the number of pairs to look through.
        chip: Side in pixels of the windows that are drawn.
        seed: Random seed of the choice of pairs that are held out.
        look: Whether to look through all labels first; one process of several is enough.
        count: Number of bands that the model to start from reads.

    Raises:
        DatasetError: A folder holds no set, or one with problems, or sets do not go together.
    """
    repeat = settings.repeat or (1,) * len(datasets)
    by_file = settings.split_file
    members = union.find_members(datasets, val=not by_file)
    problems = [problem for member in members for problem in member.problems]
    where = " and ".join(str(each) for each in datasets)
    if not look or not all(member.train for member in members):
        require_none(problems, f"{where} {'is' if len(members) == 1 else 'are'} incomplete")
    legend = union.union_legend(members, settings.legend, binary=settings.binary)
    members = union.with_shared_bands(members, settings.bands, count)
    bands = members[0].train[0].bands or ()
    if by_file:
        members = _divided(members, by_file, note)
    cover = _covered(members, settings.cover)
    if look:
        problems += _look_through(members, legend, note, watch)
        require_none(problems, f"{where} cannot be trained on")
    if not by_file:
        members = union.hold_out(members, settings.val_share, seed)
    pixels = pixel_sizes((each for member in members for each in member.train), settings.pixel_size)
    samples = [each for member, n in zip(members, repeat, strict=True) for each in member.train * n]
    samples = share_out(samples, chip, settings.chips_per_epoch)
    held_out = lattice([each for member in members for each in member.validation])
    names = [member.name for member in members]
    sets = _recorded(members, repeat) if len(members) > 1 or repeat != (1,) else None
    return TrainingSet(samples, held_out, legend, names, bands, cover, pixels, sets)


def describe(data: TrainingSet, where: str) -> list[str]:
    """Lines for the user: how many pairs of which sets are trained on, and where."""
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
    if data.legend.coding.mask:
        return "no pixel, change on every one"
    covered = sum(data.cover and each.from_cover is not None for each in data.samples)
    if not covered:
        return "changed pixels"
    others = len(data.samples) - covered
    return f"every pixel{f' of {covered} pairs, changed pixels of {others}' if others else ''}"


def _divided(members: list[Member], split_file: Path, note: Callable[[str], None]) -> list[Member]:
    """The sets divided into training and validation pairs by a file."""
    divided, unnamed = divide_by_file(members, split_file)
    if unnamed:
        note(f"{unnamed} pairs that {split_file.name} does not name are left out.")
    return divided


def _covered(members: Sequence[Member], asked: bool | None) -> bool:
    """Whether to learn classes on every pixel where the land cover is known."""
    has_cover = any(each.from_cover for member in members for each in member.train)
    if asked and not has_cover:
        names = " and ".join(str(member.root) for member in members)
        raise DatasetError(f"{names}: no cover1 and cover2 there; leave --cover out.")
    return has_cover if asked is None else asked


def _recorded(members: Sequence[Member], repeat: Sequence[int]) -> dict[str, dict[str, int]]:
    return {
        member.name: {
            "pairs": len(member.train),
            "validation_pairs": len(member.validation),
            "repeat": n,
        }
        for member, n in zip(members, repeat, strict=True)
    }


def _look_through(
    members: Sequence[Member], legend: Legend, note: Callable[[str], None], watch: Watch
) -> list[str]:
    """What would stop the training, perhaps after hours, as sentences; the rest is noted."""
    samples = [each for member in members for each in (*member.train, *member.validation)]
    with watch("looking through the labels", len(samples)) as progress:
        result = scan(samples, legend, progress=progress)
    for sentence in notes(result, legend):
        note(sentence)
    where = " and ".join(str(member.root) for member in members)
    return result.problems or learns_nothing(result, legend, where)
