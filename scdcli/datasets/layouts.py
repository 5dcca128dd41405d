"""The layouts of labelled sets on disk: which folders and names make which samples.

Layout of SECOND: ``ROOT/SPLIT/{im1,im2,label1,label2}/NAME.png``, for some or all pairs also
``cover1, cover2`` with the land cover of every pixel. Layouts of large scenes: `scenes`. A set
without split folders is one split.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from scdcli.datasets.samples import Listing, Sample, require_none
from scdcli.datasets.scenes import CHANGES, TABLE, scenes_layout, table_layout
from scdcli.datasets.stems import SUFFIXES, by_stem
from scdcli.errors import DatasetError

PARTS = ("im1", "im2", "label1", "label2")
COVERS = ("cover1", "cover2")


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
    by_part = {part: by_stem(folder / part) for part in (*PARTS, *COVERS)}
    names = sorted(set().union(*by_part.values()))
    if not names:
        raise DatasetError(f"{folder}/im1 holds no {' or '.join(SUFFIXES)} images.")
    gaps = {name: _missing(name, by_part) for name in names}
    whole = [name for name in names if not gaps[name]]
    return Listing(
        [_second_sample(name, by_part) for name in whole],
        [f"{folder / part / name} is missing" for name in names for part in gaps[name]],
    )


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


# A layout takes a split's folder and returns its samples, or None for a folder of another kind.
LAYOUTS: dict[str, Callable[[Path], Listing | None]] = {
    "second": second_layout,
    "pairs": table_layout,
    "scenes": scenes_layout,
}


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


def find_samples(folder: Path) -> list[Sample]:
    """The samples of one split folder, all of them complete.

    Raises:
        DatasetError: The folder is of no known layout, or names do not pair up.
    """
    samples, problems = list_samples(folder)
    require_none(problems, f"{folder} is incomplete")
    return samples


def second_samples(folder: Path) -> list[Sample]:
    """The samples of one split folder in the layout of SECOND.

    Raises:
        DatasetError: A folder is missing or its names do not pair up.
    """
    listing = second_layout(folder)
    if listing is None:
        raise no_set(folder)
    require_none(listing.problems, f"{folder} is incomplete")
    return listing.samples


def no_set(folder: Path) -> DatasetError:
    """The error for a folder without a labelled set."""
    return DatasetError(
        f"{folder} is not a labelled set: it has neither a train folder, nor {', '.join(PARTS)}, "
        f"nor {TABLE}, nor folders with before.tif, after.tif and from.tif, to.tif or "
        f"{CHANGES}.gpkg; lay it out in one of these ways."
    )


def find_split(root: Path, split: str) -> Path | None:
    """The folder of a split, the root itself for ``train`` in a set without splits, else None."""
    if (root / split).is_dir():
        return root / split
    if split == "train" and layout_of(root):
        return root
    return None
