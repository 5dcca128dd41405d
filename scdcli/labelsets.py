"""Where the class maps of a set lie: each known shape of folder as names and files."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scdcli.errors import DatasetError
from scdcli.stems import SUFFIXES, by_stem

SPLITS = ("train", "val", "test")
MAPS = ("from.tif", "to.tif")
TRUTH_FOLDER = "truth"
NAMES_SHOWN = 10

Files = tuple[Path, Path]
"""Two files of one place: from and to, or before and after."""


@dataclass(frozen=True)
class LabelSet:
    """The class maps of a set.

    Attributes:
        root: The folder that was given.
        maps: From and to map per name, in order of the names.
        single: Whether the folder is itself one pair, whose name says nothing.
        note: What was chosen where the folder left a choice.
    """

    root: Path
    maps: dict[str, Files]
    single: bool = False
    note: str | None = None


def find_truth(root: Path) -> LabelSet:
    """The labels of a folder: of its ``test`` split if it has splits, of ``truth`` in a demo.

    Raises:
        DatasetError: The folder has none of the known shapes, or maps without their other date.
    """
    splits = [split for split in SPLITS if (root / split / "label1").is_dir()]
    if splits and "test" not in splits:
        raise DatasetError(
            f"{root} has no test split, only {' and '.join(splits)}; name the split to score, "
            f"for example {root / splits[-1]}."
        )
    return _first(root, TRUTH_SHAPES)


def find_predictions(root: Path) -> LabelSet:
    """The predicted maps of a folder.

    Raises:
        DatasetError: The folder has none of the known shapes, or maps without their other date.
    """
    return _first(root, PREDICTION_SHAPES)


def match(truth: LabelSet, predictions: LabelSet) -> dict[str, tuple[Files, Files]]:
    """Labelled and predicted maps by name; two folders of one pair each match as they are.

    Raises:
        DatasetError: A name exists on one side only.
    """
    if truth.single and predictions.single:
        (name,), (labels,), (maps,) = truth.maps, truth.maps.values(), predictions.maps.values()
        return {name: (labels, maps)}
    if truth.maps.keys() != predictions.maps.keys():
        gaps = [
            f"{len(names)} without {missing} ({_listed(names)})"
            for missing, names in (
                ("prediction", truth.maps.keys() - predictions.maps.keys()),
                ("labels", predictions.maps.keys() - truth.maps.keys()),
            )
            if names
        ]
        raise DatasetError(
            f"{truth.root} and {predictions.root} do not hold the same names: {', '.join(gaps)}. "
            "Predict the missing ones or move the others away; maps are matched by name."
        )
    return {name: (labels, predictions.maps[name]) for name, labels in truth.maps.items()}


def find_images(truth: LabelSet) -> dict[str, Files]:
    """The before and after image of each labelled pair: ``im1, im2``, or beside the maps.

    Raises:
        DatasetError: The images of a pair are not there.
    """
    listing = cache(by_stem)
    found: dict[str, Files] = {}
    for name, (from_map, _) in truth.maps.items():
        folder = from_map.parent
        if folder.name == "label1":
            keys, places = (name, name), (folder.parent / "im1", folder.parent / "im2")
        else:
            place = folder.parent if folder.name == TRUTH_FOLDER else folder
            keys, places = ("before", "after"), (place, place)
        images = [listing(place).get(key) for key, place in zip(keys, places, strict=True)]
        if images[0] and images[1]:
            found[name] = images[0], images[1]
    missing = truth.maps.keys() - found.keys()
    if missing:
        raise DatasetError(
            f"{truth.root} has no images to predict from for {_listed(missing)}; they are looked "
            "for in im1 and im2, or as before.tif and after.tif. Score maps that exist with --pred."
        )
    return found


def _second_maps(root: Path) -> dict[str, Files] | None:
    first, second = root / "label1", root / "label2"
    if not (first.is_dir() and second.is_dir()):
        return None
    before, after = by_stem(first), by_stem(second)
    alone = before.keys() ^ after.keys()
    if alone:
        raise DatasetError(
            f"{root}: {len(alone)} maps exist in label1 or label2 only ({_listed(alone)}); "
            "every pair needs both."
        )
    return {name: (before[name], after[name]) for name in sorted(before)}


def _one_prediction(root: Path) -> dict[str, Files] | None:
    files = root / MAPS[0], root / MAPS[1]
    present = [file for file in files if file.is_file()]
    if len(present) == 1:
        raise DatasetError(f"{root} has {present[0].name} only; a pair is {' and '.join(MAPS)}.")
    return {root.resolve().name: files} if present else None


def _one_truth(root: Path) -> dict[str, Files] | None:
    found = _one_prediction(root / TRUTH_FOLDER)
    return {root.resolve().name: files for files in found.values()} if found else None


def _folders(
    root: Path, *shapes: Callable[[Path], dict[str, Files] | None]
) -> dict[str, Files] | None:
    """The pairs in the folders of a folder; hidden ones are work in progress."""
    inside = sorted(each for each in root.iterdir() if each.is_dir() and each.name[0] != ".")
    found: dict[str, Files] = {}
    for folder in inside:
        found |= next((maps for shape in shapes if (maps := shape(folder))), {})
    return found or None


# Tried in order: a demo's own truth before what was predicted into the same folder.
PREDICTION_SHAPES = (_second_maps, _one_prediction, lambda root: _folders(root, _one_prediction))
TRUTH_SHAPES = (
    _second_maps,
    _one_truth,
    _one_prediction,
    lambda root: _folders(root, _one_truth, _one_prediction),
)


def _first(root: Path, shapes: tuple[Callable[[Path], dict[str, Files] | None], ...]) -> LabelSet:
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; give a folder of class maps.")
    split = root / "test"
    has_splits = (split / "label1").is_dir()
    for shape in shapes:
        maps = shape(split if has_splits else root)
        if maps:
            note = f"{root} has splits; {split} is used." if has_splits else None
            return LabelSet(root, maps, shape in (_one_prediction, _one_truth), note)
    raise DatasetError(
        f"{root} holds no class maps; looked for label1 and label2 with {', '.join(SUFFIXES)} "
        f"files, for {' and '.join(MAPS)}, and for folders that hold these."
    )


def _listed(names: Iterable[str]) -> str:
    known = sorted(names)
    more = len(known) - NAMES_SHOWN
    return ", ".join(known[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
