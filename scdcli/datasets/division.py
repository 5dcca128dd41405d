"""Division of a set into training and validation, by share or file, and of scenes into windows."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scdcli.datasets.samples import IMAGE_SUFFIXES, SPLITS, Part, Sample
from scdcli.errors import DatasetError, InputError
from scdcli.files.table import DELIMITERS, Table, read_table
from scdcli.files.text import decode_ansi
from scdcli.rasters.scene import open_scene

LEAST_ROWS = 64  # of a scene, to train or validate on
LATTICE = 512  # pixels; what prediction uses at least
COLUMNS = ("name", "split")
SHOWN = 10


def split_validation(
    samples: Sequence[Sample], share: float, seed: int
) -> tuple[list[Sample], list[Sample]]:
    """Training and validation samples: a random share held out, the same for the same seed.

    Of scenes too few for that, the last rows of each are held out instead: windows at random
    places of one area would show training and validation the same ground.

    Raises:
        DatasetError: Nothing would be left to train on.
    """
    if share > 0 and samples[0].windowed and share * len(samples) < 1:
        return _split_rows(samples, share)
    count = max(1, round(share * len(samples))) if share > 0 else 0
    if count >= len(samples):
        raise DatasetError(
            f"the set has {len(samples)} pairs, {count} of them would be held out for validation; "
            "give more pairs, a val folder, or --val-share 0."
        )
    order = np.random.default_rng(seed).permutation(len(samples))
    held_out = set(order[:count].tolist())
    train = [sample for i, sample in enumerate(samples) if i not in held_out]
    return train, [samples[i] for i in sorted(held_out)]


def share_out(samples: Sequence[Sample], chip: int, count: int | None = None) -> list[Sample]:
    """Each scene as often as chips are drawn from it in an epoch, by its area; others as they are.

    Args:
        samples: The set; one that is there several times counts as often.
        chip: Side of a chip in pixels.
        count: Chips of scenes in an epoch; as many as cover the area once by default.
    """
    others = [sample for sample in samples if not sample.windowed]
    scenes = [sample for sample in samples if sample.windowed]
    if not scenes:
        return others
    areas = np.array([float(part.height * part.width) for part in map(part_of, scenes)])
    wanted = areas / chip**2 if count is None else count * areas / areas.sum()
    # The rest of one scene goes to the next, so that the sum is as wanted.
    ends = np.rint(np.cumsum(wanted)).astype(int)
    often = np.diff(ends, prepend=0)
    shared = [sample for sample, n in zip(scenes, often, strict=True) for _ in range(n)]
    return others + (shared or [scenes[int(areas.argmax())]])


def lattice(samples: Sequence[Sample], side: int = LATTICE) -> list[Sample]:
    """Scenes as windows of about equal size, at most ``side``, that cover each pixel once."""
    windows = []
    for sample in samples:
        if not sample.windowed:
            windows.append(sample)
            continue
        whole = part_of(sample)
        for top, height in _pieces(whole.top, whole.height, side):
            for left, width in _pieces(whole.left, whole.width, side):
                name = f"{sample.name} (row {top}, column {left})"
                windows.append(replace(sample, name=name, part=Part(top, left, height, width)))
    return windows


def part_of(sample: Sample) -> Part:
    """The part of a scene that is used, by default all of it.

    Raises:
        InputError: The BEFORE image cannot be opened.
    """
    if sample.part is not None:
        return sample.part
    with open_scene(sample.before) as dataset:
        return Part(0, 0, dataset.height, dataset.width)


def _split_rows(samples: Sequence[Sample], share: float) -> tuple[list[Sample], list[Sample]]:
    train, validation = [], []
    for sample in samples:
        whole = part_of(sample)
        rows = max(LEAST_ROWS, round(share * whole.height))
        last = whole.height - rows
        if last < LEAST_ROWS:
            raise DatasetError(
                f"{sample.before} has {whole.height} rows, of which {rows} would be held out "
                f"for validation; {LEAST_ROWS} at least must be left: give a val folder, or "
                "--val-share 0."
            )
        train.append(replace(sample, part=Part(0, 0, last, whole.width)))
        validation.append(replace(sample, part=Part(last, 0, rows, whole.width)))
    return train, validation


def _pieces(start: int, length: int, side: int) -> list[tuple[int, int]]:
    """Start and length of about equal pieces of an axis: no narrow rest that tells little."""
    ends = [start + length * k // -(-length // side) for k in range(-(-length // side) + 1)]
    return [(a, b - a) for a, b in pairwise(ends)]


class Division(NamedTuple):
    """A set divided by a file; what the file gives to ``test`` or does not name is in neither."""

    train: list[Sample]
    validation: list[Sample]
    unnamed: int  # pairs


def divide(samples: Sequence[Sample], path: Path) -> Division:
    """Training and validation samples of a set.

    The file is a table with the columns ``name`` and ``split`` (train, val or test); or plain
    lines, each a name: these pairs train, all others validate. A name may have a suffix.

    Raises:
        DatasetError: It names pairs that are not there for training or validation, or none to
            train on, or one twice.
        InputError: It cannot be read or is no such file.
    """
    content = _content(path)
    table = _table(content, path)
    split_of = _splits(path, _entries(table) if table else _names(path, content))
    known = {sample.name for sample in samples}
    missing = [name for name, split in split_of.items() if split != "test" and name not in known]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise DatasetError(
            f"{path} names pairs that are not among the {len(known)} of the training folder: "
            f"{', '.join(missing[:SHOWN])}{more} ({len(missing)} in all); give the split file of "
            f"this set{_with_zeros(missing, known)}."
        )
    other = None if table else "val"
    by_split = {
        split: [sample for sample in samples if split_of.get(sample.name, other) == split]
        for split in ("train", "val")
    }
    if not by_split["train"]:
        raise DatasetError(f"{path} names no pair to train on; give some the split train.")
    unnamed = 0 if other else len(known - split_of.keys())
    return Division(by_split["train"], by_split["val"], unnamed)


def _splits(path: Path, entries: Iterator[tuple[int, str, str]]) -> dict[str, str]:
    split_of: dict[str, str] = {}
    for line, name, split in entries:
        if split not in SPLITS:
            raise InputError(
                f"{path}, line {line}: {name} has the split {split!r}; give train, val or test."
            )
        if split_of.setdefault(name, split) != split:
            raise DatasetError(
                f"{path}, line {line}: {name} is in {split} and in {split_of[name]}; name a pair "
                "once."
            )
    return split_of


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give a text file with a name per line."
        ) from error


def _table(content: bytes, path: Path) -> Table | None:
    """The file as a table; None where it has not these columns, so that its lines are names."""
    table = read_table(content, str(path), COLUMNS)
    return table if set(COLUMNS) <= set(table.columns) else None


def _entries(table: Table) -> Iterator[tuple[int, str, str]]:
    """Line number, name without suffix, split of a table."""
    for line, cells in table.rows:
        if not cells.keys() >= set(COLUMNS):
            raise InputError(
                f"{table.name}, line {line} has no {' and no '.join(set(COLUMNS) - cells.keys())}; "
                "give each pair a name and a split."
            )
        yield line, _stem(cells["name"]), cells["split"].lower()


def _names(path: Path, content: bytes) -> Iterator[tuple[int, str, str]]:
    """Line number, name without suffix and split of plain lines: each a name to train on."""
    text, name = decode_ansi(content, str(path))
    for number, line in enumerate(text.splitlines(), start=1):
        if any(delimiter in line.strip() for delimiter in DELIMITERS):
            raise InputError(
                f"{name}, line {number}: {line.strip()!r} is more than a name, but the first line "
                "does not name the columns name and split; begin with the line name,split."
            )
        if line.strip():
            yield number, _stem(line.strip()), "train"


def _with_zeros(missing: Sequence[str], known: Collection[str]) -> str:
    """A remark where a spreadsheet has taken the zeros before names that are numbers."""
    numbers = {int(name): name for name in known if name.isdecimal()}
    meant = [numbers[int(name)] for name in missing if name.isdecimal() and int(name) in numbers]
    if not meant:
        return ""
    return f", with the zeros before its numbers ({meant[0]}), which spreadsheets leave out"


def _stem(name: str) -> str:
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in IMAGE_SUFFIXES else name
