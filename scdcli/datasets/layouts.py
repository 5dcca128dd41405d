"""The layouts of labelled sets on disk: which folders and names make which samples.

Layout of SECOND: ``ROOT/SPLIT/{im1,im2,label1,label2}/NAME.png``, for some or all pairs also
``cover1, cover2`` with the land cover of every pixel. A set without split folders is one
split.

Layout of sets of binary change (LEVIR-CD, WHU-CD, CDD, S2Looking, SYSU-CD):
``ROOT/SPLIT/{A,B,label}/NAME.png``, one mask of change for a pair, under several names of folders.

Layouts of large georeferenced pairs: ``ROOT/SCENE/{before,after}.tif`` with ``from.tif, to.tif``
(there or in ``truth``) or one layer of polygons, ``changes.gpkg``; or ``ROOT/pairs.csv`` with the
columns ``before, after`` and either ``from, to`` or ``changes``.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from os.path import isfile  # no error for names that are too long, unlike Path.is_file
from pathlib import Path

from scdcli.datasets.samples import (
    IMAGE_SUFFIXES,
    LABEL_SUFFIXES,
    Listing,
    Sample,
    by_stem,
    find_file,
    unread,
    unread_files,
)
from scdcli.errors import DatasetError
from scdcli.files.pairlist import NEEDED, pair_name, read_pair_table
from scdcli.files.table import Table

PARTS = ("im1", "im2", "label1", "label2")
COVERS = ("cover1", "cover2")
READ = {
    part: IMAGE_SUFFIXES if part.startswith("im") else LABEL_SUFFIXES for part in (*PARTS, *COVERS)
}

# Of sets of binary change, in small letters: folders before and after that go together, and masks.
DATES = (("a", "b"), ("image1", "image2"), ("time1", "time2"), ("t1", "t2"), ("im1", "im2"))
MASKS = ("label", "labels", "out", "mask", "masks", "gt")

# Of large scenes.
VECTORS = (".gpkg", ".geojson", ".fgb", ".shp")
TRUTH = "truth"
CHANGES = "changes"
AOI = "aoi"
TABLE = "pairs.csv"
OTHER = {"name", "output"}  # the latter is for scd predict
COLUMNS = {*NEEDED, "from", "to", CHANGES, AOI, *OTHER}


def second_layout(folder: Path) -> Listing | None:
    """The samples of a folder with ``im1, im2, label1, label2``; None without any of these.

    Raises:
        DatasetError: Some of the four are missing, or im1 is empty.
    """
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if len(missing) == len(PARTS):
        return None
    if missing:
        raise DatasetError(
            f"{folder} has no {', '.join(missing)}; a labelled set has the folders "
            f"{', '.join(PARTS)} in it, or in a folder per split (train, val, test)."
        )
    by_part = {part: by_stem(folder / part, suffixes) for part, suffixes in READ.items()}
    names = sorted(set().union(*by_part.values()))
    others = {part: unread_files(folder / part, suffixes) for part, suffixes in READ.items()}
    if not names:
        raise _no_images(folder / "im1")
    gaps = {name: _missing(name, by_part) for name in names}
    whole = [name for name in names if not gaps[name]]
    problems = [
        unread(folder / part / name, READ[part], others[part])
        or f"{folder / part / name} is missing"
        for name in names
        for part in gaps[name]
    ]
    return Listing([_second_sample(name, by_part) for name in whole], problems)


def _missing(name: str, by_part: dict[str, dict[str, Path]]) -> list[str]:
    """The folders where a pair should be and is not: land cover is for both dates or for none."""
    covered = any(name in by_part[cover] for cover in COVERS)
    needed = (*PARTS, *COVERS) if covered else PARTS
    return [part for part in needed if name not in by_part[part]]


def _second_sample(name: str, by_part: dict[str, dict[str, Path]]) -> Sample:
    before, after, from_label, to_label = (by_part[part][name] for part in PARTS)
    sample = Sample(name, before, after, from_label, to_label)
    if any(name not in by_part[cover] for cover in COVERS):
        return sample
    from_cover, to_cover = (by_part[cover][name] for cover in COVERS)
    return replace(sample, from_cover=from_cover, to_cover=to_cover)


def masks_layout(folder: Path) -> Listing | None:
    """The samples of a folder with two folders of images and one of masks; None without these.

    Raises:
        DatasetError: The folders hold nothing that is read, or two files of one name.
    """
    inside = {each.name.lower(): each for each in sorted(folder.iterdir()) if each.is_dir()}
    dates = next((pair for pair in DATES if inside.keys() >= set(pair)), None)
    mask = next((name for name in MASKS if name in inside), None)
    # Labels of both dates beside im1 and im2 say more.
    if dates is None or mask is None or inside.keys() >= set(PARTS):
        return None
    folders = [inside[name] for name in (*dates, mask)]
    by_folder = [by_stem(each, IMAGE_SUFFIXES) for each in folders]
    others = [unread_files(each, IMAGE_SUFFIXES) for each in folders]
    names = sorted(set().union(*by_folder))
    if not names:
        raise _no_images(folders[0])
    problems = [
        unread(each / name, IMAGE_SUFFIXES, strange) or f"{each / name} is missing"
        for name in names
        for each, files, strange in zip(folders, by_folder, others, strict=True)
        if name not in files
    ]
    before, after, masks = by_folder
    whole = sorted(before.keys() & after.keys() & masks.keys())
    return Listing(
        [Sample(n, before[n], after[n], masks[n], masks[n], mask=True) for n in whole], problems
    )


def _no_images(folder: Path) -> DatasetError:
    strange = sorted({file.suffix for file in unread_files(folder, IMAGE_SUFFIXES).values()})
    only = f", only {', '.join(strange)} files" if strange else ""
    return DatasetError(f"{folder} holds no {', '.join(IMAGE_SUFFIXES)} images{only}.")


def scenes_layout(folder: Path) -> Listing | None:
    """The scene that a folder is, or those in its folders; None where there is none.

    Raises:
        DatasetError: A file is there twice, with two suffixes.
    """
    if _is_scene(folder):
        return _listing([(folder.resolve().name, folder)])
    inside = sorted(each for each in folder.iterdir() if each.is_dir() and each.name[0] != ".")
    scenes = [(each.name, each) for each in inside if _is_scene(each)]
    return _listing(scenes) if scenes else None


def table_layout(folder: Path) -> Listing | None:
    """The scenes that ``pairs.csv`` lists, files relative to it; None without the table.

    Raises:
        DatasetError: The table cannot be opened, has other columns or lists no pair.
        InputError: It is no text with cells.
    """
    if not (folder / TABLE).is_file():
        return None
    table = _read(folder / TABLE)
    samples, problems = [], []
    for line, row in table.rows:
        files = {column: folder / path for column, path in row.items() if column not in OTHER}
        missing = [str(x) for x in files.values() if not isfile(x)]  # noqa: PTH113
        labels = [files[key] for key in ("from", "to", CHANGES) if key in files]
        if missing:
            problems.append(f"{table.name}, line {line}: {missing[0]} is missing")
        elif not files.keys() >= set(NEEDED) or len(labels) != (1 if CHANGES in files else 2):
            problems.append(
                f"{table.name}, line {line} has {', '.join(files) or 'nothing'}; it needs before, "
                f"after and either from and to, or {CHANGES}"
            )
        else:
            name = row.get("name") or pair_name(row["before"], row["after"])
            before, after = (files[key] for key in NEEDED)
            scene = Sample(name, before, after, labels[0], labels[-1], windowed=True)
            samples.append(replace(scene, aoi=files.get(AOI)))
    return Listing(_with_own_names(samples), problems)


def _read(path: Path) -> Table:
    """The table, once its columns are those of labelled scenes."""
    try:
        table = read_pair_table(path.read_bytes(), str(path))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    if not set(NEEDED) <= set(table.columns) <= COLUMNS | {""}:
        raise DatasetError(
            f"{table.name} has the columns {', '.join(table.columns) or 'none'}; it needs before, "
            f"after and either from, to or {CHANGES}; name and {AOI} may be there too."
        )
    if not table.rows:
        raise DatasetError(f"{table.name} lists no pairs; give a line with its files to each.")
    return table


def _with_own_names(samples: list[Sample]) -> list[Sample]:
    """Names made unique by the number of the pair where two have one."""
    often = Counter(sample.name for sample in samples)
    return [
        sample if often[sample.name] == 1 else replace(sample, name=f"{sample.name}-{number}")
        for number, sample in enumerate(samples, start=1)
    ]


def _is_scene(folder: Path) -> bool:
    return any(find_file(folder, part, IMAGE_SUFFIXES) for part in NEEDED)


def _listing(folders: list[tuple[str, Path]]) -> Listing:
    samples: list[Sample] = []
    problems: list[str] = []
    for name, folder in folders:
        scene = _scene(name, folder)
        if isinstance(scene, Sample):
            samples.append(scene)
        else:
            problems.append(scene)
    return Listing(samples, problems)


def _scene(name: str, folder: Path) -> Sample | str:
    """The files of one scene, or what is wrong with them."""
    before, after = (find_file(folder, part, IMAGE_SUFFIXES) for part in NEEDED)
    if before is None or after is None:
        gone = folder / ("after" if before else "before")
        return unread(gone, IMAGE_SUFFIXES) or f"{gone}.tif is missing"
    place = folder / TRUTH if (folder / TRUTH).is_dir() else folder
    from_map, to_map = (find_file(place, part, LABEL_SUFFIXES) for part in ("from", "to"))
    changes = find_file(folder, CHANGES, VECTORS)
    if changes and (from_map or to_map):
        return f"{folder} has {changes.name} and {(from_map or to_map)}: labels of two kinds"
    if changes is None and (from_map is None or to_map is None):
        known = from_map or to_map
        if known:
            gone = place / ("to" if from_map else "from")
            return unread(gone, LABEL_SUFFIXES) or f"{gone}.tif is missing beside {known.name}"
        return (
            unread(place / "from", LABEL_SUFFIXES)
            or unread(place / "to", LABEL_SUFFIXES)
            or f"{folder} has no labels: neither from.tif and to.tif nor {CHANGES}.gpkg"
        )
    first, second = changes or from_map, changes or to_map
    assert first is not None
    assert second is not None
    aoi = find_file(folder, AOI, VECTORS)
    return Sample(name, before, after, first, second, windowed=True, aoi=aoi)


def is_drawn(path: Path) -> bool:
    """Whether labels are polygons, by the suffix of the file."""
    return path.suffix.lower() in VECTORS


def list_samples(folder: Path) -> Listing:
    """The samples of one split folder, in whatever layout it has.

    Raises:
        DatasetError: The folder is of no known layout.
    """
    for layout in LAYOUTS.values():
        listing = layout(folder)
        if listing is not None:
            return listing
    raise no_set(folder)


def layout_of(folder: Path) -> str | None:
    """The name of a folder's layout; None for a folder of no known one.

    Raises:
        DatasetError: The folder is a damaged one of some layout.
    """
    if not folder.is_dir():
        return None
    return next((name for name, layout in LAYOUTS.items() if layout(folder) is not None), None)


def is_unlabelled(folder: Path) -> bool:
    """Whether a folder has pairs of images, and no label of any of them."""
    if not folder.is_dir():
        return False
    inside = {each.name.lower(): each for each in folder.iterdir() if each.is_dir()}
    if any(inside.keys() >= set(pair) for pair in DATES):
        return not inside.keys() & {*MASKS, *PARTS[2:]}
    scenes = [each for each in inside.values() if _is_scene(each)]
    return bool(scenes) and not any(map(_is_labelled, scenes))


def _is_labelled(scene: Path) -> bool:
    place = scene / TRUTH if (scene / TRUTH).is_dir() else scene
    maps = any(find_file(place, part, LABEL_SUFFIXES) for part in ("from", "to"))
    return maps or find_file(scene, CHANGES, VECTORS) is not None


def no_set(folder: Path) -> DatasetError:
    """The error for a folder without a labelled set."""
    return DatasetError(
        f"{folder} is not a labelled set: it has neither a train folder, nor {', '.join(PARTS)}, "
        f"nor A, B and label with masks of change, nor {TABLE}, nor folders with before.tif, "
        f"after.tif and from.tif, to.tif or {CHANGES}.gpkg; lay it out in one of these ways."
    )


def find_split(root: Path, split: str) -> Path | None:
    """The folder of a split, the root itself for ``train`` in a set without splits, else None."""
    if (root / split).is_dir():
        return root / split
    if split == "train" and layout_of(root):
        return root
    return None


# A layout takes a split's folder and returns its samples, or None for a folder of another kind.
LAYOUTS: dict[str, Callable[[Path], Listing | None]] = {
    "masks": masks_layout,
    "second": second_layout,
    "pairs": table_layout,
    "scenes": scenes_layout,
}
