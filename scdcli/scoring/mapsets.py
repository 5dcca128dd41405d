"""The class maps of a set, found in each known shape of folder: names and files."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from scdcli.datasets.layouts import (
    TABLE,
    is_drawn,
    is_unlabelled,
    masks_layout,
    scenes_layout,
    table_layout,
)
from scdcli.datasets.samples import (
    IMAGE_SUFFIXES,
    LABEL_SUFFIXES,
    SPLITS,
    Listing,
    Sample,
    by_stem,
    require_none,
)
from scdcli.errors import DatasetError

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
        scenes: Images and labels of the pairs that are large scenes, by name; their labels are read
            on the grid of BEFORE, and may be polygons.
        masks: Whether these are masks of change, which say where but not what.
    """

    root: Path
    maps: dict[str, Files]
    single: bool = False
    note: str | None = None
    scenes: dict[str, Sample] = field(default_factory=dict)
    masks: bool = False


def find_truth(root: Path, *, binary: bool = False) -> LabelSet:
    """The labels of a folder: of its ``test`` split if it has splits, of ``truth`` in a demo.

    Raises:
        DatasetError: The folder has none of the known shapes, or maps without their other date.
    """
    splits = [split for split in SPLITS if _is_split(root / split)]
    if splits and "test" not in splits:
        if is_unlabelled(root / "test"):
            raise DatasetError(
                f"{root / 'test'} has images and no labels (label1, label2), as some copies of a "
                "set have; score a split with labels, for example "
                f"{root / splits[-1]}, or map these pairs with scd predict --pairs."
            )
        raise DatasetError(
            f"{root} has no test split, only {' and '.join(splits)}; name the split to score, "
            f"for example {root / splits[-1]}."
        )
    split = root / "test"
    scenes = _find_scenes(split if splits else root)
    if scenes is None:
        return replace(_first(root, TRUTH_SHAPES), masks=binary)
    note = f"{root} has splits; {split} is used." if splits else None
    maps = {scene.name: (scene.from_label, scene.to_label) for scene in scenes}
    single = len(scenes) == 1 and scenes[0].before.parent == root
    masks = binary or any(scene.mask for scene in scenes)
    return LabelSet(root, maps, single, note, {scene.name: scene for scene in scenes}, masks)


def find_predictions(root: Path, *, masks: bool = False) -> LabelSet:
    """The predicted maps of a folder; where the labels are masks, also one mask for each pair.

    Raises:
        DatasetError: The folder has none of the known shapes, or maps without their other date.
    """
    return _first(root, (*PREDICTION_SHAPES, _plain_masks) if masks else PREDICTION_SHAPES)


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
            f"{len(names)} without {missing} ({listed(names)})"
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
    listing = cache(partial(by_stem, suffixes=IMAGE_SUFFIXES))
    images: dict[str, Files] = {}
    for name, (from_map, _) in truth.maps.items():
        if name in truth.scenes:
            images[name] = truth.scenes[name].before, truth.scenes[name].after
            continue
        folder = from_map.parent
        if folder.name == "label1":
            keys, places = (name, name), (folder.parent / "im1", folder.parent / "im2")
        else:
            place = folder.parent if folder.name == TRUTH_FOLDER else folder
            keys, places = ("before", "after"), (place, place)
        paths = [listing(place).get(key) for key, place in zip(keys, places, strict=True)]
        if paths[0] and paths[1]:
            images[name] = paths[0], paths[1]
    missing = truth.maps.keys() - images.keys()
    if missing:
        raise DatasetError(
            f"{truth.root} has no images to predict from for {listed(missing)}; they are looked "
            "for in im1 and im2, or as before.tif and after.tif. Score maps that exist with --pred."
        )
    return images


def _is_split(folder: Path) -> bool:
    return (folder / "label1").is_dir() or (folder.is_dir() and bool(_list_scenes(folder)))


def _list_scenes(folder: Path) -> Listing | None:
    return masks_layout(folder) or table_layout(folder) or scenes_layout(folder)


def _find_scenes(folder: Path) -> list[Sample] | None:
    """The scenes of a folder where they are needed: class maps alone are found without images.

    Raises:
        DatasetError: A scene is incomplete.
    """
    listing = _list_scenes(folder) if folder.is_dir() else None
    if listing is None:
        return None
    listed = (folder / TABLE).is_file()
    needed = (is_drawn(each.from_label) or each.aoi or each.mask for each in listing.samples)
    if not listed and not any(needed):
        return None
    require_none(listing.problems, f"{folder} is incomplete")
    return listing.samples


def _second_maps(root: Path) -> dict[str, Files] | None:
    first, second = root / "label1", root / "label2"
    if not (first.is_dir() and second.is_dir()):
        return None
    before, after = (by_stem(part, LABEL_SUFFIXES) for part in (first, second))
    alone = before.keys() ^ after.keys()
    if alone:
        raise DatasetError(
            f"{root}: {len(alone)} maps exist in label1 or label2 only ({listed(alone)}); "
            "every pair needs both."
        )
    return {name: (before[name], after[name]) for name in sorted(before)}


def _plain_masks(root: Path) -> dict[str, Files] | None:
    files = by_stem(root, IMAGE_SUFFIXES)
    return {name: (file, file) for name, file in files.items()} or None


def _one_prediction(root: Path) -> dict[str, Files] | None:
    files = root / MAPS[0], root / MAPS[1]
    present = [file for file in files if file.is_file()]
    if len(present) == 1:
        raise DatasetError(f"{root} has {present[0].name} only; a pair is {' and '.join(MAPS)}.")
    return {root.resolve().name: files} if present else None


def _one_truth(root: Path) -> dict[str, Files] | None:
    maps = _one_prediction(root / TRUTH_FOLDER)
    return {root.resolve().name: files for files in maps.values()} if maps else None


def _folders(
    root: Path, *shapes: Callable[[Path], dict[str, Files] | None]
) -> dict[str, Files] | None:
    """The pairs in the folders of a folder; hidden ones are work in progress."""
    inside = sorted(each for each in root.iterdir() if each.is_dir() and each.name[0] != ".")
    pairs: dict[str, Files] = {}
    for folder in inside:
        pairs |= next((maps for shape in shapes if (maps := shape(folder))), {})
    return pairs or None


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
    has_splits = _is_split(split)
    for shape in shapes:
        maps = shape(split if has_splits else root)
        if maps:
            note = f"{root} has splits; {split} is used." if has_splits else None
            return LabelSet(root, maps, shape in (_one_prediction, _one_truth), note)
    raise DatasetError(
        f"{root} holds no class maps; looked for label1 and label2 with files of the suffixes "
        f"{', '.join(LABEL_SUFFIXES)}, for {' and '.join(MAPS)}, and for folders that hold these."
    )


def listed(names: Iterable[str]) -> str:
    """The first `NAMES_SHOWN` names in order, and how many more there are."""
    known = sorted(names)
    more = len(known) - NAMES_SHOWN
    return ", ".join(known[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
