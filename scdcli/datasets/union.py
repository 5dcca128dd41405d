"""Several labelled sets that train together as one: the same classes, as many bands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scdcli.datasets.division import divide, split_validation
from scdcli.datasets.layouts import find_split, list_samples, no_set
from scdcli.datasets.samples import Sample
from scdcli.datasets.whole import set_legend, shared_bands
from scdcli.errors import DatasetError
from scdcli.legend import Legend
from scdcli.rasters.pair.bands import BandNames


@dataclass(frozen=True)
class Member:
    """One of the sets.

    Attributes:
        name: Its folder's name, with as many folders above as tell it from the other sets.
        root: Its folder.
        train: What it gives to train on; of several sets, with the set's name before a pair's.
        validation: What it gives to validate on.
        has_val: Whether it has a val folder.
        problems: What is incomplete in it, as sentences.
    """

    name: str
    root: Path
    train: list[Sample]
    validation: list[Sample]
    has_val: bool
    problems: list[str]


def find_members(roots: Sequence[Path], *, val: bool = True) -> list[Member]:
    """The sets in some folders, each in its own layout.

    Raises:
        DatasetError: A folder holds no set, or is there twice.
    """
    names = set_names(roots)
    return [_member(root, name, val, len(roots)) for root, name in zip(roots, names, strict=True)]


def set_names(roots: Sequence[Path]) -> list[str]:
    """The last folders of each path, as many as tell it from all others.

    Example: ``mine/train``, ``drawn/train`` and ``world`` keep these names.

    Raises:
        DatasetError: A folder is there twice.
    """
    whole = [root.resolve() for root in roots]
    for place, root in enumerate(whole):
        if root in whole[:place]:
            raise DatasetError(
                f"{roots[place]} is given twice; give each set once, and say with --repeat how "
                "often its pairs come in an epoch."
            )
    return [_short(root, [other for other in whole if other != root]) for root in whole]


def union_legend(members: Sequence[Member], asked: str | None, *, binary: bool = False) -> Legend:
    """The legend asked for, or the one that the labels of all sets have.

    Colors may differ: labels in colors, too, are read by what they say of themselves. With
    ``binary`` all labels are masks of change.

    Raises:
        UnknownName: No such legend.
        DatasetError: Labels do not say what their numbers mean, or the sets have other classes.
    """
    legends = [set_legend(member.train[0], asked, binary=binary) for member in members]
    first = legends[0].names
    for member, legend in zip(members, legends, strict=True):
        if legend.names != first:
            raise DatasetError(
                f"{members[0].name} has the classes {', '.join(first)} and {member.name} has "
                f"{', '.join(legend.names)}; sets that train together have the same classes in "
                "the same order: give labels of one legend."
            )
    return legends[0]


def with_shared_bands(
    members: Sequence[Member], asked: BandNames | None, count: int | None = None
) -> list[Member]:
    """The sets with the bands that are read of every image.

    Args:
        members: The sets.
        asked: Numbers or names of bands; all but alpha by default.
        count: How many the model to start from reads, to take red, green and blue of more.

    Raises:
        DatasetError: The sets have different numbers of bands.
        PairError: The first pair of a set has not the bands asked for.
    """
    chosen = []
    for member in members:
        bands = shared_bands(member.train[0], asked, count)
        train, validation = (
            [replace(sample, bands=bands) for sample in each]
            for each in (member.train, member.validation)
        )
        chosen.append(replace(member, train=train, validation=validation))
    first = chosen[0].train[0].bands or ()
    for member in chosen:
        bands = member.train[0].bands or ()
        if len(bands) != len(first):
            raise DatasetError(
                f"{chosen[0].name} has {len(first)} bands and {member.name} has {len(bands)}; sets "
                "that train together have as many: choose some of each with --bands, for example "
                f"--bands {','.join(map(str, range(1, 1 + min(len(first), len(bands)))))}."
            )
    return chosen


def divide_by_file(members: Sequence[Member], path: Path) -> tuple[list[Member], int]:
    """The sets divided by a file, and how many pairs it does not name.

    Raises:
        DatasetError: The file names pairs that are not there, or none to train on.
        InputError: It cannot be read.
    """
    division = divide([sample for member in members for sample in member.train], path)
    train, validation = set(division.train), set(division.validation)
    return [
        replace(
            member,
            train=[sample for sample in member.train if sample in train],
            validation=[sample for sample in member.train if sample in validation],
        )
        for member in members
    ], division.unnamed


def hold_out(members: Sequence[Member], share: float, seed: int) -> list[Member]:
    """The sets with pairs for validation: val folders alone if there is any, else a share of each.

    Raises:
        DatasetError: Nothing of a set would be left to train on.
    """
    if any(member.has_val for member in members):
        return list(members)
    return [_held_out(member, share, seed, alone=len(members) == 1) for member in members]


def _held_out(member: Member, share: float, seed: int, *, alone: bool) -> Member:
    try:
        train, validation = split_validation(member.train, share, seed)
    except DatasetError as error:
        raise error if alone else DatasetError(f"{member.name}: {error}") from error
    return replace(member, train=train, validation=validation)


def _member(root: Path, name: str, val: bool, sets: int) -> Member:
    folder = find_split(root, "train")
    if folder is None:
        raise no_set(root)
    val_folder = find_split(root, "val") if val else None
    train, problems = list_samples(folder)
    validation, more = list_samples(val_folder) if val_folder else ([], [])
    if sets > 1:
        train, validation = (
            [replace(sample, name=f"{name}/{sample.name}") for sample in each]
            for each in (train, validation)
        )
    return Member(name, root, train, validation, val_folder is not None, [*problems, *more])


def _short(root: Path, others: Sequence[Path]) -> str:
    for count in range(1, len(root.parts)):
        if all(other.parts[-count:] != root.parts[-count:] for other in others):
            return "/".join(root.parts[-count:])
    return root.as_posix()
